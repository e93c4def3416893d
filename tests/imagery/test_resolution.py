"""The size at which images are read: factors, and metres per pixel from georeferences of all kinds."""

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.resampling import Zoom
from detect.imagery.resolution import Resolution, ground_sample_distance, rescaled
from detect.imagery.scenes import Scene, SceneError, view
from detect.imagery.windows import Window

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
LOCAL = 'LOCAL_CS["mine",UNIT["{}",{}]]'


def located(path: Path, crs: str | None, transform: Affine | None, shape: tuple[int, int] = (60, 80)) -> Scene:
    height, width = shape
    profile = {"driver": "GTiff", "count": 1, "height": height, "width": width, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform) as target:
        target.write(np.zeros((1, *shape), np.uint8))
    return open_scene(path)


METRE, FOOT, TURNED = 0.2, 0.3048, math.radians(30)
DEGREE = 1e-5


@pytest.mark.parametrize(
    ("crs", "transform", "wanted"),
    [
        # on a UTM zone's middle meridian the map is 0.9996 of the ground
        ("EPSG:32617", Affine(METRE, 0, 500_000, 0, -METRE, 4_500_000), (METRE / 0.9996, METRE / 0.9996)),
        # the same, turned by 30 degrees, and with pixels twice as high as wide
        (
            "EPSG:32617",
            Affine.translation(500_000, 4_500_000) @ Affine.rotation(30) @ Affine.scale(METRE, -2 * METRE),
            (METRE / 0.9996, 2 * METRE / 0.9996),
        ),
        # Web Mercator stretches by 2 at 60 degrees (8,399,738 m north), but for the flattening
        ("EPSG:3857", Affine(1, 0, 0, 0, -1, 8_399_738 + 30), (0.50126, 0.50042)),
        # a degree of longitude is 111,320 m on the equator, of latitude 110,574 m
        ("EPSG:4326", Affine(DEGREE, 0, 10, 0, -DEGREE, 30 * DEGREE), (1.11320, 1.10574)),
        # at 60 degrees, half of that but for the flattening: 55,800 m and 111,412 m
        ("EPSG:4326", Affine(DEGREE, 0, 10, 0, -DEGREE, 60), (0.55800, 1.11412)),
        # New York in US survey feet of 0.3048006 m; the zone's scale is 1 within 1e-4
        ("EPSG:2263", Affine(1, 0, 980_000, 0, -1, 200_000), (0.3048, 0.3048)),
        # tied to no place on the earth: by its unit
        (LOCAL.format("metre", 1), Affine(0.01, 0, 0, 0, -0.01, 0), (0.01, 0.01)),
        (LOCAL.format("foot", 0.3048), Affine(2, 0, 0, 0, -2, 0), (0.6096, 0.6096)),
    ],
)
def test_metres_per_pixel_of_georeferences(
    tmp_path: Path, crs: str, transform: Affine, wanted: tuple[float, float]
) -> None:
    assert ground_sample_distance(located(tmp_path / "a.tif", crs, transform)) == pytest.approx(wanted, rel=2e-4)


def test_an_image_is_resampled_from_its_own_metres_per_pixel(tmp_path: Path) -> None:
    """60 x 80 pixels of 0.2 m resampled to 0.5 m are 24 x 32; of 1 m, 120 x 160; those of 0.5 m stay as they are."""
    scaled = {}
    for own in (0.2, 0.5, 1.0):
        scene = located(tmp_path / f"{own}.tif", LOCAL.format("metre", 1), Affine(own, 0, 0, 0, -own, 0))
        scaled[own] = Resolution(gsd=0.5).resampled(scene)
    assert [scaled[own].shape for own in (0.2, 0.5, 1.0)] == [(24, 32), (60, 80), (120, 160)]
    assert scaled[0.5].zoom is None and scaled[1.0].factor_xy == (2.0, 2.0)


def test_pixels_that_are_not_square_are_resampled_to_squares(tmp_path: Path) -> None:
    """0.5 m wide and 0.25 m high, resampled to 0.5 m: half as many rows, all the columns."""
    scene = located(tmp_path / "a.tif", LOCAL.format("metre", 1), Affine(0.5, 0, 0, 0, -0.25, 0))
    assert Resolution(gsd=0.5).resampled(scene).shape == (30, 80)


def test_a_factor(tmp_path: Path) -> None:
    """The edges stay where they are: 60 x 80 at 0.33 are 20 x 26 pixels, 19.8 and 26.4 rounded."""
    scene = located(tmp_path / "a.tif", None, None)
    assert Resolution().resampled(scene) is scene
    scaled = Resolution(0.33).resampled(scene)
    assert (scaled.shape, scaled.zoom) == ((20, 26), Zoom(Window(0, 0, 60, 80), (20, 26)))
    assert Resolution(1 / 32).resampled(view(scene, Window(3, 4, 2, 40))).zoom == Zoom(Window(3, 4, 2, 40), (1, 1))
    with pytest.raises(ValueError, match=r"a\.tif.*resampled"):
        Resolution(0.33).resampled(scaled)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scale": 0.0}, r"data\.scale.*\[1/32, 32\].*\b0\.0"),
        ({"scale": math.nan}, r"data\.scale.*\[1/32, 32\].*nan"),
        ({"scale": 33}, r"data\.scale.*\[1/32, 32\].*33"),
        ({"gsd": 0.0}, r"data\.gsd.*positive.*\b0"),
        ({"gsd": math.inf}, r"data\.gsd.*positive.*inf"),
        ({"gsd": 0.1, "scale": 0.5}, r"data\.gsd=0\.1.*data\.scale=0\.5"),
    ],
)
def test_resolutions_that_cannot_be(given: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Resolution(**given)


@pytest.mark.parametrize("transform", [None, Affine(0.2, 0, 5, 0, -0.2, 5)])
def test_an_image_whose_metres_are_not_known_is_an_error_that_names_the_ways_out(
    tmp_path: Path, transform: Affine | None
) -> None:
    """Without a georeference, or with one in no unit."""
    scene = located(tmp_path / "a.tif", None, transform)
    with pytest.raises(SceneError, match=r"a\.tif.*data\.scale.*data\.gsd"):
        Resolution(gsd=0.5).resampled(scene)


def test_a_unit_that_is_wrong_is_an_error(tmp_path: Path) -> None:
    """20 cm a pixel, asked for in centimetres: 20 metres a pixel are a hundredth of the size."""
    scene = located(tmp_path / "a.tif", LOCAL.format("metre", 1), Affine(0.2, 0, 0, 0, -0.2, 0))
    with pytest.raises(SceneError, match=r"a\.tif.*\b20 metres.*\b0\.01 .*\b32\b.*data\.gsd"):
        Resolution(gsd=20).resampled(scene)


def test_a_scene_at_other_sizes_is_always_made_of_the_file() -> None:
    """100 x 60 at a half is 50 x 30; that at 0.9 is 45 x 27 of the file's 100 x 60, and at twice the file itself."""
    scene = Scene(Path("a"), (100, 60), "uint8", 3)
    half = Resolution(scale=0.5).resampled(scene)
    assert rescaled(half, 0.9).zoom == Zoom(scene.window, (45, 27)) and rescaled(half, 0.9).shape == (45, 27)
    assert rescaled(half, 2) == rescaled(scene, 1) == scene
    assert rescaled(scene, 1.5).factor_xy == (1.5, 1.5)


def test_a_scene_that_cannot_be_rescaled() -> None:
    scene = Scene(Path("a"), (100, 60), "uint8", 3)
    with pytest.raises(SceneError, match="a: rescaling by 40 would read it at 40 times"):
        rescaled(scene, 40)
    with pytest.raises(ValueError, match="part of a resampled scene"):
        rescaled(view(rescaled(scene, 2), Window(0, 0, 50, 50)), 2)
    part = rescaled(view(scene, Window(10, 20, 50, 40)), 0.5)
    assert part.zoom == Zoom(Window(10, 20, 50, 40), (25, 20))

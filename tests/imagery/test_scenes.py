import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasterio._env import get_gdal_config

from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, SceneError, display_bands, gdal_options, open_scene, view
from detect.imagery.windows import Window
from tests.imagery.rasters import HEIGHT, WIDTH, noise, whole, write, write_tiff

TRANSFORM = (0.5, 0.0, 1000.0, 0.0, -0.5, 2000.0)

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def test_a_scene_is_described(scene: Scene) -> None:
    assert (scene.shape, scene.dtype, scene.bands) == ((HEIGHT, WIDTH), "uint8", 3)
    assert (scene.transform, scene.crs, scene.nodata, scene.origin) == (None, None, None, (0, 0))
    assert scene.window == Window(0, 0, HEIGHT, WIDTH)


def test_a_raster_keeps_its_georeference_and_nodata(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", noise(5, "uint16"), crs="EPSG:32617", transform=TRANSFORM, nodata=7)
    scene = open_scene(path)
    assert (scene.dtype, scene.bands, scene.nodata, scene.transform) == ("uint16", 5, 7, TRANSFORM)
    assert scene.crs is not None and "UTM zone 17N" in scene.crs
    pixels = noise(5, "uint16")[4:]
    kept = pixels != 7
    np.testing.assert_array_equal(read_window(scene, scene.window, (5,))[kept], pixels[kept])


def test_a_view_of_a_view(scene: Scene) -> None:
    inner = view(view(scene, Window(5, 10, 30, 40)), Window(2, 3, 8, 9))
    assert inner.origin == (7, 13)
    np.testing.assert_array_equal(read_window(inner, inner.window, (1, 2, 3)), whole(scene)[:, 7:15, 13:22])
    with pytest.raises(ValueError, match=r"height=9, width=9.*\(8, 9\)"):
        view(inner, Window(0, 0, 9, 9))


@pytest.mark.parametrize("text", [b"", b"not an image at all"])
def test_a_file_that_is_no_image(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(text)
    with pytest.raises(SceneError, match=r"a\.jpg"):
        open_scene(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("name", "profile", "windowed"),
    [
        ("a.jpg", {}, False),
        ("a.png", {}, False),
        ("a.bmp", {}, False),
        ("tiled.tif", {"tiled": True, "blockxsize": 16, "blockysize": 16}, True),
        ("striped.tif", {"blockysize": 2}, True),
        ("whole.tif", {"blockysize": 32}, False),  # a strip of 32 of the 45 rows is more than a quarter
    ],
)
def test_a_part_can_be_read_of_tiled_and_striped_rasters_alone(
    tmp_path: Path, name: str, profile: dict, windowed: bool
) -> None:
    path = write_tiff(tmp_path / name, noise(), **profile) if profile else write(tmp_path / name)
    assert open_scene(path).windowed is windowed


def test_a_missing_file_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"a\.jpg"):
        open_scene(tmp_path / "a.jpg")
    with pytest.raises(SceneError, match=re.escape(str(tmp_path))):
        open_scene(tmp_path)


@pytest.mark.parametrize(
    ("bands", "message"),
    [((1, 2, 3), r"\b3\b.*\b1\b"), ((0,), r"\b1\b.*\[0\]"), ((), r"\b1\b.*\[\]")],
)
def test_bands_that_the_image_does_not_have(tmp_path: Path, bands: tuple[int, ...], message: str) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(SceneError, match=message):
        read_window(open_scene(tmp_path / "a.png"), Window(0, 0, 2, 2), bands)


@pytest.mark.parametrize(("number", "bands"), [(1, (1,)), (2, (1,)), (3, (1, 2, 3)), (8, (1, 2, 3))])
def test_the_bands_to_show_are_the_first_three_or_one(number: int, bands: tuple[int, ...]) -> None:
    assert display_bands(number) == bands


def test_gdal_has_the_options_of_the_innermost_block_and_those_before_it_afterwards() -> None:
    """A block inside of one with the same options changes nothing, also not when it ends by an error."""

    def now() -> list[object]:
        names = ("GDAL_DISABLE_READDIR_ON_OPEN", "GDAL_VRT_ENABLE_PYTHON", "GDAL_ERROR_ON_LIBJPEG_WARNING")
        return [get_gdal_config(name) for name in names]

    outside = now()
    with gdal_options():
        closed = now()
        with gdal_options(beside=True):
            assert now()[0] != closed[0]
            with gdal_options():
                assert now() == closed
            assert now()[0] != closed[0]
        assert now() == closed
        with pytest.raises(KeyError), gdal_options():
            assert now() == closed
            raise KeyError
        assert now() == closed and closed != outside
    assert now() == outside
    with gdal_options():
        assert now() == closed
    assert now() == outside

import re
from pathlib import Path

import numpy as np
import pytest

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.windows import Window
from tests.imagery.rasters import HEIGHT, WIDTH, noise, write, write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

TRANSFORM = (0.5, 0.0, 1000.0, 0.0, -0.5, 2000.0)


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

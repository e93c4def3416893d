"""Images are read as a viewer shows them: Pillow's `exif_transpose` is the viewer."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from detect.imagery.description.orientation import Turn
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.maps.map_reading import read_preview
from detect.imagery.reading import SceneReader, read_window
from detect.imagery.scenes import view
from detect.imagery.windows import Window
from tests.imagery.rasters import HEIGHT, WIDTH, noise, write_tiff

ORIENTATIONS = range(1, 9)

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def write_oriented(path: Path, orientation: int) -> np.ndarray:
    """Write noise with an orientation; returns what a viewer shows, (3, H, W)."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    more = {".webp": {"lossless": True}, ".jpg": {"quality": 95, "subsampling": 0}}.get(path.suffix, {})
    Image.fromarray(np.moveaxis(noise(), 0, -1)).save(path, exif=exif, **more)
    with Image.open(path) as stored:
        return np.moveaxis(np.asarray(ImageOps.exif_transpose(stored).convert("RGB")), -1, 0)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.jpg"])
def test_an_image_is_what_a_viewer_shows(tmp_path: Path, name: str, orientation: int) -> None:
    shown = write_oriented(tmp_path / name, orientation)
    scene = open_scene(tmp_path / name)
    assert (scene.shape, scene.orientation) == (shown.shape[1:], orientation)
    tolerance = 12 if name == "a.jpg" else 0  # two decoders of JPEG differ in noise; other pixels would by 85
    pixels = read_window(scene, scene.window, (1, 2, 3))
    assert np.abs(pixels.astype(int) - shown).mean() <= tolerance
    preview = read_preview(tmp_path / name, 1000)
    np.testing.assert_array_equal(preview, pixels)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_part_is_the_part_of_the_whole(tmp_path: Path, orientation: int) -> None:
    shown = write_oriented(tmp_path / "a.png", orientation)
    scene = open_scene(tmp_path / "a.png")
    part = Window(3, 5, 11, 23)
    np.testing.assert_array_equal(read_window(scene, part, (2, 1)), shown[[1, 0], 3:14, 5:28])
    inner = view(scene, part)
    padded = np.pad(shown[:1, 3:14, 5:28], ((0, 0), (4, 4), (4, 4)), mode="reflect")
    np.testing.assert_array_equal(read_window(inner, Window(-4, -4, 19, 31), (1,)), padded)
    with SceneReader(scene, (1, 2, 3)) as reader:
        small = reader.preview(20)
    assert small.shape[1:] == ((18, 12) if orientation >= 5 else (12, 18))  # by a whole factor: a third
    average = shown.mean()
    assert abs(small.mean() - average) < 4


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_stored_windows_lie_where_their_pixels_are(orientation: int) -> None:
    """Of numbered pixels, the turned pixels of a window's stored place are the window of the turned pixels."""
    turn, numbers = Turn(orientation), np.arange(12 * 17).reshape(12, 17)
    shown = turn.turned(numbers)
    assert shown.shape == turn.shape((12, 17))
    place = turn.stored(Window(2, 3, 5, 7), shown.shape)
    part = numbers[place.row : place.row_stop, place.col : place.col_stop]
    np.testing.assert_array_equal(turn.turned(part), shown[2:7, 3:10])


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_sums_of_deflated_blocks_are_those_of_the_stored_ones(tmp_path: Path, orientation: int) -> None:
    """A broken block is told when its pixels are read, wherever they are shown."""
    pixels = noise()
    path = write_tiff(tmp_path / "a.tif", pixels, tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    with Image.open(path) as image:
        image.save(tmp_path / "b.tif", compression="tiff_adobe_deflate", tiffinfo={274: orientation})
    scene = open_scene(tmp_path / "b.tif")
    assert scene.orientation == orientation
    with SceneReader(scene, (1, 2, 3)) as reader:
        reader.read(scene.window)
        assert reader.damaged == ""


def test_a_place_on_the_map_outweighs_the_tag(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The transform is that of the stored rows and columns."""
    stored = write_oriented(tmp_path / "a.png", 1)
    write_oriented(tmp_path / "a.png", 6)
    (tmp_path / "a.pgw").write_text("0.5\n0\n0\n-0.5\n1000\n2000\n")
    with caplog.at_level(logging.WARNING):
        scene = open_scene(tmp_path / "a.png")
    assert (scene.shape, scene.orientation) == ((HEIGHT, WIDTH), 1)
    np.testing.assert_array_equal(read_window(scene, scene.window, (1, 2, 3)), stored)
    assert "a.png" in caplog.text
    assert "orientation tag (6)" in caplog.text


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_a_value_that_means_nothing_turns_nothing(tmp_path: Path, value: int) -> None:
    write_oriented(tmp_path / "a.tif", value)
    assert open_scene(tmp_path / "a.tif").orientation == 1

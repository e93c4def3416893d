"""What is filled for the network: known answers, and that no window of a scene is filled otherwise than the scene."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from detect.imagery.reading import SceneReader
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import open_scene, view
from detect.imagery.validity.filling import MARGIN, REACH, filled
from detect.imagery.windows import Window
from tests.imagery.rasters import write_tiff


def row_of(text: str) -> list[int]:
    """Fill a row of digits, of which `.` is not valid."""
    valid = np.array([[c != "." for c in text]])
    pixels = np.array([[[9 if c == "." else int(c) for c in text]]], np.uint8)
    return filled(pixels, valid)[0, 0].tolist()


def test_the_nearest_valid_pixel_fills_and_of_two_the_one_before() -> None:
    assert row_of(".1...2.") == [1, 1, 1, 1, 2, 2, 2]
    assert row_of("1" + "." * (3 * REACH)) == [1] * (2 * REACH + 1) + [0] * REACH


def test_a_corner_is_filled_by_way_of_the_pixels_beside_it() -> None:
    pixels = np.array([[[5, 5, 9], [5, 5, 9], [9, 9, 9]]], np.uint8)
    valid = pixels[0] == 5
    assert (filled(pixels, valid) == 5).all() and pixels[0, 2, 2] == 9


@pytest.fixture(scope="module")
def holes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of 300 x 400 with holes of all sizes, as PNG and as TIFF."""
    folder = tmp_path_factory.mktemp("holes")
    rng = np.random.default_rng(3)
    alpha = np.where(gaussian_filter(rng.normal(size=(300, 400)), 20) > 0.01, 255, 0)
    alpha[rng.random(alpha.shape) < 0.002] = 0
    alpha[rng.random(alpha.shape) < 0.0005] = 255
    pixels = np.concatenate([rng.integers(0, 256, (3, 300, 400)), alpha[None]]).astype(np.uint8)
    write_tiff(folder / "a.tif", pixels, photometric="RGB", ALPHA="YES", tiled=True, blockxsize=16, blockysize=16)
    Image.fromarray(np.moveaxis(pixels, 0, -1)).save(folder / "a.png")
    return folder


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
@pytest.mark.parametrize("scale", [1.0, 0.4, 1.7])
@given(data=st.data())
@settings(deadline=None, max_examples=25)
def test_a_window_is_that_part_of_the_whole(holes: Path, name: str, scale: float, data: st.DataObject) -> None:
    """Windows over the edges, of views too, read from the file or from memory."""
    scene = Resolution(scale).resampled(open_scene(holes / name))
    if data.draw(st.booleans()) and scale == 1:
        scene = view(scene, Window(11, 30, 200, 290))
    height, width = scene.shape
    row, col = data.draw(st.integers(-40, height - 1)), data.draw(st.integers(-40, width - 1))
    window = Window(row, col, data.draw(st.integers(1, 120)), data.draw(st.integers(1, 120)))
    with SceneReader(scene, (3, 1)) as reader:
        pixels, valid = reader.read_valid(window)
        reader.hold()
        whole, marks = reader.read_valid(scene.window)
        held, held_marks = reader.read_valid(window)
    grown = np.pad(whole, ((0, 0), (40, 160), (40, 160)), mode="reflect")
    part = slice(row + 40, row + 40 + window.height), slice(col + 40, col + 40 + window.width)
    np.testing.assert_array_equal(pixels, grown[:, *part])
    np.testing.assert_array_equal(valid, np.pad(marks, ((40, 160), (40, 160)), mode="reflect")[part])
    np.testing.assert_array_equal(held, pixels)
    np.testing.assert_array_equal(held_marks, valid)
    assert 0.1 < marks.mean() < 0.9 and MARGIN == 2 * REACH

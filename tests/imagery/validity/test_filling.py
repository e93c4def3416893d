"""What is filled for the network: known answers, and that no window of a scene is filled otherwise than the scene."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import view
from detect.imagery.validity.filling import filled
from detect.imagery.windows import Window
from tests.imagery.rasters import write_tiff


def test_each_band_has_its_value_rounded_and_within_its_type_and_zero_where_none_is_named() -> None:
    pixels = np.full((3, 1, 2), 9, np.uint8)
    valid = np.array([[True, False]])
    made = filled(pixels, valid, (4, 2, 1), ((1, 99.6), (4, 300.0)))
    assert made.dtype == np.uint8 and made[:, 0].tolist() == [[9, 255], [9, 0], [9, 100]]
    assert filled(pixels.astype(np.float32), valid, (1,) * 3, ((1, 0.25),))[:, 0, 1].tolist() == [0.25] * 3


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
    scene = replace(Resolution(scale).resampled(open_scene(holes / name)), fill=((1, 77.0), (3, 33.0)))
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
    assert 0.1 < marks.mean() < 0.9


def test_bands_found_elsewhere_in_the_file_are_filled_with_what_the_network_asked_them_for(holes: Path) -> None:
    """A file whose bands are named otherwise, or a grey one, is read by other numbers than those of the model."""
    scene = open_scene(holes / "a.tif")
    with SceneReader(replace(scene, fill=((1, 11.0), (2, 22.0), (3, 33.0))), (3, 1)) as reader:
        reader.bands = [1, 3]
        pixels, valid = reader.read_valid(scene.window)
    assert set(pixels[0][~valid].tolist()) == {33} and set(pixels[1][~valid].tolist()) == {11}

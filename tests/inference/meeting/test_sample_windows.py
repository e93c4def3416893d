"""The sample of an image: windows whose places follow from its shape, and what of them is valid."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.inference.meeting.sample_windows import Sample, SampleGrid


def reader_of(pixels: np.ndarray, valid: np.ndarray | None = None) -> SceneReader:
    scene = Scene(Path("memory"), pixels.shape[1:], str(pixels.dtype), len(pixels))
    return SceneReader(scene, range(1, len(pixels) + 1), pixels, valid)


def test_the_places_by_hand() -> None:
    """Four windows of 10 in 40 x 100: sqrt(4 * 40 / 100) = 1.3 rows, so one; four columns, in the middle of 25 each."""
    wanted = [Window(15, col, 10, 10) for col in (8, 32, 58, 82)]  # 12.5 - 5 = 7.5 is rounded to the even 8
    assert SampleGrid(10, 4).windows((40, 100)) == wanted


def test_a_small_scene_is_its_own_sample() -> None:
    """As far as the network's alignment goes, beyond its edges too."""
    assert SampleGrid(256, 16).windows((90, 75)) == [Window(0, 0, 90, 75)]
    assert SampleGrid(256, 16).windows((90, 75), 16) == [Window(0, 0, 96, 80)]


@given(
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    side=st.integers(1, 300),
    number=st.integers(1, 40),
    align=st.sampled_from([1, 8, 32]),
)
def test_windows_are_apart_and_begin_in_the_scene(height: int, width: int, side: int, number: int, align: int) -> None:
    """They begin in the scene and leave it by less than `align`; two of them share no pixel but where they must."""
    windows = SampleGrid(side, number).windows((height, width), align)
    assert len(set(windows)) == len(windows) >= 1
    for window in windows:
        assert 0 <= window.row < height and 0 <= window.col < width
        assert window.height % align == window.width % align == 0
        assert window.row_stop < height + align and window.col_stop < width + align
    across, down = (sorted({getattr(window, name) for window in windows}) for name in ("col", "row"))
    assert len(windows) == len(across) * len(down)


def test_windows_of_which_half_is_not_valid_are_left_out() -> None:
    pixels = np.arange(2 * 10 * 20, dtype=np.uint16).reshape(2, 10, 20)
    valid = np.ones((10, 20), np.bool_)
    valid[:, :9] = False
    with reader_of(pixels, valid) as reader:
        sample = Sample.of(reader, SampleGrid(10, 2))
        assert sample.pixels.shape == (1, 2, 10, 10) and sample.valid.all()
        np.testing.assert_array_equal(sample.values(1), pixels[:, :, 10:].reshape(2, -1))
        np.testing.assert_array_equal(sample.values(5)[0], [10, 15, 110, 115])
    with reader_of(pixels, np.zeros_like(valid)) as reader:
        empty = Sample.of(reader, SampleGrid(10, 2))
    assert empty.pixels.shape == (0, 2, 10, 10) and empty.values(3).shape == (2, 0)


@pytest.mark.parametrize("side", [64, 256])
def test_what_is_read_is_what_is_there(side: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 200, 333), np.uint8)
    with reader_of(pixels) as reader:
        sample = Sample.of(reader, SampleGrid(side, 6))
    for window, found in zip(SampleGrid(side, 6).windows((200, 333)), sample.pixels, strict=True):
        np.testing.assert_array_equal(found, pixels[:, window.row : window.row_stop, window.col : window.col_stop])

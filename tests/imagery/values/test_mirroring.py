"""Beyond a scene's edges lies the scene, mirrored: numpy's `reflect` padding, cut to a window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.imagery.values.mirroring import mirrored
from detect.imagery.windows import Window, reflect


def cut(scene: np.ndarray, window: Window) -> np.ndarray:
    """Return a window of a scene (bands, H, W), by an index for every pixel."""
    rows = reflect(window.row, window.row_stop, scene.shape[1])
    cols = reflect(window.col, window.col_stop, scene.shape[2])
    inner = Window(int(rows.min()), int(cols.min()), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)
    part = scene[:, inner.row : inner.row_stop, inner.col : inner.col_stop]
    found = mirrored(part, inner, rows, cols)
    np.testing.assert_array_equal(found, scene[:, rows][:, :, cols])
    return found


@given(st.tuples(st.integers(1, 9), st.integers(1, 9)), st.tuples(*[st.integers(-25, 25)] * 2), st.data())
def test_any_window_of_any_scene(shape: tuple[int, int], corner: tuple[int, int], data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["uint8", "int8", "uint16", "int16", "uint32", "float32", "float64", "bool"]))
    scene = np.random.default_rng(1).integers(0, 99, (2, *shape)).astype(dtype)
    cut(scene, Window(*corner, *data.draw(st.tuples(*[st.integers(1, 40)] * 2))))


def test_numpy_pads_alike() -> None:
    scene = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7)
    scene[0, 1, 1] = np.nan
    np.testing.assert_array_equal(
        cut(scene, Window(-11, -3, 27, 13)), np.pad(scene, ((0, 0), (11, 11), (3, 3)), mode="reflect")
    )


@pytest.mark.parametrize("turn", [np.asarray, np.asfortranarray, lambda scene: scene[:, ::-1, ::-1]])
def test_however_the_pixels_lie_in_memory(turn: object) -> None:
    scene = np.arange(3 * 6 * 8, dtype=np.uint8).reshape(3, 6, 8)
    cut(turn(scene), Window(-4, -5, 14, 18))  # type: ignore[operator]


def test_one_row_is_repeated() -> None:
    found = cut(np.array([[[1, 2, 3]]], np.uint8), Window(-1, -1, 3, 5))
    np.testing.assert_array_equal(found, [[[2, 1, 2, 3, 2]] * 3])


@pytest.mark.parametrize("window", [Window(-3, -4, 12, 15), Window(-3, 0, 9, 8), Window(-20, -19, 60, 50)])
def test_a_window_is_filled_around_the_pixels_that_lie_in_it(window: Window) -> None:
    scene = np.arange(3 * 6 * 8, dtype=np.uint8).reshape(3, 6, 8)
    rows, cols = reflect(window.row, window.row_stop, 6), reflect(window.col, window.col_stop, 8)
    room = np.zeros((3, window.height, window.width), np.uint8)
    part = room[:, -window.row : 6 - window.row, -window.col : 8 - window.col]
    part[:] = scene
    assert mirrored(part, Window(0, 0, 6, 8), rows, cols, room) is room
    np.testing.assert_array_equal(room, scene[:, rows][:, :, cols])

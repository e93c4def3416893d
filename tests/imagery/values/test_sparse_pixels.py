"""Sparse pixels: which they are depends on no window, and those that are not valid are left out."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.imagery.values.sparse_pixels import MOST_NUMBERS, SparsePixels
from detect.imagery.windows import Tiling


@given(
    height=st.integers(1, 900), width=st.integers(1, 900), core=st.sampled_from([64, 160, 1024]), masked=st.booleans()
)
@settings(deadline=None, max_examples=25)
def test_the_same_pixels_are_gathered_from_any_windows(height: int, width: int, core: int, masked: bool) -> None:
    pixels = np.arange(height * width * 2).reshape(2, height, width)
    valid = pixels[0] % 7 > 0 if masked else np.ones((height, width), bool)
    found = []
    for side in (core, 4096):
        sparse = SparsePixels(2, (height, width))
        for window in Tiling((height, width), (side, side), 0, 32):
            at = slice(window.row, window.row_stop), slice(window.col, window.col_stop)
            sparse.add(window, pixels[:, *at], valid[at] if masked else None)
        found.append(sparse.finished())
    assert found[0].shape[1] or masked
    np.testing.assert_array_equal(np.sort(found[0], axis=1), np.sort(found[1], axis=1))
    assert set(found[0][0].tolist()) <= set(pixels[0][valid].tolist())


def test_a_large_scene_gives_few_pixels_and_a_small_one_all() -> None:
    small = SparsePixels(3, (50, 60))
    assert small.step == 1
    step = SparsePixels(3, (31_623, 31_623)).step
    assert step % 2 == 1 and 3 * (31_623 / step) ** 2 <= MOST_NUMBERS

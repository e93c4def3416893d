"""The bits of a scene's valid pixels are those that were put, in any order, in memory and in a file."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.imagery.validity.gathered import ValidPixels
from detect.imagery.windows import Tiling, Window


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_what_was_put_comes_back(data: st.DataObject, tmp_path_factory: object) -> None:
    height, width = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    marks = np.random.default_rng(data.draw(st.integers(0, 99))).random((height, width)) < data.draw(st.floats(0, 1))
    made = ValidPixels((height, width), data.draw(st.sampled_from([0, 1 << 20])), None, "a scene")
    for core in data.draw(st.permutations(list(Tiling((height, width), data.draw(st.integers(1, 40)))))):
        made.put(core, marks[core.row : core.row_stop, core.col : core.col_stop])
    np.testing.assert_array_equal(made.by_row, marks.sum(axis=1))
    assert made.number == marks.sum()
    row, col = np.divmod(np.arange(height * width), width)
    np.testing.assert_array_equal(made.at(np.stack([col, row], axis=1) + 0.99), marks.ravel())
    stride, start = data.draw(st.integers(1, 9)), data.draw(st.integers(-8, 0))
    number = -(-(height - start) // stride), -(-(width - start) // stride)
    wanted = np.zeros(number, bool)
    for y, x in np.argwhere(marks):
        wanted[(y - start) // stride, (x - start) // stride] = True
    top, left = data.draw(st.integers(0, number[0] - 1)), data.draw(st.integers(0, number[1] - 1))
    part = Window(top, left, number[0] - top, number[1] - left)
    np.testing.assert_array_equal(made.cells(part, stride, start), wanted[top:, left:])


def test_points_on_the_far_edges_are_those_of_the_last_pixels(tmp_path: Path) -> None:
    made = ValidPixels((2, 9), 0, tmp_path, "a scene")
    made.put(Window(1, 8, 1, 1), np.array([[True]]))
    assert made.at(np.array([[9.0, 2.0], [8.0, 1.0], [7.99, 1.0], [8.0, 0.99]])).tolist() == [True, True, False, False]
    assert not list(tmp_path.iterdir())


def test_bits_in_memory_are_counted_and_those_in_a_file_are_not(tmp_path: Path) -> None:
    """20 rows of 30 pixels are 20 sums of 8 bytes, and 20 times 4 bytes of bits."""
    assert ValidPixels((20, 30), 80, tmp_path, "a scene").nbytes == 20 * 8 + 20 * 4
    assert ValidPixels((20, 30), 79, tmp_path, "a scene").nbytes == 20 * 8

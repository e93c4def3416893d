import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.imagery.windows import Window
from detect.labels.window_cover import covered, unseen_parts

SHAPE = (9, 12)
windows = st.lists(
    st.builds(Window, st.integers(-2, 8), st.integers(-2, 11), st.integers(1, 12), st.integers(1, 15)), max_size=6
)


def painted(parts: list[Window]) -> np.ndarray:
    """How often each pixel of an image of 9 x 12 is in one of some windows."""
    seen = np.zeros(SHAPE, int)
    for each in parts:
        seen[max(0, each.row) : max(0, each.row_stop), max(0, each.col) : max(0, each.col_stop)] += 1
    return seen


@given(windows)
@settings(max_examples=200, deadline=None)
def test_windows_and_what_they_leave_cover_each_pixel(parts: list[Window]) -> None:
    rest = unseen_parts(parts, SHAPE)
    assert all(each.inside(SHAPE) for each in rest)
    assert np.array_equal(painted(rest), painted(parts) == 0)


@given(windows, st.builds(Window, st.integers(0, 4), st.integers(0, 4), st.integers(1, 5), st.integers(1, 8)))
@settings(max_examples=200, deadline=None)
def test_a_window_is_covered_where_each_of_its_pixels_is(parts: list[Window], wanted: Window) -> None:
    inside = painted(parts)[wanted.row : wanted.row_stop, wanted.col : wanted.col_stop]
    assert covered(parts, wanted) == bool((inside > 0).all())

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detect.imagery.windows import Tiling, Window, clamp_far_edges, reflect


@given(length=st.integers(1, 12), before=st.integers(0, 60), after=st.integers(0, 60))
@example(length=1, before=5, after=5)
@example(length=2, before=60, after=60)
def test_reflect_is_numpy_s_reflect_padding_at_any_distance(length: int, before: int, after: int) -> None:
    wanted = np.pad(np.arange(length), (before, after), mode="reflect")
    np.testing.assert_array_equal(reflect(-before, length + after, length), wanted)


def test_reflect_of_a_part_far_away() -> None:
    """0 1 2 3 mirrored is 0 1 2 3 2 1 0 1 2 3 2 1 ..., of period 6: position 602 is as 2, 603 as 3, 604 as 2."""
    assert reflect(602, 605, 4).tolist() == [2, 3, 2]
    assert reflect(-605, -602, 4).tolist() == [1, 2, 3]


def test_the_edges_of_a_window() -> None:
    window = Window(-2, 3, 10, 20)
    assert (window.row_stop, window.col_stop) == (8, 23)
    assert window.shifted(2, -3) == Window(0, 0, 10, 20)
    assert window.grown(4) == Window(-6, -1, 18, 28)
    assert window.grown(1, 2) == Window(-3, 2, 13, 23)


@pytest.mark.parametrize(
    ("window", "inside"),
    [
        (Window(0, 0, 4, 6), True),
        (Window(3, 5, 1, 1), True),
        (Window(-1, 0, 4, 6), False),
        (Window(0, -1, 4, 6), False),
        (Window(1, 0, 4, 6), False),
        (Window(0, 1, 4, 6), False),
    ],
)
def test_a_window_is_inside_a_scene_of_4_by_6(window: Window, inside: bool) -> None:
    assert window.inside((4, 6)) is inside


def test_points_on_the_near_edges_are_in_the_window_those_on_the_far_ones_are_not() -> None:
    """Rows 10 to 15 and columns 20 to 24; xy is columns first."""
    xy = np.array([(20, 10), (23.999, 14.999), (24, 12), (22, 15), (19.999, 12), (22, 9.999), (10, 20)])
    assert Window(10, 20, 5, 4).contains_xy(xy).tolist() == [True, True, False, False, False, False, False]


@pytest.mark.parametrize(("height", "width"), [(0, 4), (4, 0), (-1, 4)])
def test_a_window_holds_a_pixel(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"height and width.*1.*{height} x {width}"):
        Window(0, 0, height, width)


@pytest.mark.parametrize(
    ("shape", "core", "halo", "stride", "message"),
    [
        ((0, 5), 8, 0, 1, r"height and width.*1.*\(0, 5\)"),
        ((5, 5), 8, 0, 0, "stride.*1.*0"),
        ((5, 5), 0, 0, 1, "core.*stride 1.*0"),
        ((5, 5), 12, 0, 8, "core.*stride 8.*12"),
        ((5, 5), (8, 12), 0, 8, r"core.*stride 8.*\(8, 12\)"),
        ((5, 5), (0, 8), 0, 8, r"core.*stride 8.*\(0, 8\)"),
        ((5, 5), 8, -8, 8, "halo.*stride 8.*-8"),
        ((5, 5), 8, 4, 8, "halo.*stride 8.*4"),
    ],
)
def test_sizes_that_make_no_grid(
    shape: tuple[int, int], core: int | tuple[int, int], halo: int, stride: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Tiling(shape, core, halo, stride)


def test_a_grid_by_hand() -> None:
    """50 x 33 pixels in cores of 32: two rows by two columns, the last ones 18 high and 1 wide.

    At stride 16 the map has ceil(50 / 16) = 4 rows and ceil(33 / 16) = 3 columns; the last core is 2 rows and 1 column
    of cells, its tile as large as all others, 32 pixels and 16 of halo all around, and hangs over the scene.
    """
    grid = Tiling((50, 33), 32, 16, 16)
    assert list(grid) == [Window(0, 0, 32, 32), Window(0, 32, 32, 1), Window(32, 0, 18, 32), Window(32, 32, 18, 1)]
    assert grid.map_shape == (4, 3)
    last = Window(32, 32, 18, 1)
    assert grid.cells(last) == Window(2, 2, 2, 1)
    assert grid.tile(last) == Window(16, 16, 64, 64)
    assert (grid.core_hw, grid.tile_hw) == ((32, 32), (64, 64))


def test_a_core_may_be_higher_than_wide() -> None:
    """50 x 33 pixels in cores of 32 x 16: two rows by three columns, the last ones 18 high and 1 wide."""
    grid = Tiling((50, 33), (32, 16), 8, 8)
    assert len(grid) == len(list(grid)) == 6
    assert list(grid)[-1] == Window(32, 32, 18, 1)
    assert (grid.core_hw, grid.tile_hw) == ((32, 16), (48, 32))
    assert {(grid.tile(core).height, grid.tile(core).width) for core in grid} == {(48, 32)}


def test_points_on_the_far_edges_are_moved_just_inside_and_all_others_stay() -> None:
    """A scene of 30 x 40, then one of 10.5 x 20.25 file pixels."""
    xy = np.array([(40.0, 30.0), (39.5, 31.0), (-0.5, 29.999), (0.0, 0.0)])
    moved = clamp_far_edges(xy, (30, 40))
    assert moved.tolist() == [[np.nextafter(40, 0), np.nextafter(30, 0)], [39.5, np.nextafter(30, 0)], *xy[2:].tolist()]
    assert Window(0, 0, 30, 40).contains_xy(moved).tolist() == [True, True, False, True]
    assert clamp_far_edges(np.array([(20.25, 11.0)]), (10.5, 20.25)).tolist() == [
        [np.nextafter(20.25, 0), np.nextafter(10.5, 0)]
    ]

"""Places and pixels inside of outlines: plots side by side add up, and windows change nothing."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.imagery.ground import inside
from detect.imagery.ground.inside import on_image, places_inside, valid_shares
from detect.imagery.windows import Window

QUARTERS = [shapely.box(x, y, x + 50, y + 50) for y in (0, 50) for x in (0, 50)]


@given(places=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=30), seed=st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_quarters_of_a_square_add_up(places: list[tuple[float, float]], seed: int) -> None:
    """Places on the edges, corners and middle too: every one is in one quarter."""
    rng = np.random.default_rng(seed)
    whole = rng.choice([0.0, 25.0, 50.0, 100.0], (20, 2))
    xy = np.concatenate([np.array(places).reshape(-1, 2), whole])
    found = places_inside(QUARTERS, xy)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(xy)))


def test_plots_that_overlap_both_have_what_lies_in_both_and_an_edge_belongs_to_the_first() -> None:
    left, right = shapely.box(0, 0, 60, 10), shapely.box(40, 0, 100, 10)
    xy = np.array([[50, 5], [40, 5], [60, 5], [0, 0], [101, 5]])
    assert [rows.tolist() for rows in places_inside([left, right], xy)] == [[0, 1, 3], [0, 2]]
    assert places_inside([], xy) == [] and places_inside([left], np.empty((0, 2)))[0].tolist() == []


def test_holes_are_outside_and_their_edge_is_not() -> None:
    ring = shapely.Polygon(shapely.box(0, 0, 10, 10).exterior, [shapely.box(4, 4, 6, 6).exterior])
    xy = np.array([[5, 5], [4, 5], [3, 5]])
    assert places_inside([ring], xy)[0].tolist() == [1, 2]


def test_the_part_on_an_image() -> None:
    parts = on_image([shapely.box(-5, -5, 5, 5), shapely.box(90, 0, 200, 10), shapely.box(100, 0, 110, 5)], (50, 100))
    assert [part.area for part in parts] == [25, 100, 0]


@pytest.mark.parametrize("side", [7, 16, 64, 2048])
def test_shares_of_valid_pixels_do_not_depend_on_windows(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a square of 40 pixels the left 10 columns have data, of a ring 30 of 40 by 40 without its hole of 10 by 10.

    The ring is at x 30 to 70; columns from 40 on have none, so 10 of 40 columns: 400 of 1,500 pixels.
    """
    monkeypatch.setattr(inside, "WINDOW_SIDE", side)
    ring = shapely.Polygon(shapely.box(30, 0, 70, 40).exterior, [shapely.box(50, 10, 60, 20).exterior])
    asked: list[Window] = []

    def valid(window: Window) -> np.ndarray:
        asked.append(window)
        return np.broadcast_to(np.arange(window.col, window.col_stop) < 40, (window.height, window.width))

    found = valid_shares([shapely.box(30, 0, 70, 40), ring, shapely.Polygon()], (100, 120), valid)
    assert found == pytest.approx([0.25, 400 / 1500, 0])
    assert len(asked) == len(set(asked)) and all(each.inside((100, 120)) for each in asked)
    assert all(each.row < 41 and each.col < 71 for each in asked)

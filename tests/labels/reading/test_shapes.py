import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.labels.reading.shapes import ShapeError, box_around, box_of_ellipse, box_of_rectangle, numbers_of, pairs_of

SIZES = st.floats(0.1, 100)


def test_a_square_turned_by_an_eighth_is_wider_by_the_root_of_two() -> None:
    box = box_of_rectangle((0, 0), (2, 2), 45, about_middle=True)
    assert box == pytest.approx((1 - 2**0.5, 1 - 2**0.5, 1 + 2**0.5, 1 + 2**0.5))


def test_quarter_turns_are_exact() -> None:
    assert box_of_rectangle((10, 10), (4, 2), 90, about_middle=False) == (8, 10, 10, 14)
    assert box_of_rectangle((10, 10), (4, 2), -270, about_middle=False) == (8, 10, 10, 14)
    assert box_of_rectangle((10, 10), (4, 2), 180, about_middle=True) == (10, 10, 14, 12)


@given(width=SIZES, height=SIZES, degrees=st.floats(-720, 720))
def test_an_ellipse_lies_in_its_box_and_touches_each_side(width: float, height: float, degrees: float) -> None:
    x1, y1, x2, y2 = box_of_ellipse((0, 0), (width, height), degrees)
    turn = math.radians(degrees)
    rim = [(width * math.cos(t / 1000 * math.tau), height * math.sin(t / 1000 * math.tau)) for t in range(1000)]
    places = [(x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)) for x, y in rim]
    assert box_around(places) == pytest.approx((x1, y1, x2, y2), abs=1e-4 * max(width, height))


@given(width=SIZES, height=SIZES, degrees=st.floats(-720, 720))
def test_a_turned_rectangle_keeps_its_middle(width: float, height: float, degrees: float) -> None:
    x1, y1, x2, y2 = box_of_rectangle((3, 4), (width, height), degrees, about_middle=True)
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((3 + width / 2, 4 + height / 2))


@pytest.mark.parametrize("value", [None, True, "x", "1_0", float("nan"), "inf", [], {}, 10**400])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(ShapeError, match="finite"):
        numbers_of([1, value], "x and y")


@pytest.mark.parametrize("value", [None, 3, [], "12", [1], [[1]], [[1, 2, 3]], [None]])
def test_what_are_no_pairs_is_refused(value: object) -> None:
    with pytest.raises(ShapeError, match="points"):
        pairs_of(value, "points")

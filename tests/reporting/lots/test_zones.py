import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.reporting.lots.zones import Disc, Zones, count_zones, empty_zones

WAFER = Disc(100.0, 1.0)
"""A wafer of 200 mm."""


def test_places_are_in_the_ring_of_their_distance_and_the_sector_of_their_angle() -> None:
    """By rings to 40, 80 and 100 mm and quarters from the right: up right near, down left in the middle, down right at
    the edge, and one 101 mm from the centre."""
    made = count_zones(np.array([[10, 10], [-40, -40], [60, -60], [101, 0]]), WAFER, Zones((0.4, 0.8), 4, 0))
    assert made.numbers.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert made.outside == 1 and made.total == 4 and made.inside == 3


@pytest.mark.parametrize(
    ("place", "ring", "sector"),
    [((40, 0), 1, 0), ((0, 40), 1, 1), ((-80, 0), 2, 2), ((0, -100), 2, 3), ((0, 0), 0, 0)],
)
def test_a_border_belongs_to_what_begins_there_and_the_rim_to_the_edge(place, ring, sector) -> None:
    made = count_zones(np.array([place]), WAFER, Zones((0.4, 0.8), 4, 0))
    assert made.numbers[ring, sector] == 1 and made.total == 1


def test_areas_are_those_of_circles() -> None:
    """Of 100 mm radius: pi 100 cm2, of which 0.16, 0.48 and 0.36 are in the rings, a quarter each in the sectors."""
    area = empty_zones(WAFER, Zones((0.4, 0.8), 4, 0)).area_cm2
    assert area[:, 0] == pytest.approx([math.pi * 100 * part / 4 for part in (0.16, 0.48, 0.36)])
    assert area.sum() == pytest.approx(math.pi * 100)


def test_the_excluded_edge_has_no_area_and_its_defects_are_outside() -> None:
    """3 mm of a radius of 50 pixels of 2 mm: 97 mm, and 48.5 pixels."""
    made = count_zones(np.array([[48, 0], [49, 0]]), Disc(50, 2.0), Zones((), 1, 3.0))
    assert (made.inside, made.outside) == (1, 1)
    assert made.area_cm2.sum() == pytest.approx(math.pi * 97**2 / 100)


def test_an_area_is_not_known_without_a_size_and_an_edge_cannot_be_left_out() -> None:
    assert np.isnan(empty_zones(Disc(50, None), Zones((0.5,), 2, 0)).area_cm2).all()
    with pytest.raises(ValueError, match=r"zones\.diameter_mm"):
        empty_zones(Disc(50, None), Zones((0.5,), 2, 3))
    with pytest.raises(ValueError, match="as wide as a wafer"):
        empty_zones(WAFER, Zones((), 1, 100))


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (((0.8, 0.4), 4, 0), "ascend"),
        (((0.0, 0.4), 4, 0), "ascend"),
        (((1.0,), 4, 0), "ascend"),
        (((math.nan,), 1, 0), "ascend"),
        (((), 0, 0), "sectors"),
        (((), 1, -1), "exclusion_mm"),
        (((), 1, math.nan), "exclusion_mm"),
    ],
)
def test_zones_out_of_their_bounds_are_named(given_, said) -> None:
    with pytest.raises(ValueError, match=said):
        Zones(*given_)


@given(
    st.lists(st.tuples(st.floats(-120, 120), st.floats(-120, 120)), max_size=40),
    st.integers(1, 9),
    st.lists(st.floats(0.05, 0.95), max_size=4, unique=True),
)
def test_every_place_is_counted_once_and_parts_add_up(places, sectors, rings) -> None:
    xy, zones = np.array(places, float).reshape(-1, 2), Zones(tuple(sorted(rings)), sectors, 0)
    whole = count_zones(xy, WAFER, zones)
    assert whole.total == len(xy)
    first, second = count_zones(xy[::2], WAFER, zones), count_zones(xy[1::2], WAFER, zones)
    assert (first.numbers + second.numbers == whole.numbers).all()
    assert (first + second).outside == whole.outside


def test_evenly_spread_places_have_the_same_density_everywhere() -> None:
    """On a grid of 0.5 mm there are 400 in a square centimetre, to 2 % in zones of 3 cm2 and more."""
    axis = np.arange(-100, 100, 0.5) + 0.25
    made = count_zones(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2), WAFER, Zones((0.4, 0.8), 8, 0))
    assert made.numbers / made.area_cm2 == pytest.approx(np.full((3, 8), 400), rel=0.02)


def test_rings_are_called_by_where_they_lie() -> None:
    assert Zones((0.4, 0.8), 1, 0).ring_names == ("centre", "middle", "edge")
    assert Zones((0.2, 0.4, 0.8), 1, 0).ring_names == ("ring 1", "ring 2", "ring 3", "edge")
    assert Zones((), 4, 0).ring_names == ("whole",) and Zones((), 4, 0).degrees(1) == (90, 180)

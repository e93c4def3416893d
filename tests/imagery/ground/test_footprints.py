"""Footprints: known distances, and known shares of ground that several images show."""

import numpy as np
import pytest
from rasterio.crs import CRS

from detect.imagery.ground.footprints import EARTH, Footprint, ground_outlines, ground_planes, shared_ground
from detect.imagery.ground.geodesy import Placement

UTM = CRS.from_epsg(32633).to_wkt()
BENCH = 'LOCAL_CS["bench",UNIT["foot",0.3048],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'


def print_at(x: float, y: float = 0.0, crs: str | None = UTM, hw: tuple[int, int] = (400, 500), pixel: float = 0.1):
    """A north-up image of 50 x 40 m whose corner is so many metres from a place."""
    return Footprint(Placement((pixel, 0.0, 500_000 + x, 0.0, -pixel, 5_500_000 + y), crs), hw)


def shared(*prints: Footprint) -> float:
    outlines = ground_outlines({str(i): each for i, each in enumerate(prints)})
    return shared_ground(list(outlines.values()))


@pytest.mark.parametrize(("step", "share"), [(50.0, 0.0), (35.0, 0.15), (20.0, 0.3), (0.0, 0.5), (60.0, 0.0)])
def test_two_images_share_half_of_their_overlap(step: float, share: float) -> None:
    """A strip of 50 m images, `step` apart: (50 - step) of 100 m are shown again."""
    assert shared(print_at(0), print_at(step)) == pytest.approx(share, abs=2e-3)


def test_one_ground_in_two_coordinate_systems_is_one() -> None:
    """The same 50 m in UTM zones 33 and 32: the corners differ by less than the turn of the grid, of some degrees."""
    from detect.imagery.ground.geodesy import crs_transformer

    x, y = crs_transformer("EPSG:32633", "EPSG:32632").transform(500_025.0, 5_499_980.0)
    other = Footprint(Placement((0.1, 0, x - 25, 0, -0.1, y + 20), CRS.from_epsg(32632).to_wkt()), (400, 500))
    assert shared(print_at(0), other) > 0.45


def test_a_local_system_is_a_world_of_its_own() -> None:
    prints = {"a": print_at(0), "b": print_at(0, crs=BENCH), "c": print_at(0, crs=None)}
    assert [prints[name].world for name in "abc"] == [EARTH, BENCH, None]
    assert sorted(ground_planes(prints)) == ["a", "b"]
    assert shared_ground(list(ground_outlines(prints).values())) == 0
    assert shared(print_at(0, crs=BENCH), print_at(0, crs=BENCH)) == pytest.approx(0.5)


def test_a_set_of_images_without_overlap_across_the_date_line_shares_nothing() -> None:
    degrees = CRS.from_epsg(4326).to_wkt()
    at = [Footprint(Placement((1e-6, 0, lon, 0, -1e-6, 10.0), degrees), (500, 500)) for lon in (179.9995, -180.0)]
    assert shared(*at) == pytest.approx(0, abs=1e-6)
    at[1] = Footprint(Placement((1e-6, 0, -180.00025, 0, -1e-6, 10.0), degrees), (500, 500))
    assert shared(*at) == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize(("crs", "metres"), [(UTM, 30 / 0.9996), (BENCH, 30 * 0.3048)])
def test_places_are_as_far_apart_as_on_the_ground(crs: str, metres: float) -> None:
    """300 pixels of 0.1 units on the central meridian, where lengths on the map are 0.9996 of those on the ground."""
    places = print_at(0, crs=crs).metres(np.array([[0.0, 0.0], [300.0, 0.0]]))
    assert np.linalg.norm(places[1] - places[0]) == pytest.approx(metres, rel=1e-6)


def test_a_pixel_has_its_metres_and_a_place_off_the_map_none() -> None:
    assert print_at(0).pixel_m == pytest.approx(0.1 / 0.9996, rel=1e-4)
    off = Footprint(Placement((1.0, 0, 1e12, 0, -1.0, 1e13), UTM), (10, 10))
    assert np.isnan(off.metres(np.zeros((2, 2)))).all() and ground_outlines({"a": off}) == {}

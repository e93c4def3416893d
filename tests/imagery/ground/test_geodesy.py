"""Geodesy: known places and areas, and agreement with GDAL's own transformation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.warp import transform

from detect.imagery.ground.geodesy import GeodesyError, Placement, crs_transformer, hectares

UTM = CRS.from_epsg(32633).to_wkt()
DEGREES = CRS.from_epsg(4326).to_wkt()
BENCH = 'LOCAL_CS["bench",UNIT["foot",0.3048],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
CORNER = np.zeros((1, 2))

TRANSFORMS = {
    "north-up": (0.1, 0.0, 500_000.0, 0.0, -0.1, 5_500_000.0),
    "south-up": (0.1, 0.0, 500_000.0, 0.0, 0.1, 5_500_000.0),
    "rotated": (0.08, 0.06, 500_000.0, 0.06, -0.08, 5_500_000.0),
    "sheared": (0.1, 0.05, 500_000.0, 0.0, -0.1, 5_500_000.0),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_places_are_where_gdal_has_them(name: str) -> None:
    placement = Placement(TRANSFORMS[name], UTM)
    xy = np.array([[0.0, 0.0], [1000.5, 20.25], [3.0, 4000.0]])
    a, b, c, d, e, f = TRANSFORMS[name]
    assert placement.map_xy(xy).tolist() == pytest.approx(
        np.stack([a * xy[:, 0] + b * xy[:, 1] + c, d * xy[:, 0] + e * xy[:, 1] + f], 1)
    )
    lon, lat = transform(CRS.from_wkt(UTM), CRS.from_epsg(4326), *placement.map_xy(xy).T)
    assert np.abs(placement.lonlat(xy) - np.stack([lon, lat], axis=1)).max() < 1e-9


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=6).filter(lambda t: abs(t[0] * t[4] - t[1] * t[3]) > 1),
    st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)),
)
def test_pixels_come_back_from_the_map(coefficients: list[float], place: tuple[float, float]) -> None:
    placement = Placement(tuple(coefficients), None)
    assert placement.pixel_xy(placement.map_xy(np.array([place])))[0] == pytest.approx(place, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "area"), [("north-up", 0.01), ("south-up", 0.01), ("rotated", 0.01), ("sheared", 0.01)]
)
def test_the_area_of_a_pixel_is_that_of_its_parallelogram(name: str, area: float) -> None:
    """|a e - b d| of map units; on the central meridian of UTM lengths on the map are 0.9996 of those on the ground."""
    found = Placement(TRANSFORMS[name], UTM).pixel_areas_m2(CORNER)[0]
    assert found == pytest.approx(area / 0.9996**2, rel=1e-5)


def test_web_mercator_does_not_stretch_the_ground() -> None:
    """At 60 degrees north a length on the map is 1 / cos(60) = 2 times that of the sphere of the projection.

    The ellipsoid's radii there, N = 6,394,209 m and M = 6,383,454 m, are 1.0025 and 1.0008 times the sphere's.
    """
    north = 6_378_137 * math.log(math.tan(math.pi / 4 + math.pi / 6))
    placement = Placement((0.2, 0.0, 1e6, 0.0, -0.2, north), CRS.from_epsg(3857).to_wkt())
    assert placement.pixel_sides_m(CORNER)[0] == pytest.approx([0.1 * 1.00252, 0.1 * 1.00083], rel=1e-4)


def test_feet_and_degrees_give_metres() -> None:
    feet = Placement((1.0, 0.0, 1e6, 0.0, -1.0, 2e5), CRS.from_epsg(2263).to_wkt())
    assert feet.pixel_sides_m(CORNER)[0] == pytest.approx(0.3048006, rel=1e-4)
    degrees = Placement((1e-5, 0.0, 10.0, 0.0, -1e-5, 0.0), DEGREES)
    assert degrees.pixel_sides_m(CORNER)[0] == pytest.approx([1.1131949, 1.1057428], rel=1e-5)  # at the equator
    bench = Placement((2.0, 0.0, 0.0, 0.0, -2.0, 0.0), BENCH)
    assert bench.pixel_areas_m2(CORNER)[0] == pytest.approx((2 * 0.3048) ** 2)


def test_hectares_of_pixels() -> None:
    """A million pixels of 0.1 m are a hectare, and 1 / 0.9996 ** 2 of one on the ground."""
    placement = Placement(TRANSFORMS["rotated"], UTM)
    assert hectares(placement, (1000, 1000), 10**6) == pytest.approx(1 / 0.9996**2, rel=1e-5)
    assert hectares(placement, (1000, 1000), 0) == 0
    assert hectares(None, (10, 10), 5) is None
    assert hectares(Placement(TRANSFORMS["rotated"], None), (10, 10), 5) is None


def test_a_quarter_of_the_earth_has_its_area() -> None:
    """90 degrees of longitude from pole to pole: a quarter of the ellipsoid's 510,065,621.7 square kilometres."""
    placement = Placement((0.01, 0.0, 0.0, 0.0, -0.01, 90.0), DEGREES)
    found = hectares(placement, (18_000, 9_000), 18_000 * 9_000)
    assert found == pytest.approx(510_065_621.7 * 100 / 4, rel=0.01)


@pytest.mark.parametrize(
    ("crs", "said"),
    [
        (None, "names no coordinate system"),
        ("nonsense", "'nonsense'"),
        (BENCH, "'bench' has no longitude"),
        ('GEOGCS["a",EXTENSION["PROJ4","+proj=longlat +nadgrids=/dev/zero"]]', "'/dev/zero', which is not opened"),
        ("x" * 100_000, "100,000 characters"),
    ],
)
def test_what_has_no_longitude_says_why(crs: str | None, said: str) -> None:
    with pytest.raises(GeodesyError, match=said):
        Placement(TRANSFORMS["north-up"], crs).lonlat(CORNER)


def test_places_beyond_a_projection_are_not_numbers() -> None:
    placement = Placement((1.0, 0.0, 1e12, 0.0, -1.0, 1e13), UTM)
    assert np.isnan(placement.lonlat(CORNER)).all()


def test_a_transform_onto_a_line_has_no_way_back() -> None:
    with pytest.raises(GeodesyError, match="onto a line"):
        Placement((1.0, 1.0, 0.0, 1.0, 1.0, 0.0), None).pixel_xy(CORNER)


def test_transformers_have_x_first() -> None:
    x, y = crs_transformer("EPSG:4326", "EPSG:32633").transform(15.0, 0.0)
    assert (x, y) == pytest.approx((500_000.0, 0.0), abs=1e-6)

"""Polygons on images: the same places inside, whatever the map, with known areas."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS

from detect.imagery.ground.geodesy import GeodesyError, Placement
from detect.imagery.ground.inside import places_inside
from detect.imagery.ground.polygons import Areas, read_areas
from detect.imagery.ground.projecting import outlines_on, square_metres

UTM = CRS.from_epsg(32633).to_wkt()
SHAPE = (800, 1000)
NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.5, 5_500_000)
TRANSFORMS = {
    "north-up": NORTH_UP,
    "south-up": NORTH_UP @ Affine(1, 0, 0, 0, -1, SHAPE[0]),
    "rotated": NORTH_UP @ Affine.translation(500, 400) @ Affine.rotation(30) @ Affine.translation(-500, -400),
    "sheared": NORTH_UP @ Affine(1, 0.2, -80, 0, 1, 0),
}
PLOTS = {
    "west": shapely.box(500_050, 5_499_700, 500_250, 5_499_950),
    "east": shapely.box(500_250, 5_499_700, 500_400, 5_499_950),
    "pond": shapely.Point(500_250, 5_499_800).buffer(30),
}


def placement(name: str) -> Placement:
    return Placement(tuple(TRANSFORMS[name])[:6], UTM)


def plots(folder: Path, crs: int = 32633, zones: tuple[str, ...] = (), **more: object) -> Areas:
    """Plots of known areas: 200 and 150 by 250 m side by side, and a round pond of 30 m on their common edge."""
    frame = gpd.GeoDataFrame({"name": list(PLOTS)}, geometry=list(PLOTS.values()), crs=32633)
    frame["exclude"] = frame["name"].isin(zones)
    frame = frame[frame["exclude"] | (frame["name"] != "pond")]
    frame.to_crs(crs).to_file(folder / f"{crs}.gpkg", **more)
    return read_areas(folder / f"{crs}.gpkg", None)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("crs", [32633, 4326, 3857, 3035, 32632])
def test_a_place_is_inside_on_every_map(transform: str, crs: int, tmp_path: Path) -> None:
    """Where it lies in UTM decides; edges bend on other maps, by less than 5 cm on 250 m, which are left out."""
    areas = plots(tmp_path, crs, zones=("pond",))
    place, xy = placement(transform), np.random.default_rng(0).uniform((0, 0), SHAPE[::-1], (4000, 2))
    met = outlines_on(areas, "a", place, SHAPE)
    assert [areas.areas[number].name for number, _ in met] == ["west", "east"]
    found = places_inside([outline for _, outline in met], xy)
    on_map = place.map_xy(xy)
    near = shapely.dwithin(shapely.union_all([each.boundary for each in PLOTS.values()]), shapely.points(on_map), 0.1)
    for rows, name in zip(found, ("west", "east"), strict=True):
        wanted = shapely.contains_xy(PLOTS[name].difference(PLOTS["pond"]), *on_map.T)
        assert set(np.flatnonzero(wanted & ~near)) == set(rows) - set(np.flatnonzero(near))
        assert wanted.sum() > 500


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("crs", [32633, 4326, 3857])
def test_areas_have_their_square_metres(transform: str, crs: int, tmp_path: Path) -> None:
    """200 x 250 and 150 x 250 m on the map; on the ground 1 / 0.9996 ** 2 times that."""
    place = placement(transform)
    met = outlines_on(plots(tmp_path, crs), "a", place, SHAPE)
    for (_, outline), metres in zip(met, (50_000, 37_500), strict=True):
        assert square_metres(outline, place) == pytest.approx(metres / 0.9996**2, rel=1e-4)
    assert square_metres(met[0][1], None) is None
    assert square_metres(met[0][1], Placement(place.transform, None)) is None


def test_long_edges_are_bent_as_the_map_is(tmp_path: Path) -> None:
    """A parallel of latitude over 6 degrees is straight in degrees, and 4.4 km of arc away from its chord in UTM.

    With phi = 50 degrees and 3 degrees to either side the arc rises by R cos(phi) (1 - cos(3 deg sin(phi))) of about
    3.3 km: a place 1 km north of the parallel is outside, wherever on it.
    """
    frame = gpd.GeoDataFrame(geometry=[shapely.box(12, 49, 18, 50)], crs=4326)
    frame.to_file(tmp_path / "a.gpkg")
    place = Placement((100.0, 0, 280_000, 0, -100.0, 5_600_000), UTM)
    ((_, outline),) = outlines_on(read_areas(tmp_path / "a.gpkg", None), "a", place, (1500, 4400))
    there = Transformer.from_crs(4326, 32633, always_xy=True)
    lon = np.linspace(12.5, 17.5, 51)
    for lat, inside in ((50.0005, False), (49.9995, True)):
        xy = place.pixel_xy(np.stack(there.transform(lon, np.full(51, lat)), axis=1))
        assert (shapely.contains_xy(outline, *xy.T) == inside).all()


def test_polygons_of_the_whole_world_are_cut_near_the_image(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"name": ["world", "far"]}, geometry=[shapely.box(-180, -90, 180, 90), shapely.box(0, 0, 1, 1)]
    )
    frame.set_crs(4326).to_file(tmp_path / "a.geojson", driver="GeoJSON")
    met = outlines_on(read_areas(tmp_path / "a.geojson", None), "a", placement("rotated"), SHAPE)
    assert len(met) == 1 and shapely.covers(met[0][1], shapely.box(0, 0, SHAPE[1], SHAPE[0]))


def test_an_image_without_a_map_is_refused_and_pixels_need_none(tmp_path: Path) -> None:
    areas = plots(tmp_path)
    with pytest.raises(GeodesyError, match=r"no georeference, and the polygons of .* are on a map"):
        outlines_on(areas, "a", None, SHAPE)
    with pytest.raises(GeodesyError, match="no coordinate system"):
        outlines_on(areas, "a", Placement(placement("rotated").transform, None), SHAPE)
    frame = gpd.GeoDataFrame({"image": ["a", "b", None]}, geometry=[shapely.box(0, 0, n, 10) for n in (10, 20, 30)])
    frame.to_file(tmp_path / "pixels.gpkg")
    pixels = read_areas(tmp_path / "pixels.gpkg", None)
    assert [number for number, _ in outlines_on(pixels, "a", None, SHAPE)] == [0, 2]
    assert [number for number, _ in outlines_on(pixels, "b", placement("rotated"), SHAPE)] == [1, 2]


def test_zones_alone_leave_the_rest_of_the_image(tmp_path: Path) -> None:
    areas = plots(tmp_path, zones=("west", "east", "pond"))
    ((_, outline),) = outlines_on(areas, "a", placement("north-up"), SHAPE)
    union = shapely.union_all(list(PLOTS.values()))
    assert outline.area == pytest.approx(SHAPE[0] * SHAPE[1] - union.area / 0.25)

"""Polygons are read from every format alike, and what is odd in a file is told or refused with its feature."""

import json
import logging
import sqlite3
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from detect.imagery.ground.polygons import ELSEWHERE, Areas, read_areas
from detect.imagery.ground.vector_files import VectorError
from detect.reporting.tables import write_table

SQUARE, OTHER = shapely.box(0, 0, 10, 10), shapely.box(20, 0, 30, 10)
ENDINGS = {"GPKG": "gpkg", "GeoJSON": "geojson", "ESRI Shapefile": "shp"}


def write(path: Path, geometries: list[Any], crs: int | None = 4326, layer: str | None = None, **columns: Any) -> Path:
    """Write features by the ending of a path."""
    driver = {ending: name for name, ending in ENDINGS.items()}[path.suffix[1:]]
    more = {} if layer is None else {"layer": layer}
    gpd.GeoDataFrame(columns, geometry=geometries, crs=crs).to_file(path, driver=driver, **more)
    return path


def names(areas: Areas) -> list[str]:
    return [each.name for each in areas.areas]


@pytest.mark.parametrize("ending", ENDINGS.values())
@pytest.mark.parametrize("crs", [4326, 25833])
def test_every_format_holds_the_same_polygons(ending: str, crs: int, tmp_path: Path) -> None:
    """Multipolygons and holes come back whole; a polygon with exclude=1 is a zone."""
    ring = shapely.Polygon(SQUARE.exterior, [shapely.box(4, 4, 6, 6).exterior])
    shapes = [ring, shapely.MultiPolygon([OTHER, shapely.box(40, 0, 50, 10)]), shapely.box(1, 1, 2, 2)]
    path = write(tmp_path / f"plots.{ending}", shapes, crs, Name=["a", "b", "pond"], exclude=[0, 0, 1])
    found = read_areas(path, None)
    assert names(found) == ["a", "b"] and [each.name for each in found.zones] == ["pond"]
    assert [each.outline.area for each in found.areas] == pytest.approx([96, 200])
    assert found.crs is not None and gpd.GeoSeries([], crs=found.crs).crs.equals(crs, ignore_axis_order=True)


def test_the_name_is_of_the_first_column_that_says_one_and_names_differ(tmp_path: Path) -> None:
    """Two of one name get their feature's number; a number has no decimals; none is the feature's number."""
    found = read_areas(
        write(tmp_path / "a.gpkg", [SQUARE] * 4, plot=["x", "x", None, " y\n1 "], size=[1, 2, 3, 4]), None
    )
    assert names(found) == ["x (feature 1)", "x (feature 2)", "feature 3", "y 1"]
    assert names(read_areas(write(tmp_path / "b.geojson", [SQUARE, OTHER], ID=[7.0, 8.0]), None)) == ["7", "8"]
    assert names(read_areas(write(tmp_path / "c.shp", [SQUARE, OTHER], size=[1, 2]), None)) == [
        "feature 1",
        "feature 2",
    ]


@pytest.mark.parametrize(
    ("columns", "zones"),
    [
        ({"exclude": [True, False]}, 1),
        ({"exclude": ["Yes", None]}, 1),
        ({"EXCLUDE": ["0", "1"]}, 1),
        ({"kind": ["exclude", "plot"]}, 1),
        ({"kind": ["plot", "plot"]}, 0),
    ],
)
def test_zones_are_told_by_exclude_or_kind(columns: dict[str, Any], zones: int, tmp_path: Path) -> None:
    found = read_areas(write(tmp_path / "a.geojson", [SQUARE, OTHER], **columns), None)
    assert (len(found.areas), len(found.zones)) == (2 - zones, zones)


def test_zones_alone_leave_everything_else(tmp_path: Path) -> None:
    found = read_areas(write(tmp_path / "a.gpkg", [SQUARE], exclude=[1]), None)
    assert names(found) == [ELSEWHERE] and found.areas[0].outline is None and len(found.zones) == 1


def test_another_value_of_exclude_is_refused_with_its_feature(tmp_path: Path) -> None:
    with pytest.raises(VectorError, match=r"feature 2 has exclude='maybe', which must be true or false"):
        read_areas(write(tmp_path / "a.gpkg", [SQUARE, OTHER], exclude=["no", "maybe"]), None)


def test_polygons_that_cross_themselves_and_features_that_are_none_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A bow tie of two triangles of 25 each, a line, a point, nothing."""
    tie = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    shapes = [tie, shapely.LineString([(0, 0), (1, 1)]), shapely.Point(0, 0), None]
    with caplog.at_level(logging.INFO):
        found = read_areas(write(tmp_path / "a.geojson", shapes, name=list("abcd")), None)
    assert names(found) == ["a"] and found.areas[0].outline.area == pytest.approx(50)
    assert "1 features (number 1) cross themselves" in caplog.text
    assert "3 features (number 2, 3, 4) are no polygons" in caplog.text


def test_heights_are_left_out(tmp_path: Path) -> None:
    found = read_areas(write(tmp_path / "a.gpkg", [shapely.force_3d(SQUARE, 5.0)]), None)
    assert not found.areas[0].outline.has_z


def test_a_layer_is_named_where_there_are_several(tmp_path: Path) -> None:
    write(tmp_path / "a.gpkg", [SQUARE], layer="plots")
    path = write(tmp_path / "a.gpkg", [SQUARE, OTHER], layer="roads")
    with pytest.raises(VectorError, match=r"2 layers with geometries \(plots, roads\); name one"):
        read_areas(path, None)
    assert len(read_areas(path, "roads").areas) == 2
    with pytest.raises(VectorError, match="no layer 'x' with geometries; it has plots, roads"):
        read_areas(path, "x")


def test_without_a_coordinate_system_coordinates_are_pixels(tmp_path: Path) -> None:
    """Of the image that a column names, or of all; in GeoJSON `"crs": null` says so, or an image and no degrees."""
    found = read_areas(write(tmp_path / "a.gpkg", [SQUARE, OTHER], None, image=["a.png", None]), None)
    assert found.crs is None and [each.image for each in found.areas] == ["a.png", None]
    far = shapely.box(0, 0, 300, 200)
    named = read_areas(write(tmp_path / "b.geojson", [SQUARE, far], image=["a.png", "b.png"]), None)
    assert named.crs is None and [each.image for each in named.areas] == ["a.png", "b.png"]
    path = write(tmp_path / "c.geojson", [SQUARE])
    data = json.loads(path.read_text()) | {"crs": None}
    path.write_text(json.dumps(data))
    assert read_areas(path, None).crs is None


def test_on_a_map_an_images_name_is_only_told_of(tmp_path: Path) -> None:
    """Plots with a CRS lie where they lie, whichever image somebody drew them on."""
    found = read_areas(write(tmp_path / "a.gpkg", [SQUARE], 25833, image=["a.png"]), None)
    assert found.crs is not None and found.areas[0].image is None


def test_the_old_crs_of_geojson_is_respected_and_an_address_is_not_opened(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", [SQUARE])
    data = json.loads(path.read_text())
    data["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::25833"}}
    path.write_text(json.dumps(data))
    assert "25833" in str(read_areas(path, None).crs)
    for crs in (
        {"type": "link", "properties": {"href": "http://127.0.0.1:1/crs"}},
        {"type": "name", "properties": {"name": "http://127.0.0.1:1/crs"}},
        {"type": "name", "properties": {"name": "+proj=utm +zone=33 +nadgrids=/etc/passwd"}},
        "EPSG:25833",
    ):
        path.write_text(json.dumps(data | {"crs": crs}))
        with pytest.raises(VectorError, match="only a name is read"):
            read_areas(path, None)


def _view(path: Path) -> None:
    write(path, [SQUARE], layer="plots")
    with sqlite3.connect(path) as base:
        base.execute("CREATE VIEW endless AS SELECT * FROM plots")
        base.execute("DELETE FROM gpkg_contents WHERE table_name = 'plots'")
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('endless', 'features', 'endless')"
        )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.geojson", b"", "first bytes are of none of"),
        ("a.gpkg", b"<OGRVRTDataSource></OGRVRTDataSource>", "first bytes are of none of"),
        ("a.gpkg", b"SQLite format 3\0" + b"\0" * 200, "not a GeoPackage"),
        ("a.shp", b"\x00\x00\x27\x0a" + b"\0" * 200, r"\.shx, \.dbf is missing beside it"),
        ("a.dat", b"\x00\x00\x27\x0a" + b"\0" * 200, r"name must end in \.shp"),
        ("a.geojson", b'{"type": "FeatureCollection", "features": [1]}', "feature 1 is no object"),
        (
            "a.geojson",
            b'{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": 1}}',
            "feature 1 has no geom",
        ),
        ("a.geojson", b'{"type": "Topology"}', "its type is 'Topology'"),
        ("a.geojson", b'{"type": "FeatureCollection", "features": []}', "no polygon in it"),
        ("a.geojson", b'{"a": ' + b"[" * 100_000, "nested too deep"),
        (
            "a.geojson",
            b'{"type": "Polygon", "coordinates": [[[0, 0], [1e999, 0], [1, 1], [0, 0]]]}',
            "feature 1 has coordinates that are no finite numbers",
        ),
    ],
)
def test_files_of_another_kind_are_refused(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VectorError, match=said) as caught:
        read_areas(tmp_path / name, None)
    assert name in str(caught.value)


def test_views_and_damaged_geopackages_are_refused(tmp_path: Path) -> None:
    """A view of a file of others may compute without end."""
    _view(tmp_path / "view.gpkg")
    with pytest.raises(VectorError, match="0 layers with geometries"):
        read_areas(tmp_path / "view.gpkg", None)
    whole = write(tmp_path / "a.gpkg", [SQUARE] * 50, name=list(range(50))).read_bytes()
    rng = np.random.default_rng(0)
    for number in range(40):
        data = bytearray(whole)
        for place in rng.integers(100, len(data), 300):
            data[place] = int(rng.integers(256))
        path = tmp_path / f"broken{number}.gpkg"
        path.write_bytes(bytes(data[: rng.integers(1000, len(data))]) if number % 2 else bytes(data))
        try:
            read_areas(path, None)
        except VectorError as error:
            assert path.name in str(error)


def test_other_files_are_not_taken_for_vectors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_areas(tmp_path / "nothing.gpkg", None)
    with pytest.raises(VectorError, match="a folder"):
        read_areas(tmp_path, None)
    import pandas as pd

    write_table(pd.DataFrame({"image": ["a"]}), tmp_path / "a.csv")
    with pytest.raises(VectorError, match="first bytes"):
        read_areas(tmp_path / "a.csv", None)


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    one = read_areas(write(tmp_path / "a.gpkg", [SQUARE, OTHER], name=["a", "b"]), None)
    same = read_areas(write(tmp_path / "b.gpkg", [SQUARE, OTHER], name=["a", "b"]), None)
    other = read_areas(write(tmp_path / "c.gpkg", [SQUARE, OTHER], name=["a", "c"]), None)
    assert one.digest == same.digest != other.digest

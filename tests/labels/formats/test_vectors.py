"""Features of maps as objects of images: whatever the coordinate system, the raster's turn, and the file's kind."""

import json
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from shapely.geometry import LineString, MultiPoint, Point, Polygon, box

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.writing.annotation_writing import write_annotations

Make = Callable[..., Path]

UTM = "EPSG:32633"
CORNER = Affine.translation(500_000, 5_500_000)
TURNS = {
    "north-up": CORNER * Affine.scale(0.5, -0.5),
    "south-up": CORNER * Affine.scale(0.5, 0.5),
    "rotated": CORNER * Affine.rotation(30) * Affine.scale(0.5, -0.5),
    "sheared": CORNER * Affine.shear(10, 0) * Affine.scale(0.5, -0.25),
}
PLACES = [(10.0, 20.0), (30.5, 7.25), (55.0, 39.0)]


def raster(path: Path, transform: Affine | None = TURNS["north-up"], crs: str | None = UTM) -> Path:
    """An image 60 wide and 40 high."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {} if transform is None else {"transform": transform}
    with rasterio.open(
        path, "w", driver="GTiff", width=60, height=40, count=1, dtype="uint8", crs=crs, **place
    ) as file:
        file.write(np.zeros((1, 40, 60), np.uint8))
    return path


def on_map(xy: tuple[float, float], transform: Affine = TURNS["north-up"]) -> tuple[float, float]:
    return transform @ xy if hasattr(transform, "__matmul__") else transform * xy


def frame(places: list, crs: str | None = UTM, **columns: list) -> geopandas.GeoDataFrame:
    return geopandas.GeoDataFrame(columns, geometry=places, crs=crs)


def xy_of(read: Annotations, image: int = 0) -> list:
    return read.images[image].objects.xy.tolist()


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("name", ["p.geojson", "p.gpkg", "p.shp"])
@pytest.mark.parametrize("crs", [UTM, "EPSG:4326", "EPSG:3857", "EPSG:32632"])
def test_points_in_any_system_lie_where_they_lie(tmp_path: Path, turn: str, name: str, crs: str) -> None:
    raster(tmp_path / "data/a.tif", TURNS[turn])
    places = frame([Point(on_map(xy, TURNS[turn])) for xy in PLACES], label=["t", "s", "t"])
    places.to_crs(crs).to_file(tmp_path / name)
    read = read_annotations(tmp_path / name, tmp_path / "data")
    assert not read.boxes and read.images[0].objects.names == ["t", "s", "t"]
    tolerance = 0.5 if name == "p.geojson" and crs == "EPSG:4326" else 1e-4  # GDAL writes seven decimals of a degree
    assert np.abs(np.array(xy_of(read)) - PLACES).max() < tolerance


def test_polygons_are_the_upright_boxes_around_them_in_pixels(tmp_path: Path) -> None:
    transform = TURNS["rotated"]
    raster(tmp_path / "data/a.tif", transform)
    outlines = [[(10, 10), (20, 10), (20, 16), (10, 16)], [(30, 20), (34, 24), (30, 28), (26, 24)]]
    shapes = [Polygon([on_map(xy, transform) for xy in each]) for each in outlines]
    frame(shapes, species=["t", "t"]).to_crs("EPSG:4326").to_file(tmp_path / "p.gpkg")
    read = read_annotations(tmp_path / "p.gpkg", tmp_path / "data")
    assert read.boxes
    assert np.abs(read.images[0].objects.boxes_xyxy - [[10, 10, 20, 16], [26, 20, 34, 28]]).max() < 1e-3


def test_geojson_is_longitude_and_latitude_unless_its_old_member_says_otherwise(tmp_path: Path) -> None:
    raster(tmp_path / "data/a.tif")
    lonlat = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(*on_map(PLACES[0]))
    old = {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}}
    for name, place, more in (("new", lonlat, {}), ("old", on_map(PLACES[0]), old)):
        feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": list(place)}}
        text = json.dumps({"type": "FeatureCollection", "features": [feature]} | more)
        (tmp_path / f"{name}.geojson").write_text(text)
        read = read_annotations(tmp_path / f"{name}.geojson", tmp_path / "data")
        assert np.abs(np.array(xy_of(read)) - PLACES[0]).max() < 1e-6
        assert read.classes == ("object",)


def test_geojson_without_a_system_that_cannot_be_degrees_is_in_the_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raster(tmp_path / "data/a.tif")
    feature = {"type": "Feature", "properties": None, "geometry": {"type": "Point", "coordinates": on_map(PLACES[0])}}
    (tmp_path / "p.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert xy_of(read_annotations(tmp_path / "p.geojson", tmp_path / "data")) == [list(PLACES[0])]
    assert "in the coordinate system of the image" in caplog.text


def test_a_shapefile_without_a_system_is_in_that_of_the_image(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raster(tmp_path / "data/a.tif")
    frame([Point(on_map(xy)) for xy in PLACES]).to_file(tmp_path / "p.shp")
    (tmp_path / "p.prj").unlink()
    found = xy_of(read_annotations(tmp_path / "p.shp", tmp_path / "data"))
    assert found == [list(xy) for xy in PLACES]
    assert "in the coordinate system of the image" in caplog.text


@pytest.mark.parametrize("down", [1, -1])
def test_pixels_of_an_image_without_a_georeference(tmp_path: Path, down: int, caplog: pytest.LogCaptureFixture) -> None:
    """QGIS counts the rows of such an image from 0 to -40."""
    raster(tmp_path / "data/a.tif", None, None)
    frame([Point(x, down * y) for x, y in PLACES], crs=None).to_file(tmp_path / "p.gpkg")
    assert xy_of(read_annotations(tmp_path / "p.gpkg", tmp_path / "data")) == [list(xy) for xy in PLACES]
    assert "read as pixels" in caplog.text


def test_degrees_are_not_taken_for_pixels_of_photographs_without_a_georeference(tmp_path: Path) -> None:
    """A seal at 10 degrees east and 50 north is not at pixel 10, 50 of each photograph of the folder."""
    for name in ("a", "b"):
        raster(tmp_path / f"data/{name}.tif", None, None)
    frame([Point(10, 30)], crs="EPSG:4326").to_file(tmp_path / "p.geojson")
    frame([Point(10, 30)], crs="EPSG:4326").to_file(tmp_path / "p.gpkg")
    for name in ("p.geojson", "p.gpkg"):
        with pytest.raises(AnnotationError, match=r"no image there has a georeference"):
            read_annotations(tmp_path / name, tmp_path / "data")


def test_a_point_is_on_every_image_that_it_lies_on_and_those_among_the_points_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of images 60 wide: b begins 30 to the right of a, c 60 to the right of it; empty is between, far is elsewhere."""
    for name, x, y in (("a", 0, 0), ("b", 30, 0), ("c", 60, 0), ("empty", 0, 60), ("d", 0, 120), ("far", 900, 900)):
        raster(tmp_path / f"data/{name}.tif", TURNS["north-up"] * Affine.translation(x, y))
    places = [(10, 20), (40, 20), (60, 20), (100, 20), (10, 130)]
    frame([Point(on_map(xy)) for xy in places]).to_file(tmp_path / "p.gpkg")
    read = read_annotations(tmp_path / "p.gpkg", tmp_path / "data")
    found = {image.name: image.objects.xy.tolist() for image in read.images}
    assert found == {
        "a.tif": [[10, 20], [40, 20], [60, 20]],  # on its right edge, and in b
        "b.tif": [[10, 20], [30, 20]],
        "c.tif": [[40, 20]],
        "d.tif": [[10, 10]],
        "empty.tif": [],
    }
    assert "count as looked at: empty.tif" in caplog.text


def test_features_beside_all_images_are_told_and_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raster(tmp_path / "data/a.tif")
    far = [Point(on_map((x, 5000))) for x in range(20)]
    frame([Point(on_map(PLACES[0])), *far]).to_file(tmp_path / "p.gpkg")
    assert xy_of(read_annotations(tmp_path / "p.gpkg", tmp_path / "data")) == [list(PLACES[0])]
    assert "20 features are on no image" in caplog.text


def test_a_layer_of_an_images_name_is_of_that_image(tmp_path: Path) -> None:
    for name in ("a", "b"):
        raster(tmp_path / f"data/{name}.tif")
        frame([Point(on_map(PLACES[0]))]).to_file(tmp_path / f"data/{name}.geojson")
    both = read_annotations(tmp_path / "data", tmp_path / "data")
    assert [(image.name, len(image.objects)) for image in both.images] == [("a.tif", 1), ("b.tif", 1)]
    one = read_annotations(tmp_path / "data/b.geojson", tmp_path / "data")
    assert [image.name for image in one.images] == ["b.tif"]


def test_an_empty_layer_of_an_images_name_says_that_it_has_no_objects(tmp_path: Path) -> None:
    for name in ("a", "b"):
        raster(tmp_path / f"data/{name}.tif")
    frame([Point(on_map(PLACES[0]))]).to_file(tmp_path / "data/a.geojson")
    (tmp_path / "data/b.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    read = read_annotations(tmp_path / "data", tmp_path / "data")
    assert [(image.name, len(image.objects)) for image in read.images] == [("a.tif", 1), ("b.tif", 0)]


def test_a_column_may_name_the_image(tmp_path: Path) -> None:
    for name in ("a", "b"):
        raster(tmp_path / f"data/{name}.tif")
    places = [Point(on_map(xy)) for xy in PLACES]
    frame(places, image_path=["a.tif", "b.tif", "a.tif"], label=["s", "t", "s"]).to_file(tmp_path / "p.gpkg")
    read = read_annotations(tmp_path / "p.gpkg", tmp_path / "data")
    assert [(image.name, image.objects.names) for image in read.images] == [("a.tif", ["s", "s"]), ("b.tif", ["t"])]


@pytest.mark.parametrize(
    ("columns", "classes"),
    [
        ({"Label": ["s", "t", "s"], "note": ["x", "x", "y"]}, ("s", "t")),
        ({"taxon": ["s", "t", "s"]}, ("s", "t")),
        ({"tier": ["s", "s", "s"], "height": [1.5, 2.5, 3.5]}, ("s",)),  # the only column of text
        ({"uuid": ["a1", "b2", "c3"]}, ("object",)),  # no classes: each is there once
        ({"class": [1.0, 2.0, 1.0]}, ("1", "2")),
        ({}, ("object",)),
    ],
)
def test_the_class_is_a_known_column_or_the_only_one_of_text(
    tmp_path: Path, columns: dict, classes: tuple[str, ...]
) -> None:
    raster(tmp_path / "data/a.tif")
    frame([Point(on_map(xy)) for xy in PLACES], **columns).to_file(tmp_path / "p.gpkg")
    assert read_annotations(tmp_path / "p.gpkg", tmp_path / "data").classes == classes


def test_several_points_of_one_feature_are_objects_and_the_rest_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raster(tmp_path / "data/a.tif")
    shapes = [MultiPoint([on_map(xy) for xy in PLACES]), None, LineString([on_map((1, 1)), on_map((2, 2))])]
    frame(shapes).to_file(tmp_path / "p.geojson")
    assert len(xy_of(read_annotations(tmp_path / "p.geojson", tmp_path / "data"))) == 3
    assert "feature 2: has no geometry" in caplog.text and "feature 3: is a line" in caplog.text


def test_what_cannot_be_placed_is_an_error_that_shows_both_extents(tmp_path: Path) -> None:
    raster(tmp_path / "data/a.tif")
    frame([Point(10, 50)], crs="EPSG:4326").to_file(tmp_path / "p.gpkg")
    with pytest.raises(AnnotationError, match=r"p\.gpkg.*10, 50.*WGS 84.*a\.tif.*500000.*UTM zone 33N"):
        read_annotations(tmp_path / "p.gpkg", tmp_path / "data")


def test_objects_of_rasters_in_several_coordinate_systems_come_back(tmp_path: Path) -> None:
    """They are written to a layer each, and each raster has those of its own again."""
    raster(tmp_path / "data/a.tif")
    raster(tmp_path / "data/b.tif", crs="EPSG:32634")
    (tmp_path / "t.csv").write_text("image,x,y,label\na.tif,10,20,t\nb.tif,30.5,7.25,t\nb.tif,55,39,t\n")
    wanted = read_annotations(tmp_path / "t.csv", tmp_path / "data")
    write_annotations(wanted, tmp_path / "p.gpkg")
    assert len(geopandas.list_layers(tmp_path / "p.gpkg")) == 2
    found = {each.name: each.objects.xy for each in read_annotations(tmp_path / "p.gpkg", tmp_path / "data").images}
    for image in wanted.images:
        np.testing.assert_allclose(found[image.name], image.objects.xy, atol=1e-6)


def test_of_several_layers_none_is_guessed(tmp_path: Path) -> None:
    raster(tmp_path / "data/a.tif")
    for layer in ("plots", "trees"):
        frame([Point(on_map(PLACES[0]))]).to_file(tmp_path / "p.gpkg", layer=layer)
    with pytest.raises(AnnotationError, match=r"p\.gpkg: has 2 layers with geometries, plots, trees,.*export the one"):
        read_annotations(tmp_path / "p.gpkg", tmp_path / "data")


def test_points_and_polygons_in_one_layer_are_an_error(tmp_path: Path) -> None:
    raster(tmp_path / "data/a.tif")
    frame([Point(on_map(PLACES[0])), box(*on_map((1, 9)), *on_map((9, 1)))]).to_file(tmp_path / "p.geojson")
    with pytest.raises(AnnotationError, match=r"p\.geojson: 1 features are points and 1 are polygons"):
        read_annotations(tmp_path / "p.geojson", tmp_path / "data")


def test_without_images_the_way_out_is_named(tmp_path: Path) -> None:
    frame([Point(on_map(PLACES[0]))]).to_file(tmp_path / "p.gpkg")
    with pytest.raises(AnnotationError, match=r"detect\.convert"):
        read_unchecked(tmp_path / "p.gpkg")


def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    raster(tmp_path / "data/a.tif")
    (tmp_path / "p.gpkg").write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(AnnotationError, match=r"p\.gpkg"):
        read_annotations(tmp_path / "p.gpkg", tmp_path / "data")

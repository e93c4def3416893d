"""GeoJSON and GeoPackage: what geopandas reads, in another coordinate system, lies on the objects."""

import itertools
import json
import logging
import math
import time
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
from rasterio.features import rasterize

from detect.imagery.ground.geodesy import Placement
from detect.labels.detections import Detections
from detect.labels.writing.geojson_features import write_geojson
from detect.labels.writing.geopackage import LAYER, write_gpkg
from detect.labels.writing.outgoing import OutImage, OutSet, checked_set
from tests.labels.writing.out_sets import CLASSES, OTHER_UTM, PLACES, SHAPE, UTM, found_set, things

ELSEWHERE = "EPSG:3035"
"""Another coordinate system: Lambert's equal-area one of Europe, whose axes are north and east."""


@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("ending", ["geojson", "gpkg"])
def test_objects_come_back_within_half_a_pixel_from_another_coordinate_system(
    tmp_path: Path, ending: str, place: str, boxes: bool
) -> None:
    out = found_set(boxes, PLACES[place])
    path = tmp_path / f"a.{ending}"
    (write_geojson if ending == "geojson" else write_gpkg)(out, path)
    read = geopandas.read_file(path)
    assert read.crs.to_epsg() == (4326 if ending == "geojson" else 32633)
    elsewhere = read.to_crs(ELSEWHERE).to_crs(UTM)
    objects = [image.objects for image in out.images]
    assert read["label"].tolist() == [name for each in objects for name in each.names]
    assert read["score"].tolist() == [score for each in objects for score in each.score]
    assert read["image"].tolist() == [image.name for image in out.images for _ in range(len(image.objects))]
    xy = np.concatenate([each.xy for each in objects])
    assert read[["x", "y"]].to_numpy().tolist() == xy.tolist()
    centres = elsewhere.geometry.centroid
    back = PLACES[place].pixel_xy(np.stack([centres.x, centres.y], axis=1))
    assert np.abs(back - xy).max() < 0.01
    if boxes:
        wh = np.concatenate([each.wh for each in objects if each.wh is not None])
        corners = PLACES[place].pixel_xy(np.stack([np.array(each.exterior.coords) for each in elsewhere.geometry]))
        assert np.abs(corners.max(axis=1) - corners.min(axis=1) - wh).max() < 0.01
    else:
        assert set(read.geom_type) == {"Point"}


@pytest.mark.parametrize("place", PLACES)
def test_boxes_burnt_back_into_a_raster_lie_on_the_objects(tmp_path: Path, place: str) -> None:
    """Drawn by GDAL into the raster's own grid, boxes of whole pixels are those pixels exactly."""
    corners = np.array([[10, 20, 30, 50], [100, 120, 131, 125], [390, 290, 400, 300]])
    boxes = Detections.truth(
        (corners[:, :2] + corners[:, 2:]) / 2, ["cow"] * 3, CLASSES, corners[:, 2:] - corners[:, :2]
    )
    write_gpkg(OutSet([OutImage("a.tif", SHAPE, boxes, PLACES[place])], CLASSES, scored=True), tmp_path / "a.gpkg")
    shapes = geopandas.read_file(tmp_path / "a.gpkg").geometry
    burnt = rasterize(shapes, SHAPE, transform=rasterio.Affine(*PLACES[place].transform))
    wanted = np.zeros(SHAPE, np.uint8)
    for x1, y1, x2, y2 in corners:
        wanted[y1:y2, x1:x2] = 1
    assert (burnt == wanted).all()


def test_polygons_go_against_the_clock_and_are_closed(tmp_path: Path) -> None:
    """RFC 7946: the exterior ring counterclockwise, its first place its last; longitude before latitude."""
    for place in PLACES.values():
        write_geojson(found_set(True, place), tmp_path / "a.geojson")
        content = json.loads((tmp_path / "a.geojson").read_text(encoding="utf-8"))
        assert set(content) == {"type", "features"}
        for feature in content["features"]:
            (ring,) = feature["geometry"]["coordinates"]
            assert ring[0] == ring[-1] and len(ring) == 5
            (lon0, lat0), *rest = ring
            moved = [(lon - lon0, lat - lat0) for lon, lat in rest]
            assert sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(moved)) > 0
            assert abs(lon0 - 15) < 0.01 and abs(lat0 - 49.65) < 0.01


def test_a_box_across_the_180th_meridian_is_small(tmp_path: Path) -> None:
    place = Placement((0.001, 0.0, 179.9, 0.0, -0.001, 10.0), "EPSG:4326")
    box = Detections.truth(np.array([[100.0, 5.0]]), ["cow"], CLASSES, np.array([[4.0, 4.0]]))
    write_geojson(checked_set([OutImage("a.tif", SHAPE, box, place)], CLASSES, scored=True), tmp_path / "a.geojson")
    (feature,) = json.loads((tmp_path / "a.geojson").read_text())["features"]
    lons = [lon for lon, _ in feature["geometry"]["coordinates"][0]]
    assert max(lons) - min(lons) == pytest.approx(0.004)


@pytest.mark.parametrize("boxes", [True, False])
def test_the_same_objects_give_the_same_geopackage_to_the_byte(tmp_path: Path, boxes: bool) -> None:
    for name in ("a", "b"):
        write_gpkg(found_set(boxes, PLACES["rotated"]), tmp_path / name)
        time.sleep(0.01)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_each_coordinate_system_has_a_layer(tmp_path: Path) -> None:
    images = [
        OutImage(f"{i}.tif", SHAPE, things(i + 1, False), Placement((0.1, 0, 5e5, 0, -0.1, 5e6), crs))
        for i, crs in enumerate([UTM, OTHER_UTM, UTM])
    ]
    write_gpkg(checked_set(images, CLASSES, scored=True), tmp_path / "a.gpkg")
    layers = {
        str(name): geopandas.read_file(tmp_path / "a.gpkg", layer=name)
        for name, _ in pyogrio.list_layers(tmp_path / "a.gpkg")
    }
    assert {name: (len(each), each.crs.to_epsg()) for name, each in layers.items()} == {
        f"{LAYER}_epsg_32633": (4, 32633),
        f"{LAYER}_epsg_32634": (2, 32634),
    }


def test_many_objects_are_written_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detect.labels.writing.geopackage.FEATURES_AT_ONCE", 7)
    image = OutImage("a.tif", SHAPE, things(23, True), PLACES["north-up"])
    write_gpkg(checked_set([image], CLASSES, scored=True), tmp_path / "a.gpkg")
    read = geopandas.read_file(tmp_path / "a.gpkg", layer=LAYER)
    assert read[["x", "y"]].to_numpy().tolist() == image.objects.xy.tolist()


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (None, "no georeference"),
        (Placement((1, 0, 0, 0, 1, 0), None), "no georeference with a coordinate system"),
        (Placement((1, 0, 0, 0, 1, 0), 'LOCAL_CS["bench",UNIT["metre",1]]'), "'bench' has no longitude"),
    ],
)
def test_images_without_a_place_on_earth_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: Placement | None, reason: str
) -> None:
    """GeoJSON is of the earth alone; a GeoPackage has a local system too."""
    out = found_set(False, place)
    write_geojson(out, tmp_path / "a.geojson")
    assert json.loads((tmp_path / "a.geojson").read_text())["features"] == []
    assert reason in caplog.text and "a.png" in caplog.text
    write_gpkg(out, tmp_path / "a.gpkg")
    local = place is not None and place.crs is not None
    assert len(geopandas.read_file(tmp_path / "a.gpkg", layer=LAYER)) == (8 if local else 0)


def test_a_place_that_the_coordinate_system_does_not_cover_has_no_geometry(tmp_path: Path) -> None:
    place = Placement((1.0, 0.0, 1e12, 0.0, -1.0, 1e13), UTM)
    write_geojson(found_set(False, place), tmp_path / "a.geojson")
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert len(features) == 8 and {str(each["geometry"]) for each in features} == {"None"}
    assert math.isfinite(features[0]["properties"]["x"])


def test_nothing_of_pyogrio_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn) -> None:
    with caplog.at_level(logging.INFO):
        write_gpkg(found_set(False, PLACES["north-up"]), tmp_path / ".detect-0.part")
    assert caplog.text == "" and len(recwarn) == 0

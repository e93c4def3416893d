"""Counts on the ground: by area and of different objects, the same whether a run was gone on with or not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine

from detect.evaluation import sightings
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.ground.polygons import Area, Areas
from detect.imagery.ground.valid_outline import outline_of_text
from detect.imagery.scenes import Scene
from detect.imagery.validity.gathered import ValidPixels
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.decoding.patch import posteriors
from detect.inference.scene_result import SceneResult
from detect.labels.detections import Detections
from detect.reporting.output.area_table import area_table, read_area_table
from detect.reporting.output.ground_counts import GroundCounts
from detect.reporting.output.ground_survey import GroundSurvey, inside_areas
from detect.reporting.output.journal import Journal
from detect.reporting.output.layout import STATE
from detect.reporting.output.prediction_folder import PredictionFolder
from detect.reporting.output.products import PRODUCTS
from detect.reporting.output.records import Record
from detect.reporting.tables import DAMAGED, UNIQUE, counts_table, read_counts, read_facts, write_table
from tests.reporting.conftest import detections
from tests.reporting.output.test_prediction_folder import CARD

UTM = rasterio.crs.CRS.from_epsg(32633)
NAMES = ("a.tif", "b.tif", "c.tif")
WEST, EAST = shapely.box(500_000, 5_499_990, 500_040, 5_500_000), shapely.box(500_040, 5_499_990, 500_100, 5_500_000)
AREAS = Areas(
    Path("plots.gpkg"), UTM.to_wkt(), tuple(Area(n, o, None) for n, o in (("west", WEST), ("east", EAST))), ()
)


def place(number: int) -> Affine:
    """Images of 96 x 64 pixels of 0.5 m, that is 48 x 32 m, each 24 m east of the one before: half overlaps."""
    return Affine(0.5, 0, 500_000 + 24 * number, 0, -0.5, 5_500_000)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    profile = {"driver": "GTiff", "count": 3, "height": 64, "width": 96, "dtype": "uint8", "crs": UTM}
    for number, name in enumerate(NAMES):
        with rasterio.open(tmp_path / "images" / name, "w", **profile, transform=place(number)) as target:
            target.write(np.full((3, 64, 96), 90, np.uint8))
    return tmp_path / "images"


def result(number: int) -> SceneResult:
    """A cow every 12 m from 6 m on and 5 m south of the corner, as each image shows it, and one 25 m south."""
    xs = np.array([6.0, 18, 30, 42, 54, 66, 78, 90])
    cols = (xs - 24 * number) / 0.5
    rows = [(col, 10.0, 0, 0.75) for col in cols if 0 < col < 96] + [(50.0, 50.0, 1, 0.9)]
    logits = np.random.default_rng(number).normal(size=(3, 4, 6)).astype(np.float32)
    return SceneResult(
        detections(rows), CellGeometry(16, 0.0, (64, 96)), np.full((3, 64, 96), 90, np.uint8), logits, 3, posteriors
    )


def sink(folder: Path, images: Path, survey: GroundSurvey) -> PredictionFolder:
    (folder / STATE).mkdir(parents=True, exist_ok=True)
    return PredictionFolder(folder, CARD, [(name, images / name) for name in NAMES], PRODUCTS[:4], survey)


def test_a_run_in_areas_that_is_gone_on_with_writes_the_same_files(images: Path, tmp_path: Path) -> None:
    """Each image shows 4 cows, of which 2 are on the next one: 12 counted, 8 different; the sheep are outside."""
    survey = GroundSurvey(AREAS, "auto", 1.0)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    one = sink(whole, images, survey)
    for number, name in enumerate(NAMES):
        one.prepared(name, open_scene(images / name), result(number))()
    one.finish({"version": "1"}, 200)
    for name in reversed(NAMES):
        other = sink(parts, images, survey)
        other.prepared(name, open_scene(images / name), result(NAMES.index(name)))()
    sink(parts, images, survey).finish({"version": "1"}, 200)
    files = [path.relative_to(whole) for path in whole.rglob("*") if path.is_file() and STATE not in path.parts]
    assert Path("areas.csv") in files
    for path in files:
        assert (whole / path).read_bytes() == (parts / path).read_bytes(), path

    counts = pd.read_csv(whole / "counts.csv")
    assert (
        counts["total"].tolist() == [4, 4, 4] and counts["unique"].tolist() == [4, 2, 2] and counts["sheep"].sum() == 0
    )
    areas = pd.read_csv(whole / "areas.csv").set_index("area")
    # west has the cows at 6, 18, 30 (also on b): 4 sightings of 3; east those at 42 (a, b), 54, 66 (b, c), 78, 90 (c)
    assert areas["cow"].tolist() == [4, 8] and areas["unique"].tolist() == [3, 5] and areas["images"].tolist() == [2, 3]
    # west is seen from 0 to 40 m, east from 40 to 96, each 10 m high; hectares on the ground are 1 / 0.9996 ** 2 larger
    for name, metres in (("west", 400), ("east", 560)):
        assert areas["surveyed_ha"][name] == pytest.approx(metres / 1e4 / 0.9996**2, rel=2e-3)
        assert areas["density_per_ha"][name] == pytest.approx(
            areas["unique"][name] / areas["surveyed_ha"][name], rel=1e-4
        )
    said = " ".join(one.ground.remarks)
    assert "3 objects lie outside of the areas of plots.gpkg" in said
    assert (
        "8 objects are different on the ground: of the 12 counted in 3 images 4 are one that an earlier image" in said
    )


def test_without_areas_and_overlap_nothing_of_it_is_written(images: Path, tmp_path: Path) -> None:
    one = sink(tmp_path / "out", images, GroundSurvey(None, "keep", None))
    for number, name in enumerate(NAMES):
        one.prepared(name, open_scene(images / name), result(number))()
    one.finish({"version": "1"}, 200)
    assert not (tmp_path / "out/areas.csv").exists() and one.ground.remarks == []
    assert "unique" not in pd.read_csv(tmp_path / "out/counts.csv")
    assert "object" not in pd.read_csv(tmp_path / "out/detections.csv")


def test_the_journal_gives_back_what_an_image_has_of_the_areas(images: Path, tmp_path: Path) -> None:
    one = sink(tmp_path / "out", images, GroundSurvey(AREAS, "auto", None))
    one.prepared("b.tif", open_scene(images / "b.tif"), result(1))()
    written, read = one.journal.records["b.tif"], Journal(tmp_path / "out").records["b.tif"]
    assert read.footprint == written.footprint is not None and read.outside == written.outside == 1
    assert [part.to_record() for part in read.areas] == [part.to_record() for part in written.areas]
    assert [part.area for part in read.areas] == [0, 1]


@pytest.mark.parametrize("place_of", ["rows", "area", "shape", "transform"])
def test_a_damaged_part_of_the_journal_is_an_error_with_its_line(place_of: str, images: Path, tmp_path: Path) -> None:
    one = sink(tmp_path / "out", images, GroundSurvey(AREAS, "auto", None))
    one.prepared("b.tif", open_scene(images / "b.tif"), result(1))()
    path = one.journal.path
    wrong = {"rows": ('"rows": [0', '"rows": [99'), "area": ('"area": 1', '"area": -1')}
    wrong |= {"shape": ("[64, 96]", "[64]"), "transform": ("[0.5, ", "[")}
    text = path.read_text()
    assert wrong[place_of][0] in text
    path.write_text(text.replace(*wrong[place_of]))
    with pytest.raises(ValueError, match=r"line 1: .*overwrite=true"):
        Journal(tmp_path / "out")


def test_a_record_of_an_area_that_there_is_not_is_not_believed(images: Path, tmp_path: Path) -> None:
    one = sink(tmp_path / "out", images, GroundSurvey(AREAS, "auto", None))
    one.prepared("b.tif", open_scene(images / "b.tif"), result(1))()
    path = one.journal.path
    assert list(sink(tmp_path / "out", images, one.survey).found) == ["b.tif"]
    path.write_text(path.read_text().replace('"area": 1', '"area": 2'))
    assert not sink(tmp_path / "out", images, one.survey).found


def test_an_image_that_meets_no_area_is_not_called_masked(images: Path, tmp_path: Path) -> None:
    """The west plot ends 40 m east; c.tif begins at 48 m: nothing of it is counted, and nothing of it is missing."""
    one = sink(tmp_path / "out", images, GroundSurvey(replace(AREAS, areas=AREAS.areas[:1]), "keep", None))
    for number, name in enumerate(NAMES):
        one.prepared(name, open_scene(images / name), result(number))()
    one.finish({"version": "1"}, 200)
    counts = pd.read_csv(tmp_path / "out/counts.csv", dtype=str, keep_default_na=False).set_index("image")
    assert counts["surveyed_share"].to_dict() == {"a.tif": "1", "b.tif": "1", "c.tif": ""}
    assert counts["surveyed_ha"]["c.tif"] == "0"
    page = (tmp_path / "out/report.html").read_text()
    assert "1 of 3 images meet no area" in page and "pixels that are not there" not in page


def test_too_many_neighbours_stop_what_was_asked_for_alone(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sightings, "MOST_PAIRS", 0)
    one = sink(tmp_path / "out", images, GroundSurvey(None, "auto", 50.0))
    for number, name in enumerate(NAMES):
        one.prepared(name, open_scene(images / name), result(number))()
    one.finish({"version": "1"}, 200)
    assert "unique" not in pd.read_csv(tmp_path / "out/counts.csv")
    assert "are not told apart: more than 0 pairs" in caplog.text
    with pytest.raises(ValueError, match="overlap=keep"):
        sink(tmp_path / "out", images, GroundSurvey(None, "merge", 50.0)).finish({"version": "1"}, 200)


def test_the_report_says_that_ground_is_shown_several_times(images: Path, tmp_path: Path) -> None:
    """8 of the 12 cows are different, and the 3 sheep, 24 m apart, all are; each image is 48 x 32 m."""
    one = sink(tmp_path / "out", images, GroundSurvey(None, "auto", 1.0))
    for number, name in enumerate(NAMES):
        one.prepared(name, open_scene(images / name), result(number))()
    one.finish({"version": "1"}, 200)
    page = (tmp_path / "out/report.html").read_text()
    assert "0.4612 hectares, ground that several images show each time" in page
    assert "<dt>Different on the ground</dt><dd>11 objects</dd>" in page


def test_what_has_no_data_is_not_surveyed(images: Path) -> None:
    """The left half of an image has data: of the west plot's 40 x 10 m on it 24 x 10."""
    scene = open_scene(images / "a.tif")
    valid = ValidPixels(scene.shape, 1 << 20, None, "a.tif")
    valid.put(scene.window, np.broadcast_to(np.arange(96) < 48, scene.shape))
    found = inside_areas(AREAS, "a.tif", scene, result(0).detections, valid)
    west, east = found.parts
    assert (west.pixels, west.surveyed_pixels) == (1600, 960) and east.surveyed_pixels == 0 and east.pixels == 320
    assert west.surveyed_m2 == pytest.approx(240 / 0.9996**2, rel=1e-3)
    assert found.part is not None and (found.part.pixels, found.part.valid) == (1920, 960)
    assert found.part.hectares == pytest.approx(240 / 1e4 / 0.9996**2, rel=1e-3)
    assert found.shown is not None and outline_of_text(found.shown).area == pytest.approx(48 * 64)


def test_classes_may_be_called_like_other_columns(tmp_path: Path) -> None:
    classes = ("unique", "area", "damaged")
    xy = np.array([[5.0, 5], [6, 6], [7, 7]])
    found = Detections(xy, np.ones(3), np.array([0, 0, 1]), classes)
    areas = Areas(Path("a.gpkg"), None, (Area("all", shapely.box(0, 0, 10, 10), None),), ())
    parts = inside_areas(areas, "a", Scene(Path("a.png"), (10, 10), "uint8", 3), found, None).parts
    table = area_table(areas, {"a": Record("", 0, 0, 100, found, areas=parts)}, classes, None, {})
    write_table(table, tmp_path / "areas.csv")
    back = read_area_table(tmp_path / "areas.csv")
    assert list(back.columns[:5]) == ["area", "images", "class_unique", "class_area", "damaged"]
    assert back.iloc[0].tolist() == ["all", "1", "2", "1", "0", "3", "100", "", ""]
    facts = {UNIQUE: {"a": "2"}, DAMAGED: {"a": "odd"}}
    write_table(counts_table({"a": found}, classes, facts), tmp_path / "counts.csv")
    assert list(pd.read_csv(tmp_path / "counts.csv").columns[-3:]) == ["total", "image_unique", "image_damaged"]
    assert read_counts(tmp_path / "counts.csv")["total"].tolist() == [3]
    assert read_facts(tmp_path / "counts.csv") == facts


def test_classes_called_like_each_others_columns_are_told_apart() -> None:
    classes = ("area", "class_area")
    found = Detections(np.array([[5.0, 5], [6, 6], [7, 7]]), np.ones(3), np.array([0, 1, 1]), classes)
    areas = Areas(Path("a.gpkg"), None, (Area("all", shapely.box(0, 0, 10, 10), None),), ())
    parts = inside_areas(areas, "a", Scene(Path("a.png"), (10, 10), "uint8", 3), found, None).parts
    table = area_table(areas, {"a": Record("", 0, 0, 100, found, areas=parts)}, classes, None, {})
    assert table.iloc[0, :5].to_dict() == {
        "area": "all",
        "images": 1,
        "class_class_area": 1,
        "class_area": 2,
        "total": 3,
    }


def test_boxes_reach_half_of_a_typical_object(images: Path) -> None:
    """A patch model's points keep its separation, 8 pixels of 0.5 m; with other resolutions it is so many of theirs."""
    from detect.imagery.ground.footprints import Footprint
    from detect.imagery.ground.geodesy import placement_of
    from detect.imagery.resolution import Resolution
    from detect.reporting.output.repeats import reach_m

    scene = open_scene(images / "a.tif")
    placement = placement_of(scene)
    assert placement is not None
    ground = Footprint(placement, scene.shape)
    assert reach_m(ground, CARD, CARD.radius) == pytest.approx(4.0, rel=1e-3)
    assert reach_m(ground, replace(CARD, resolution=Resolution(scale=2.0)), 8.0) == pytest.approx(2.0, rel=1e-3)
    assert reach_m(ground, replace(CARD, resolution=Resolution(gsd=0.1)), 8.0) == pytest.approx(0.8)
    assert GroundCounts(GroundSurvey(None, "auto", None), {}, CARD).seen is None

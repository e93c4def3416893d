"""Law 9: counts add up: over classes, over disjoint regions, in every file that a run writes."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, Polygon, box, union_all

from detect.evaluation.scores import score_points
from detect.imagery.ground.polygons import Area, Areas
from detect.imagery.scenes import Scene
from detect.imagery.windows import Tiling
from detect.labels.detections import Detections
from detect.labels.writing.format_table import FORMATS
from detect.nets.modelfile import save_model
from detect.reporting.output.area_table import area_table
from detect.reporting.output.ground_survey import inside_areas
from detect.reporting.output.records import Record
from detect.reporting.tables import counts_table, read_counts
from tests.commands import call
from tests.engines import lively, write
from tests.laws.tilings import tilings

CLASSES = ("a", "b")


def points(*rows: tuple[float, str]) -> Detections:
    """Objects on a line."""
    xy = np.array([[row[0], 0] for row in rows]).reshape(-1, 2)
    return Detections.truth(xy, [row[1] for row in rows], CLASSES)


@given(st.lists(st.lists(st.integers(0, 1), max_size=20), max_size=5))
def test_law_9_over_classes_and_images(labels_by_image: list[list[int]]) -> None:
    found = {
        str(i): Detections(np.zeros((len(labels), 2)), np.ones(len(labels)), np.array(labels, int), CLASSES)
        for i, labels in enumerate(labels_by_image)
    }
    table = counts_table(found, CLASSES)
    assert (table["a"] + table["b"] == table["total"]).all()
    assert table["total"].sum() == sum(map(len, labels_by_image))
    for i, labels in enumerate(labels_by_image):
        counts = found[str(i)].counts()
        assert sum(counts.values()) == len(labels)
        assert table.loc[table["image"] == str(i), ["a", "b"]].to_numpy().tolist() == [[counts["a"], counts["b"]]]


@given(tiling=tilings(), seed=st.integers(0, 99))
@settings(deadline=None)
def test_law_9_over_disjoint_regions(tiling: Tiling, seed: int) -> None:
    """The cores of a tiling: objects on the line between two are in one of them, as pixel i spans [i, i + 1)."""
    rng = np.random.default_rng(seed)
    height, width = tiling.shape
    inside = rng.uniform((0, 0), (width, height), (20, 2))
    xy = np.concatenate([inside, np.floor(inside), np.floor(inside) + 0.5])
    things = Detections(xy, np.ones(len(xy)), rng.integers(0, 2, len(xy)), CLASSES)
    parts = [things[core.contains_xy(things.xy)].counts() for core in tiling]
    assert {name: sum(part[name] for part in parts) for name in CLASSES} == things.counts()


tables = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(CLASSES)), max_size=5).map(lambda rows: points(*rows))


@given(found=st.tuples(tables, tables), truth=st.tuples(tables, tables))
@settings(max_examples=50, deadline=None)
def test_law_9_in_the_scores_and_sides_are_symmetric(
    found: tuple[Detections, ...], truth: tuple[Detections, ...]
) -> None:
    found_by, truth_by = dict(zip("xy", found, strict=True)), dict(zip("xy", truth, strict=True))
    scores = score_points(found_by, truth_by, CLASSES, radius=2)
    for side, total in (("true", "objects"), ("found", "found")):
        assert sum(each[side] for each in scores["per_class"].values()) == scores[total]
        assert sum(each[side] for each in scores["per_image"].values()) == scores[total]
        for each in scores["per_image"].values():
            assert sum(one[side] for one in each["per_class"].values()) == each[side]
    matrix = np.array(scores["confusion"]["matrix"])
    assert matrix[:-1].sum() == scores["objects"] and matrix[:, :-1].sum() == scores["found"]
    back = score_points(truth_by, found_by, CLASSES, radius=2)
    assert (scores["f1"], scores["precision"], scores["recall"]) == (back["f1"], back["recall"], back["precision"])
    assert scores["count_mae"] == back["count_mae"]
    assert (scores["f1_classwise"] or 0) <= (scores["f1"] or 0)
    json.dumps(scores, allow_nan=False)


def page_counts(page: Path) -> dict[str, list[int]]:
    """The rows of the page's table of images: the counts of each class and the total."""
    body = re.search(r'<table class="data sortable">(.*?)</table>', page.read_text(encoding="utf-8"), re.S)
    assert body is not None
    rows = [
        [re.sub(r"<.*?>", "", cell).strip() for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.S)]
        for row in re.findall(r"<tr>(.*?)</tr>", body[1], re.S)
    ]
    assert rows[0][1 : len(CLASSES) + 2] == [*CLASSES, "Total"]
    return {row[0]: [int(cell) for cell in row[1 : len(CLASSES) + 2]] for row in rows[1:]}


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over three images in which a random net finds things of two classes, and a broken one."""
    root = tmp_path_factory.mktemp("run")
    (root / "images/deep").mkdir(parents=True)
    for number, name in enumerate(("0.png", "1.png", "deep/2.png")):
        write(root / "images" / name, 150 + 40 * number, 170, number)
    (root / "images/3.png").write_bytes((root / "images/0.png").read_bytes()[:500])
    save_model(root / "model.safetensors", *lively())
    done = call("predict", f"model={root / 'model.safetensors'}", f"images={root / 'images'}", f"output={root / 'out'}")
    assert done.code == 3, done.log
    return root / "out"


def test_law_9_in_the_files_of_a_run(predicted: Path) -> None:
    """Tables, page and record say the same of every image, by class and in all."""
    facts = ["surveyed_share", "unlike", "unlike_in", "damaged"]
    assert list(pd.read_csv(predicted / "counts.csv").columns) == ["image", *CLASSES, "total", *facts]
    counts = read_counts(predicted / "counts.csv").set_index("image")
    assert list(counts.columns) == [*CLASSES, "total"] and (counts.sum() > 0).all()
    assert (counts[list(CLASSES)].sum(axis=1) == counts["total"]).all()
    found = pd.read_csv(predicted / "detections.csv")
    assert len(found) == counts["total"].sum() and set(found["image"]) <= set(counts.index)
    for image, row in counts.iterrows():
        assert [((found["image"] == image) & (found["label"] == name)).sum() for name in CLASSES] == list(row[:-1])
    wanted = {**{image: list(row) for image, row in counts.iterrows()}, "All images": list(counts.sum())}
    assert page_counts(predicted / "report.html") == wanted
    images = json.loads((predicted / "run.json").read_text())["images"]
    failures = pd.read_csv(predicted / "failures.csv")
    assert images == {"done": len(counts), "failed": len(failures)} and list(failures["image"]) == ["3.png"]


def by_image_and_class(rows: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    return dict(Counter(rows))


def counted_in(out: Path, stems: Mapping[str, str]) -> Iterator[tuple[str, dict[tuple[str, str], int]]]:
    """The number of objects by image and class in each format of a run; `stems` are the images without endings."""
    coco = json.loads((out / "coco.json").read_text())
    names = {each["id"]: each["file_name"] for each in coco["images"]}
    kinds = {each["id"]: each["name"] for each in coco["categories"]}
    rows: list[tuple[str, str]] = [
        (names[each["image_id"]], kinds[each["category_id"]]) for each in coco["annotations"]
    ]
    yield "coco", by_image_and_class(rows)
    listed = (out / "yolo/classes.txt").read_text().splitlines()
    rows = [
        (stems[path.relative_to(out / "yolo/labels").with_suffix("").as_posix()], listed[int(line.split()[0])])
        for path in (out / "yolo/labels").rglob("*.txt")
        for line in path.read_text().splitlines()
    ]
    yield "yolo", by_image_and_class(rows)
    trees = [ElementTree.parse(path).getroot() for path in (out / "voc").rglob("*.xml")]
    rows = [
        (top.findtext("filename") or "", each.findtext("name") or "") for top in trees for each in top.iter("object")
    ]
    yield "voc", by_image_and_class(rows)
    tasks = json.loads((out / "labelstudio.json").read_text())
    rows = [
        (task["data"]["image"], each["value"]["keypointlabels"][0])
        for task in tasks
        for each in task["predictions"][0]["result"]
    ]
    yield "labelstudio", by_image_and_class(rows)
    top = ElementTree.parse(out / "cvat.xml").getroot()
    rows = [(str(image.get("name")), str(each.get("label"))) for image in top.iter("image") for each in image]
    yield "cvat", by_image_and_class(rows)
    features = json.loads((out / "detections.geojson").read_text())["features"]
    rows = [(each["properties"]["image"], each["properties"]["label"]) for each in features]
    yield "geojson", by_image_and_class(rows)
    with closing(sqlite3.connect(out / "detections.gpkg")) as base:
        yield "gpkg", by_image_and_class(base.execute("select image, label from detections").fetchall())


def test_law_9_in_every_format_of_a_run(predicted: Path, tmp_path: Path) -> None:
    """Three images with a georeference: each format counts what the table of counts does, by image and class."""
    (tmp_path / "images/deep").mkdir(parents=True)
    stems = {"0": "0.tif", "1": "1.tif", "deep/2": "deep/2.tif"}
    for number, (stem, name) in enumerate(stems.items()):
        with rasterio.open(predicted.parent / f"images/{stem}.png") as source:
            pixels = source.read()
        place = rasterio.Affine(0.5, 0, 500_000 + 1000 * number, 0, -0.5, 5e6)
        profile = {"driver": "GTiff", "count": 3, "height": pixels.shape[1], "width": pixels.shape[2]}
        with rasterio.open(
            tmp_path / "images" / name, "w", **profile, dtype="uint8", crs="EPSG:32633", transform=place
        ) as target:
            target.write(pixels)
    overrides = (f"model={predicted.parent / 'model.safetensors'}", f"images={tmp_path / 'images'}")
    done = call("predict", *overrides, f"output={tmp_path / 'out'}", f"write=[tables,{','.join(FORMATS)}]")
    assert done.code == 0, done.log
    counts = read_counts(tmp_path / "out/counts.csv").set_index("image")
    wanted = {(str(i), name): int(row[name]) for i, row in counts.iterrows() for name in CLASSES if row[name]}
    assert sum(wanted.values()) > 20
    found = dict(counted_in(tmp_path / "out", stems))
    assert set(found) == set(FORMATS)
    assert {name: each for name, each in found.items() if each != wanted} == {}
    table = pd.read_csv(tmp_path / "out/detections.csv")
    assert (
        list(table.columns[-4:]) == ["map_x", "map_y", "lon", "lat"] and not table.isna()[["map_x", "lon"]].any().any()
    )


def test_law_9_in_the_scores_of_a_run(predicted: Path, tmp_path: Path) -> None:
    """Against an annotation of one object an image, `scores.json` counts what `counts.csv` does."""
    counts = pd.read_csv(predicted / "counts.csv")
    truth = pd.DataFrame({"image": counts["image"], "x": 50, "y": 60, "label": "a"})
    truth.to_csv(tmp_path / "truth.csv", index=False)
    done = call(
        "evaluate",
        f"predictions={predicted}",
        f"annotations={tmp_path / 'truth.csv'}",
        f"output={tmp_path / 'out'}",
        "radius=10",
    )
    assert done.code == 0, done.log
    scores = json.loads((tmp_path / "out/scores.json").read_text())
    assert (scores["found"], scores["objects"]) == (counts["total"].sum(), len(counts))
    assert {name: each["found"] for name, each in scores["per_class"].items()} == dict(counts[list(CLASSES)].sum())
    assert {name: each["found"] for name, each in scores["per_image"].items()} == dict(
        zip(counts["image"], counts["total"], strict=True)
    )


@given(cuts=st.lists(st.floats(0, 170), max_size=4, unique=True), turn=st.floats(-30, 30), data=st.data())
@settings(max_examples=40, deadline=None)
def test_law_9_over_plots_side_by_side(cuts: list[float], turn: float, data: st.DataObject) -> None:
    """Strips of the plane, cut at any places and turned, in pixels: every object is in one of them, on an edge too."""
    edges = sorted({*cuts, -1000.0, 1000.0})
    way = Affine.rotation(turn)
    strips = [
        Polygon([way @ corner for corner in ((left, -1000), (right, -1000), (right, 1000), (left, 1000))])
        for left, right in pairwise(edges)
    ]
    areas = Areas(Path("plots.gpkg"), None, tuple(Area(str(i), each, None) for i, each in enumerate(strips)), ())
    places = data.draw(st.lists(st.tuples(st.floats(0, 170), st.floats(0, 150)), max_size=20))
    on_edges = [way @ (edge, y) for edge in cuts for y in (0.0, 75.5)]
    xy = np.array([*places, *on_edges]).reshape(-1, 2)
    things = Detections(xy, np.ones(len(xy)), np.arange(len(xy)) % 2, CLASSES)
    scene = Scene(Path("a.png"), (150, 170), "uint8", 3)
    found = inside_areas(areas, "a", scene, things, None)
    met, kept = found.parts, found.detections
    on_image = [i for i, strip in enumerate(strips) if strip.intersection(box(0, 0, 170, 150)).area > 0]
    assert [part.area for part in met] == on_image
    assert sum(len(part.rows) for part in met) == len(kept)
    record = Record("", 0, 0, 150 * 170, kept, areas=tuple(met), outside=len(things) - len(kept))
    table = area_table(areas, {"a": record}, CLASSES, None, {})
    assert {name: table[name].sum() for name in CLASSES} == kept.counts()
    assert table["total"].sum() == len(kept) and table["surveyed_pixels"].sum() == pytest.approx(
        150 * 170, abs=len(met)
    )
    shown = union_all([strips[i] for i in on_image]).buffer(1e-7)
    assert len(kept) == sum(shown.contains(Point(place)) for place in xy)

"""Annotations are written by a format's name or the target's ending, and hold what they held."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotatedImage, AnnotationError, Annotations
from detect.labels.detections import Detections
from detect.labels.writing.annotation_writing import format_of, write_annotations
from detect.labels.writing.format_table import FORMATS
from detect.labels.writing.outgoing import OutImage, checked_set
from tests.labels.writing.out_sets import CLASSES, SHAPE

in_a_folder = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def annotations(boxes: bool, folder: Path, number: int = 3) -> Annotations:
    """An image with objects and a look-alike, and one that was looked at and has none."""
    rng = np.random.default_rng(number)
    sizes = rng.uniform(2, 20, (number, 2)) if boxes else None
    objects = Detections.truth(rng.uniform(20, 280, (number, 2)), ["cow"] * number, CLASSES, sizes)
    wh = np.full((1, 2), 5.0) if boxes else None
    full = AnnotatedImage(
        "d/a.tif", folder / "d/a.tif", SHAPE, objects, np.array([[50.0, 60]]), "val", "g", ("rock",), wh
    )
    none = Detections.empty(CLASSES, boxes=boxes)
    empty = AnnotatedImage(
        "b.tif",
        folder / "b.tif",
        SHAPE,
        none,
        np.empty((0, 2)),
        "train",
        negative_wh=np.empty((0, 2)) if boxes else None,
    )
    return Annotations((full, empty), CLASSES, boxes, folder)


@pytest.fixture
def rasters(tmp_path: Path) -> Path:
    (tmp_path / "images/d").mkdir(parents=True)
    place = rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 5e6)
    for name in ("d/a.tif", "b.tif"):
        profile = {"driver": "GTiff", "count": 1, "height": SHAPE[0], "width": SHAPE[1], "dtype": "uint8"}
        with rasterio.open(tmp_path / "images" / name, "w", **profile, crs="EPSG:32633", transform=place):
            pass
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("a.csv", "csv"),
        ("a.JSON", "coco"),
        ("a.xml", "cvat"),
        ("a.geojson", "geojson"),
        ("a.gpkg", "gpkg"),
        ("a", "voc"),
    ],
)
def test_the_ending_says_the_format(name: str, format_: str, tmp_path: Path) -> None:
    assert format_of(tmp_path / name) == format_


@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_holds_labels_without_scores(rasters: Path, tmp_path: Path, name: str, boxes: bool) -> None:
    """Points are refused by formats of boxes alone, whose size nobody said."""
    target, labels = tmp_path / f"target.{name}", annotations(boxes, rasters)
    if name in ("yolo", "voc") and not boxes:
        with pytest.raises(ValueError, match=f"{name} holds boxes, these annotations are points"):
            write_annotations(labels, target, name)
        assert not target.exists()
        return
    write_annotations(labels, target, name)
    texts = [path.read_bytes() for path in ([target] if target.is_file() else target.rglob("*")) if path.is_file()]
    assert not any(b"score" in text for text in texts if name != "gpkg")
    assert any(b"rock" in text for text in texts)
    if name in ("geojson", "gpkg"):
        read = geopandas.read_file(target)
        assert read["image"].tolist() == ["d/a.tif"] * 4 and read["label"].tolist() == ["cow"] * 3 + ["rock"]
        assert read["split"].tolist() == ["val"] * 4 and read["group"].tolist() == ["g"] * 4
        assert read.to_crs("EPSG:32633").geometry.centroid.x.between(5e5, 5e5 + 200).all()


def test_sides_of_a_split_are_kept(rasters: Path, tmp_path: Path) -> None:
    labels = annotations(True, rasters)
    write_annotations(labels, tmp_path / "a.json")
    images = json.loads((tmp_path / "a.json").read_text())["images"]
    assert [(each["split"], each.get("group")) for each in images] == [("val", "g"), ("train", None)]
    write_annotations(labels, tmp_path / "yolo", "yolo")
    assert (tmp_path / "yolo/val.txt").read_text() == "./images/d/a.tif\n"
    assert yaml.safe_load((tmp_path / "yolo/data.yaml").read_text())["names"] == dict(enumerate([*CLASSES, "rock"]))


def test_a_format_that_there_is_not_is_answered_with_those_that_there_are(rasters: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'shp' is no format.*csv, geojson"):
        write_annotations(annotations(True, rasters), tmp_path / "a", "shp")
    with pytest.raises(ValueError, match=r"a\.shp: no format.*'\.shp'.*\.csv for csv"):
        write_annotations(annotations(True, rasters), tmp_path / "a.shp")


box = st.tuples(*[st.floats(0, 300, exclude_max=True)] * 2, *[st.floats(0.01, 100)] * 2, st.sampled_from(CLASSES))


@in_a_folder
@given(rows=st.lists(st.lists(box, max_size=5), min_size=1, max_size=3))
def test_law_6_coco_gives_back_every_digit_of_labels(tmp_path: Path, rows: list[list[tuple[float, ...]]]) -> None:
    """Corners and sizes of a person's boxes, as pycocotools reads them; only their sums lose a bit or two."""
    images = []
    for number, each in enumerate(rows):
        table = np.array([row[:4] for row in each], float).reshape(-1, 4)
        objects = Detections.truth(table[:, :2], [str(row[4]) for row in each], CLASSES, table[:, 2:])
        images.append(OutImage(f"{number}.png", SHAPE, objects))
    FORMATS["coco"].write(checked_set(images, CLASSES, scored=False), tmp_path / "a.json")  # type: ignore[union-attr]
    with redirect_stdout(io.StringIO()):
        read = COCO(tmp_path / "a.json")
    for number, image in enumerate(images, start=1):
        found = read.loadAnns(read.getAnnIds(imgIds=[number]))
        assert [CLASSES[each["category_id"] - 1] for each in found] == image.objects.names
        numbers = np.array([each["bbox"] for each in found]).reshape(-1, 4)
        np.testing.assert_allclose(numbers[:, :2] + numbers[:, 2:] / 2, image.objects.xy, rtol=0, atol=1e-10)
        np.testing.assert_allclose(numbers[:, 2:], image.objects.wh, rtol=0, atol=1e-10)


def test_an_unknown_ending_is_an_error_that_names_the_file_and_what_there_is(root: Path, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"t\.txt.*\.xml.*\.json.*\.csv"):
        read_annotations(tmp_path / "t.txt", root)
    with pytest.raises(AnnotationError, match=r"t\.txt.*\.xml.*\.json.*\.csv"):
        read_unchecked(tmp_path / "t.txt")
    with pytest.raises(ValueError, match=r"t\.txt.*'\.txt'.*\.csv.*folder"):
        write_annotations(Annotations((), (), True, root), tmp_path / "t.txt")
    assert not (tmp_path / "t.txt").exists()


def test_a_folder_that_exists_is_written_to_whatever_its_name(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "v1.2"
    folder.mkdir()
    empty = AnnotatedImage("a.png", root / "a.png", (30, 40), Detections.empty((), boxes=True), np.empty((0, 2)))
    write_annotations(Annotations((empty,), (), True, root), folder)
    assert [path.name for path in folder.iterdir()] == ["a.xml"]

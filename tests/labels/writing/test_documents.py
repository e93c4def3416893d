"""Formats of one file or a folder in pixels: what other programs read in them is what was found."""

import io
import json
import logging
from contextlib import redirect_stdout
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from pycocotools.coco import COCO

from detect.labels.detections import Detections
from detect.labels.sheets import UnwritableError
from detect.labels.writing.coco_set import write_coco
from detect.labels.writing.cvat_images import write_cvat
from detect.labels.writing.format_table import FORMATS, FileFormat
from detect.labels.writing.label_studio_tasks import write_label_studio
from detect.labels.writing.outgoing import OutImage, checked_set
from detect.labels.writing.voc_folder import voc_files, voc_texts
from detect.labels.writing.yolo_folder import yolo_files, yolo_texts
from tests.labels.writing.out_sets import CLASSES, SHAPE, found_set, things

BOTH = pytest.mark.parametrize("boxes", [True, False])


@BOTH
def test_pycocotools_reads_coco_and_takes_its_annotations_as_results(tmp_path: Path, boxes: bool) -> None:
    """Points have a keypoint, and a box of a typical object around it: 20 x 10 pixels."""
    out = found_set(boxes)
    write_coco(out, tmp_path / "coco.json")
    with redirect_stdout(io.StringIO()):
        read = COCO(tmp_path / "coco.json")
        results = read.loadRes(read.dataset["annotations"])
    assert [each["name"] for each in read.loadCats(read.getCatIds())] == list(CLASSES)
    assert [each["file_name"] for each in read.loadImgs(read.getImgIds())] == [image.name for image in out.images]
    assert {(each["width"], each["height"]) for each in read.dataset["images"]} == {SHAPE[::-1]}
    for number, image in enumerate(out.images, start=1):
        found = results.loadAnns(results.getAnnIds(imgIds=[number]))
        assert [CLASSES[each["category_id"] - 1] for each in found] == image.objects.names
        assert [each["score"] for each in found] == image.objects.score.tolist()
        corners = np.array([each["bbox"] for each in found]).reshape(-1, 4)
        sizes = image.objects.wh if boxes else np.tile([20.0, 10.0], (len(found), 1))
        assert np.abs(corners[:, :2] + corners[:, 2:] / 2 - image.objects.xy).max(initial=0) <= 0.0011
        assert np.abs(corners[:, 2:] - sizes).max(initial=0) <= 0.0011
        if not boxes:
            assert [each["keypoints"] for each in found] == [[*xy, 2] for xy in image.objects.xy.tolist()]


@BOTH
def test_label_studio_has_a_task_an_image_with_percents_and_scores(tmp_path: Path, boxes: bool) -> None:
    out = found_set(boxes)
    write_label_studio(out, tmp_path / "tasks.json")
    tasks = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    kind = "rectanglelabels" if boxes else "keypointlabels"
    assert [task["data"]["image"] for task in tasks] == [image.name for image in out.images]
    for task, image in zip(tasks, out.images, strict=True):
        (prediction,) = task["predictions"]
        values = [each["value"] for each in prediction["result"]]
        assert [value[kind] for value in values] == [[name] for name in image.objects.names]
        assert [each["score"] for each in prediction["result"]] == image.objects.score.tolist()
        assert {each["type"] for each in prediction["result"]} <= {kind}
        where = np.array([[value["x"], value["y"]] for value in values]).reshape(-1, 2) / 100 * SHAPE[::-1]
        corner = image.objects.xy if image.objects.wh is None else image.objects.xy - image.objects.wh / 2
        assert np.abs(where - corner).max(initial=0) < 1e-9
    ids = [each["id"] for task in tasks for each in task["predictions"][0]["result"]]
    assert len(set(ids)) == len(ids) == 8


@BOTH
def test_cvat_has_every_image_with_boxes_or_points(tmp_path: Path, boxes: bool) -> None:
    out = found_set(boxes)
    write_cvat(out, tmp_path / "cvat.xml")
    top = ElementTree.parse(tmp_path / "cvat.xml").getroot()
    assert top.findtext("version") == "1.1"
    assert [each.findtext("name") for each in top.iter("label")] == list(CLASSES)
    assert [each.get("name") for each in top.iter("image")] == [image.name for image in out.images]
    for element, image in zip(top.iter("image"), out.images, strict=True):
        shapes = element.findall("box" if boxes else "points")
        assert len(list(element)) == len(shapes) == len(image.objects)
        assert [each.get("label") for each in shapes] == image.objects.names
        assert [float(each.findtext("attribute") or "") for each in shapes] == image.objects.score.tolist()
        for each, (x, y) in zip(shapes, image.objects.xy.tolist(), strict=True):
            if boxes:
                left, top_edge, right, bottom = (float(each.get(name) or "") for name in ("xtl", "ytl", "xbr", "ybr"))
                assert ((left + right) / 2, (top_edge + bottom) / 2) == pytest.approx((x, y), abs=0.0011)
            else:
                assert each.get("points") == f"{x:g},{y:g}"


@BOTH
def test_yolo_has_a_file_an_image_of_five_numbers_a_line(boxes: bool, caplog: pytest.LogCaptureFixture) -> None:
    out = found_set(boxes)
    with caplog.at_level(logging.INFO):
        files = dict(yolo_texts(out))
    assert ("box of 20 x 10 pixels" in caplog.text) == (not boxes) and "no scores" in caplog.text
    assert list(files) == yolo_files([image.name for image in out.images])
    assert files["classes.txt"] == "".join(f"{name}\n" for name in CLASSES)
    assert files["labels/empty.txt"] == ""
    for image in out.images[:2]:
        rows = np.loadtxt(io.StringIO(files["labels/" + image.name.rsplit(".", 1)[0] + ".txt"]), ndmin=2)
        assert rows.shape == (len(image.objects), 5)
        assert rows[:, 0].tolist() == image.objects.label.tolist()
        assert np.abs(rows[:, 1:3] * SHAPE[::-1] - image.objects.xy).max() < 1e-8
        assert np.abs(rows[:, 3:] * SHAPE[::-1] - (image.objects.wh if boxes else [20, 10])).max() < 1e-8


def test_sides_of_a_split_are_lists_of_images_in_yolo() -> None:
    images = [OutImage(f"{side}.png", SHAPE, things(1, True), split=side) for side in ("train", "val")]
    files = dict(yolo_texts(checked_set(images, CLASSES, scored=False)))
    assert files["train.txt"] == "./images/train.png\n" and files["val.txt"] == "./images/val.png\n"
    assert yaml.safe_load(files["data.yaml"])["train"] == "train.txt"


def test_voc_has_scores_and_images_without_objects() -> None:
    files = dict(voc_texts(found_set(True)))
    assert list(files) == ["a.xml", "d/ä b.xml", "empty.xml"]
    top = ElementTree.fromstring(files["a.xml"])
    assert [float(each.findtext("score") or "") for each in top.iter("object")] == things(5, True, 5).score.tolist()
    assert not list(ElementTree.fromstring(files["empty.xml"]).iter("object"))


@pytest.mark.parametrize("files", [voc_files, yolo_files])
def test_images_that_would_share_a_file_are_refused(files) -> None:
    with pytest.raises(ValueError, match=r"a\.jpg and .*a\.png|a\.jpg and a\.png"):
        files(["d/a.jpg", "d/a.png"])
    assert len(files(["d/a.jpg", "e/a.jpg"])) >= 2


@pytest.mark.parametrize("name", FORMATS)
def test_points_of_no_known_size_are_refused_where_there_are_only_boxes(name: str, tmp_path: Path) -> None:
    out = checked_set([OutImage("a.png", SHAPE, things(2, False))], CLASSES, scored=False)
    form = FORMATS[name]
    if isinstance(form, FileFormat):
        form.write(out, tmp_path / "part")
    else:
        with pytest.raises(ValueError, match=r"a\.png.*points"):
            list(form.texts(out))


def test_a_name_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(UnwritableError, match="image name"):
        checked_set([OutImage("a\n.png", SHAPE, things(0, False))], CLASSES, scored=True)
    with pytest.raises(UnwritableError, match="label"):
        checked_set([OutImage("a.png", SHAPE, Detections.empty(("",)))], ("",), scored=True)


def test_an_image_whose_labels_would_be_a_list_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"classes\.png.*rename"):
        yolo_files(["a/classes.png"])

"""What labelling programs take: read back by the readers of annotations, by an XML parser and as JSON."""

import json
from xml.etree import ElementTree

import pytest

from detect.imagery.windows import Window
from detect.labels.annotation_files import read_unchecked
from detect.labels.sheets import UnwritableError
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.tasks.task_formats import PROGRAM_FILES, cvat_labels, label_studio_config, pre_annotated
from detect.reviewing.tasks.task_table import task_of

SHAPE = (80, 100)
CLASSES = ("cow", "</Label><b x=\"'&", "ä")
TASKS = [task_of(i + 1, "a.png", Window(20 * i, 10, 20, 40), 10, SHAPE, 9) for i in range(2)]


def objects(side: float | None) -> list[ReviewObject]:
    """In the second window, whose picture begins at column 0 and row 10."""
    places = [(12.25, 21.125, CLASSES[1], 0.75), (49.0, 39.5, "cow", 0.5)]
    return [
        ReviewObject(f"d:{i}", x, y, side, side, label, score, "found") for i, (x, y, label, score) in enumerate(places)
    ]


@pytest.mark.parametrize("program", PROGRAM_FILES)
@pytest.mark.parametrize("side", [None, 8.0])
def test_pictures_come_with_their_objects_in_their_own_pixels(tmp_path, program, side):
    """y 21.125 in the image is 11.125 in a picture that begins at row 10."""
    out = pre_annotated([(TASKS[0], []), (TASKS[1], objects(side))], CLASSES, side is not None, "")
    path = tmp_path / PROGRAM_FILES[program].tasks.rpartition("/")[2]
    PROGRAM_FILES[program].write_tasks(out, path)
    if program == "label_studio":
        given = json.loads(path.read_text())
        assert given[0]["predictions"][0]["result"] == []
        assert [each["score"] for each in given[1]["predictions"][0]["result"]] == [0.75, 0.5]
        path.write_text(json.dumps([{"data": each["data"], "annotations": each["predictions"]} for each in given]))
    found = read_unchecked(path)
    assert [image.name for image in found.images] == [each.picture for each in TASKS]
    assert len(found.images[0].objects) == 0 and found.boxes == (side is not None)
    assert found.images[1].objects.names == [CLASSES[1], "cow"]
    assert found.images[1].objects.xy.tolist() == [pytest.approx([12.25, 11.125]), pytest.approx([49, 29.5])]


def test_an_address_stands_before_the_pictures_names():
    out = pre_annotated([(TASKS[0], [])], CLASSES, False, "https://host/tasks/")
    assert out.images[0].name == f"https://host/tasks/{TASKS[0].picture}"


@pytest.mark.parametrize(("boxes", "kind"), [(True, "RectangleLabels"), (False, "KeyPointLabels")])
def test_the_interface_of_label_studio_has_each_class_once(boxes, kind):
    root = ElementTree.fromstring(label_studio_config(CLASSES, boxes))
    assert (
        "within the dark line" in root.find("Header").get("value")
        and root.tag == "View"
        and root.find("Image").get("value") == "$image"
    )
    labels = root.find(kind)
    assert (labels.get("name"), labels.get("toName")) == ("label", "image")
    assert [each.get("value") for each in labels] == list(CLASSES)
    assert len({each.get("background") for each in labels}) == len(CLASSES)


@pytest.mark.parametrize(("boxes", "kind"), [(True, "rectangle"), (False, "points")])
def test_the_labels_of_cvat_have_a_tag_for_what_was_looked_at(boxes, kind):
    labels = json.loads(cvat_labels(CLASSES, boxes))
    assert [(each["name"], each["type"]) for each in labels] == [
        *((name, kind) for name in CLASSES),
        ("window_reviewed", "tag"),
    ]
    assert all(part["values"] == [part["default_value"]] for each in labels for part in each["attributes"])
    with pytest.raises(ValueError, match="a class is called window_reviewed"):
        cvat_labels(["window_reviewed"], boxes)


def test_a_class_that_cannot_be_written_is_refused():
    with pytest.raises(UnwritableError, match="label"):
        pre_annotated([(TASKS[0], [])], ("a\nb",), False, "")

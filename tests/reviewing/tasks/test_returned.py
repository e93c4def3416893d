"""What comes back: what was looked at is taken, what cannot be understood is not, and nothing is guessed."""

import json
from pathlib import Path

import numpy as np
import pytest

from detect.imagery.windows import Window
from detect.labels.annotations import AnnotationError
from detect.reviewing.tasks.returned import ReturnedFile, ReturnedObject, picture_of, read_returned
from detect.reviewing.tasks.task_table import task_of
from tests.reviewing.tasks.labellers import cvat_text, ls_result

SHAPE = (80, 100)
TASKS = {
    each.picture: each for each in (task_of(i + 1, "a.png", Window(0, 20 * i, 40, 20), 0, SHAPE, 9) for i in range(3))
}
ONE, TWO, THREE = TASKS
SIDES = (40, 20)
COW = ls_result("cow", (5.0, 8.0), SIDES)


def task(picture: str, *results: dict, **more: object) -> dict:
    return {
        "data": {"image": f"/data/local-files/?d=tasks/{picture}"},
        "annotations": [{"result": list(results), **more}],
    }


def label_studio(tmp_path: Path, *tasks: object) -> ReturnedFile:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks))
    return read_returned(path, TASKS, None)


def cvat(tmp_path: Path, reviewed: str | None, *images: tuple) -> ReturnedFile:
    path = tmp_path / "annotations.xml"
    path.write_text(cvat_text(images))
    return read_returned(path, TASKS, reviewed)


def test_label_studio_says_what_was_submitted(tmp_path):
    """Submitted with an object, submitted without, and skipped; one without an annotation is not looked at either."""
    made = label_studio(tmp_path, task(ONE, COW), task(TWO), task(THREE, was_cancelled=True))
    assert made.objects == {ONE: [ReturnedObject("cow", (5, 8))], TWO: []} and made.unlabelled == [THREE]
    made = label_studio(tmp_path, task(ONE, COW), {**task(TWO), "annotations": []})
    assert made.unlabelled == [TWO] and not made.refused
    with pytest.raises(ValueError, match=r"reviewed=all: .* is Label Studio's, which says itself"):
        read_returned(tmp_path / "export.json", TASKS, "all")


def test_the_short_export_of_label_studio_is_read_too(tmp_path):
    """JSON_MIN: an annotation an object, without `data`; one without labels was submitted empty."""
    value = {"x": 50, "y": 50, "width": 0.5, "keypointlabels": ["cow"], "original_width": 20, "original_height": 40}
    who = {"annotation_id": 1, "annotator": 1}
    made = label_studio(tmp_path, {"image": f"x/{ONE}", "label": [value], **who}, {"image": f"x/{TWO}", **who})
    assert made.objects == {ONE: [ReturnedObject("cow", (10, 20))], TWO: []}


def test_cvat_must_be_told_what_was_looked_at(tmp_path):
    images = [(ONE, SIDES, [("cow", (5.0, 8.0))], True), (TWO, SIDES, [], True), (THREE, SIDES, [], False)]
    with pytest.raises(ValueError, match=r"do not say which pictures .* reviewed=tagged, if the tag window_reviewed"):
        cvat(tmp_path, None, *images)
    made = cvat(tmp_path, "tagged", *images)
    assert made.objects == {ONE: [ReturnedObject("cow", (5, 8))], TWO: []} and made.unlabelled == [THREE]
    assert set(cvat(tmp_path, "all", *images).objects) == {ONE, TWO, THREE}
    with pytest.raises(ValueError, match="none of its 1 images has the tag window_reviewed"):
        cvat(tmp_path, "tagged", images[2])


@pytest.mark.parametrize("name", ["polyline", "cuboid", "skeleton", "new"])
def test_a_window_with_shapes_of_cvat_that_are_not_read_is_not_taken(tmp_path, name):
    """A person drew something there, so that what is read would not be all; one that is out of view is none."""
    path = tmp_path / "annotations.xml"
    text = cvat_text([(ONE, SIDES, [("cow", (5.0, 8.0))], True), (TWO, SIDES, [], True)])
    shape = f'<{name} label="cow" points="1,1;2,2" outside="0"/>'
    path.write_text(text.replace("<points", f"{shape}<points"))
    made = read_returned(path, TASKS, "tagged")
    assert "which are not read; remove or redraw them" in made.refused[ONE] and made.objects == {TWO: []}
    path.write_text(path.read_text().replace('outside="0"', 'outside="1"'))
    assert set(read_returned(path, TASKS, "tagged").objects) == {ONE, TWO}


def test_tracks_beside_pictures_are_refused(tmp_path):
    """Their objects are in frames by number, so that no window is known to be without them."""
    path = tmp_path / "annotations.xml"
    text = cvat_text([(ONE, SIDES, [], True)])
    path.write_text(text.replace("</annotations>", '<track id="0" label="cow"/></annotations>'))
    with pytest.raises(AnnotationError, match="tracks, whose objects may be in any picture"):
        read_returned(path, TASKS, "all")


def test_an_object_that_is_there_twice_counts_once_and_double_clicks_are_told(tmp_path, caplog):
    """As in annotations: exact repeats are one object; two half a pixel apart may be two, which only a person knows."""
    half = ls_result("cow", (5.5, 8.0), SIDES)
    made = label_studio(tmp_path, task(ONE, {**COW, "id": "a"}, {**COW, "id": "b"}, {**half, "id": "c"}))
    assert made.objects[ONE] == [ReturnedObject("cow", (5, 8)), ReturnedObject("cow", (5.5, 8))]
    assert "rows that are there twice count once" in caplog.text and "double clicks, two objects" in caplog.text


def brush() -> dict:
    return {**COW, "id": "b", "value": {"format": "rle", "rle": [1, 2], "brushlabels": ["cow"]}}


@pytest.mark.parametrize(
    ("results", "why"),
    [
        ([COW, brush()], "has a shape that cannot be read"),
        ([{**COW, "original_width": 40}], "was labelled at 40 x 40 pixels and was exported with 20 x 40"),
        ([{**COW, "image_rotation": 90}], "has a shape that cannot be read"),
        ([{**COW, "value": {"x": 1e300, "y": 0, "keypointlabels": ["cow"]}}], "has a shape that cannot be read"),
        ([{**COW, "value": {"x": 1, "y": 1, "keypointlabels": []}}], "has a shape that cannot be read"),
        ([ls_result("cow", (5.0, 8.0, 5.0, 9.0), SIDES)], "has a box of 'cow' without a size"),
    ],
)
def test_a_window_with_something_that_cannot_be_read_is_not_taken(tmp_path, results, why):
    """What is in it would not be complete; the other windows are taken."""
    made = label_studio(tmp_path, task(ONE, *results), task(TWO))
    assert why in made.refused[ONE] and made.objects == {TWO: []}


def test_a_picture_that_is_there_twice_is_not_taken(tmp_path):
    made = label_studio(tmp_path, task(ONE, COW), task(f"1/{ONE}"), task(TWO))
    assert made.refused == {ONE: "is there twice; keep the one that holds"} and set(made.objects) == {TWO}
    images = [(ONE, SIDES, [("cow", (5.0, 8.0))], True), (ONE, SIDES, [], True), (TWO, SIDES, [], True)]
    assert set(cvat(tmp_path, "tagged", *images).objects) == {TWO}
    made = cvat(tmp_path, "tagged", (ONE, SIDES, [], True), (ONE, SIDES, [], False))
    assert made.objects == {ONE: []}  # a copy that nobody has looked at


def test_corners_in_another_order_are_those_of_the_box(tmp_path):
    made = cvat(tmp_path, "all", (ONE, SIDES, [("cow", (15.0, 30.0, 5.0, 10.0))], True))
    assert made.objects == {ONE: [ReturnedObject("cow", (5, 10, 15, 30))]}
    assert made.objects[ONE][0].centre == (10, 20)


def test_pictures_of_something_else_are_told_and_a_file_of_nothing_else_is_refused(tmp_path):
    other = ONE.replace("window-0001-", "window-0001-0").replace(".png", "")[:28] + ".png"
    made = label_studio(tmp_path, task(ONE), task(other), task("photo.jpg"), 7, {"annotations": [], "data": {}})
    assert made.foreign == [f"tasks/{other}", "tasks/photo.jpg"] and made.objects == {ONE: []}
    with pytest.raises(ValueError, match="none of its 1 pictures is one of the 3 in survey/tasks"):
        label_studio(tmp_path, task("photo.jpg"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{}"),
        ("a.json", "["),
        ("a.csv", "image,x,y,label\n"),
        ("a.xml", "<annotation/>"),
        ("a.xml", '<!DOCTYPE annotations [<!ENTITY a "b">]><annotations>&a;</annotations>'),
        ("a.xml", "<annotations><image"),
        ("a.zip", "PK"),
    ],
)
def test_other_files_are_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(AnnotationError):
        read_returned(tmp_path / name, TASKS, "all" if name.endswith("xml") else None)


@pytest.mark.parametrize("before", ["", "1/", "a b/upload/", "abcdef12-", "x/00aa11bb-"])
def test_pictures_are_known_under_what_servers_make_of_their_names(before):
    assert picture_of(before + ONE) == ONE
    assert picture_of("window-1.png") == picture_of(f"{ONE}/a.png") == ""


@pytest.mark.parametrize("program", ["label_studio", "cvat"])
def test_damaged_files_are_errors_or_say_what_they_still_say(tmp_path, program):
    """Bytes are changed, removed and repeated at random: an error of ours, or windows of the tasks."""
    rng = np.random.default_rng(0)
    if program == "cvat":
        whole = cvat_text([(ONE, SIDES, [("cow", (5.0, 8.0))], True), (TWO, SIDES, [], True)]).encode()
    else:
        whole = json.dumps([task(ONE, COW), task(TWO)]).encode()
    path = tmp_path / ("a.xml" if program == "cvat" else "a.json")
    read = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            at, length = (int(each) for each in rng.integers(0, (len(data), 20)))
            part = bytes(data[at : at + length])
            data[at : at + length] = [b"", part * 3, bytes(rng.integers(0, 256, length).astype(np.uint8))][
                rng.integers(3)
            ]
        path.write_bytes(data)
        try:
            made = read_returned(path, TASKS, "all" if program == "cvat" else None)
        except (ValueError, OSError):
            continue
        read += 1
        assert {*made.objects, *made.refused, *made.unlabelled} <= {*TASKS} and not {*made.objects} & {*made.refused}
    assert 0 < read < 300

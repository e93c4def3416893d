import json
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotation_files import read_annotations, read_unchecked
from detect.labels.annotations import AnnotationError
from detect.labels.formats.label_studio import label_studio_states

Make = Callable[..., Path]


def result(kind: str, label: str | None = "t", **value: object) -> dict:
    """A shape of an image 40 wide and 30 high, as Label Studio exports it."""
    named = {} if label is None else {kind: [label]}
    return {
        "original_width": 40, "original_height": 30, "image_rotation": 0, "id": "x1", "from_name": "label",
        "to_name": "image", "type": kind, "origin": "manual", "value": value | named,
    }  # fmt: off


def numbered(*results: dict) -> list[dict]:
    return [each | {"id": f"r{i}"} for i, each in enumerate(results)]


def task(*annotations: dict, image: str = "/data/upload/1/abcdef12-a.png") -> dict:
    return {
        "id": 1, "annotations": list(annotations), "predictions": [], "data": {"image": image},
        "file_upload": "abcdef12-a.png", "total_annotations": len(annotations),
    }  # fmt: off


def annotation(*results: dict, **more: object) -> dict:
    head = {"id": 7, "completed_by": 1, "result": numbered(*results), "was_cancelled": False, "ground_truth": False}
    return head | {"updated_at": "2024-05-01T10:00:00Z"} | more


def read(root: Path, table: Make, *tasks: dict) -> list[tuple[str, list]]:
    found = read_annotations(table(json.dumps(tasks), "export.json"), root)
    numbers = [each.objects.boxes_xyxy if found.boxes else each.objects.xy for each in found.images]
    return [(each.name, one.round(9).tolist()) for each, one in zip(found.images, numbers, strict=True)]


def test_percent_of_the_sides_becomes_pixels_for_every_shape(root: Path, table: Make) -> None:
    shapes = [
        result("rectanglelabels", x=10, y=20, width=25, height=50, rotation=0),
        result("rectanglelabels", x=50, y=10, width=20, height=10, rotation=90),  # about its corner, (20, 3)
        result("polygonlabels", points=[[10, 10], [50, 20], [20, 50]], closed=True),
        result("ellipselabels", x=50, y=50, radiusX=10, radiusY=20, rotation=0),
    ]
    want = [[4, 6, 14, 21], [17, 3, 20, 11], [4, 3, 20, 15], [16, 9, 24, 21]]
    assert read(root, table, task(annotation(*shapes))) == [("a.png", want)]


def test_key_points_are_points(root: Path, table: Make) -> None:
    assert read(root, table, task(annotation(result("keypointlabels", x=50, y=50, width=0.5)))) == [
        ("a.png", [[20, 15]])
    ]


@pytest.mark.parametrize(
    "image",
    [
        "/data/upload/1/abcdef12-5.jpg",
        "/data/local-files/?d=images/5.jpg",
        "/data/local-files/?d=images%5C5.jpg",
        "https://host.example/photos/5.jpg?token=a%20b",
        "s3://bucket/images/5.jpg",
        "C:\\photos\\5.jpg",
        "images/5.jpg",
    ],
)
def test_images_are_found_by_addresses_of_servers(root: Path, table: Make, image: str) -> None:
    assert read(root, table, task(annotation(), image=image)) == [("images/5.jpg", [])]


def test_a_name_is_decoded(root: Path, make_image: Make, table: Make) -> None:
    make_image("Möwe 1.png")
    image = "/data/upload/1/abcdef12-M%C3%B6we%201.png"
    assert read(root, table, task(annotation(), image=image)) == [("Möwe 1.png", [])]


def test_one_annotation_of_a_task_is_used_and_cancelled_ones_never(
    root: Path, table: Make, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = result("keypointlabels", x=10, y=10), result("keypointlabels", x=50, y=50)
    late = {"updated_at": "2024-06-01T10:00:00Z"}
    several = task(annotation(old), annotation(new, **late), annotation(old, was_cancelled=True, updated_at="2025"))
    assert read(root, table, several) == [("a.png", [[20, 15]])]
    assert "ground truth or the one changed last" in caplog.text
    marked = task(annotation(old, ground_truth=True), annotation(new, **late))
    assert read(root, table, marked) == [("a.png", [[4, 3]])]


def test_a_task_without_an_annotation_is_not_an_image_without_objects(
    root: Path, table: Make, caplog: pytest.LogCaptureFixture
) -> None:
    bare = task(annotation(was_cancelled=True), image="images/5.jpg")
    assert read(root, table, task(annotation(result("keypointlabels", x=50, y=50))), bare) == [("a.png", [[20, 15]])]
    assert "not labelled" in caplog.text


def test_a_shape_and_its_label_may_be_two_results(root: Path, table: Make) -> None:
    shape = result("rectangle", None, x=10, y=20, width=25, height=50, rotation=0) | {"id": "one"}
    label = shape | {"type": "labels", "value": shape["value"] | {"labels": ["seal"]}}
    both = annotation() | {"result": [shape, label]}
    found = read_annotations(table(json.dumps([task(both)]), "e.json"), root)
    assert found.classes == ("seal",) and len(found.images[0].objects) == 1


def test_the_short_form_is_read(root: Path, table: Make) -> None:
    shape = {"x": 10, "y": 20, "width": 25, "height": 50, "rotation": 0, "rectanglelabels": ["t"]}
    short = {"image": "/data/upload/1/abcdef12-a.png", "id": 1, "annotator": 1, "annotation_id": 7}
    short["label"] = [shape | {"original_width": 40, "original_height": 30}]
    assert read(root, table, short) == [("a.png", [[4, 6, 14, 21]])]


def test_tasks_that_nobody_labelled_are_not_empty_in_the_short_form_either(root: Path, table: Make) -> None:
    """Label Studio lists them with an `annotation_id` of null; a submitted annotation without a shape has a number."""
    shape = {"x": 50, "y": 50, "keypointlabels": ["t"], "original_width": 40, "original_height": 30}
    one = {"image": "a.png", "annotator": 1, "annotation_id": 7, "label": [shape]}
    path = table(json.dumps([one, {"image": "images/5.jpg", "annotator": {}, "annotation_id": None}]), "export.json")
    assert [each.labelled for each in label_studio_states(path)] == [True, False]
    assert read(root, table, *json.loads(path.read_text())) == [("a.png", [[20, 15]])]


def test_drafts_that_nobody_submitted_are_told(root: Path, table: Make, caplog: pytest.LogCaptureFixture) -> None:
    draft = {"drafts": [{"id": 1, "result": [result("keypointlabels", x=10, y=10)], "annotation": 7}]}
    shape = result("keypointlabels", x=50, y=50)
    assert read(root, table, task(annotation(shape)) | draft) == [("a.png", [[20, 15]])]
    assert "drafts that nobody submitted are not used" in caplog.text


def test_labelled_shapes_of_unknown_kinds_are_left_out_and_told(
    root: Path, table: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A vector has a class and no place that is understood; a choice and a relation are no shapes at all."""
    vector = result("vectorlabels", vertices=[{"x": 1, "y": 2}])
    relation = {"type": "relation", "from_id": "r0", "to_id": "r1", "labels": ["near"]}
    point, choice = result("keypointlabels", x=50, y=50), result("choices", None, choices=["blurred"])
    shapes = annotation(point, vector, choice)
    shapes["result"] += [relation, {**relation, "id": ["not", "a", "text"]}]
    assert read(root, table, task(shapes)) == [("a.png", [[20, 15]])]
    assert "1 row left out" in caplog.text and "is a shape of the kind 'vectorlabels'" in caplog.text


def test_brushes_are_left_out_and_told(root: Path, table: Make, caplog: pytest.LogCaptureFixture) -> None:
    brush = result("brushlabels", format="rle", rle=[0, 1, 2])
    keypoints = [result("keypointlabels", x=x, y=50) for x in (10, 20)]
    assert len(read(root, table, task(annotation(*keypoints, brush)))[0][1]) == 2
    assert "brush stroke" in caplog.text


def test_without_a_data_folder_names_are_those_of_the_images(table: Make) -> None:
    path = table(json.dumps([task(annotation(result("keypointlabels", x=50, y=50)))]), "export.json")
    assert list(read_unchecked(path).truth) == ["a.png"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([task(annotation(result("keypointlabels", x=50)))], r"task 1.*x and y"),
        ([task(annotation(result("keypointlabels", x=5, y=5) | {"original_width": None}))], r"task 1.*original_width"),
        ([task(annotation(result("keypointlabels", x=5, y=5) | {"image_rotation": 90}))], r"task 1.*turned"),
        ([task(annotation(), image="none.png")], r"task 1.*none\.png"),
        ([{"data": {"text": "words"}, "annotations": []}], r"task 1.*0 images"),
    ],
)
def test_each_problem_names_the_task_and_the_cause(root: Path, table: Make, content: object, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(json.dumps(content), "export.json"), root)

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError

Make = Callable[..., Path]
Region = tuple[Mapping[str, object], Mapping[str, object]]

HEADER = ["filename", "file_size", "file_attributes", "region_count", "region_id", "region_shape_attributes"]
SHAPES = [
    {"name": "rect", "x": 1, "y": 2, "width": 8, "height": 6},
    {"name": "circle", "cx": 20, "cy": 20, "r": 5},
    {"name": "ellipse", "cx": 20, "cy": 20, "rx": 5, "ry": 2, "theta": math.pi / 2},
    {"name": "polygon", "all_points_x": [10, 20, 15], "all_points_y": [5, 1, 9]},
]
BOXES = [[1, 2, 9, 8], [15, 15, 25, 25], [18, 15, 22, 25], [10, 1, 20, 9]]


def via_csv(images: Mapping[str, list[Region]], header: str = "filename") -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([header, *HEADER[1:], "region_attributes"])
    for name, regions in images.items():
        rows = [[i, json.dumps(shape), json.dumps(words)] for i, (shape, words) in enumerate(regions)] or [
            [0, "{}", "{}"]
        ]
        for row in rows:
            writer.writerow([name, 1234, "{}", len(regions), *row])
    return text.getvalue()


def via_json(images: Mapping[str, list[Region]], *, project: bool, keyed: bool = False) -> str:
    content = {}
    for name, regions in images.items():
        listed = [{"shape_attributes": shape, "region_attributes": words} for shape, words in regions]
        numbered = {str(i): each for i, each in enumerate(listed)} if keyed else listed
        content[f"{name}1234"] = {"filename": name, "size": 1234, "regions": numbered, "file_attributes": {}}
    if not project:
        return json.dumps(content)
    return json.dumps({"_via_settings": {}, "_via_img_metadata": content, "_via_attributes": {"region": {}}})


WRITERS = {
    "t.csv": via_csv,
    "old.csv": lambda images: via_csv(images, "#filename"),
    "project.json": lambda images: via_json(images, project=True),
    "annotations.json": lambda images: via_json(images, project=False),
    "old.json": lambda images: via_json(images, project=False, keyed=True),
}


@pytest.mark.parametrize("name", WRITERS)
def test_shapes_are_upright_boxes_in_every_file_that_via_writes(root: Path, table: Make, name: str) -> None:
    images = {"a.png": [(shape, {"label": "t"}) for shape in SHAPES], "5.jpg": []}
    read = read_annotations(table(WRITERS[name](images), name), root)
    assert [(image.name, len(image.objects)) for image in read.images] == [("a.png", 4), ("images/5.jpg", 0)]
    for found, expected in zip(read.images[0].objects.boxes_xyxy.tolist(), BOXES, strict=True):
        assert found == pytest.approx(expected)


def point(x: float, y: float) -> dict[str, object]:
    return {"name": "point", "cx": x, "cy": y}


@pytest.mark.parametrize("name", WRITERS)
def test_points_are_points_and_lines_are_told(
    root: Path, table: Make, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    line = {"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]}
    images = {"a.png": [(point(3, 4), {"label": "t"}), (line, {"label": "t"})]}
    read = read_annotations(table(WRITERS[name](images), name), root)
    assert not read.boxes and read.images[0].objects.xy.tolist() == [[3, 4]]
    assert "lines are no objects" in caplog.text


@pytest.mark.parametrize(
    ("attributes", "classes"),
    [
        ([{"animal": "seal"}, {"animal": "bird"}], ("bird", "seal")),  # the only one
        ([{"name": "seal", "note": "wet"}, {"name": "bird", "note": ""}], ("bird", "seal")),
        ([{"Species": "seal", "sex": "f"}, {"Species": "seal", "sex": "m"}], ("seal",)),
        ([{"kind": {"seal": True, "bird": False}}, {"kind": {"bird": True}}], ("bird", "seal")),  # boxes to tick
        ([{}, {}], ("object",)),
    ],
)
def test_the_class_is_the_only_attribute_or_one_of_a_known_name(
    root: Path, table: Make, attributes: list[dict], classes: tuple[str, ...]
) -> None:
    images = {"a.png": [(point(i + 1, 5), words) for i, words in enumerate(attributes)]}
    assert read_annotations(table(via_csv(images)), root).classes == classes


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"a.png": [(point(1, 1), {"sex": "f", "age": "1"})]}, r"t\.csv.*age, sex.*call it label"),
        ({"a.png": [(point(1, 1), {"label": "t"}), (SHAPES[0], {"label": "t"})]}, r"1 points.*line 2.*1 boxes.*line 3"),
        ({"a.png": [({"name": "point", "cx": 1}, {"label": "t"})]}, r"t\.csv line 2.*cx, cy.*None"),
        ({"a.png": [({"name": "polygon", "all_points_x": [1]}, {"label": "t"})]}, r"line 2.*all_points_y"),
        ({"none.png": [(point(1, 1), {"label": "t"})]}, r"line 2.*none\.png"),
    ],
)
def test_each_problem_names_the_line_and_the_cause(root: Path, table: Make, images: dict, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(via_csv(images)), root)

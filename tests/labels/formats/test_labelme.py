import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError

Make = Callable[..., Path]


def shape(label: str, kind: str, *points: tuple[float, float]) -> dict:
    return {
        "label": label, "points": [list(each) for each in points], "group_id": None, "description": "",
        "shape_type": kind, "flags": {}, "mask": None,
    }  # fmt: off


def labelme(*shapes: dict, image: str = "a.png", **more: object) -> str:
    head = {"version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": image, "imageData": None}
    return json.dumps(head | {"imageHeight": 30, "imageWidth": 40} | more)


def test_rectangles_polygons_circles_and_masks_are_boxes(root: Path, table: Make) -> None:
    text = labelme(
        shape("t", "rectangle", (9, 8), (1, 2)),  # drawn from the lower right corner
        shape("t", "polygon", (10, 5), (20, 1), (15, 9)),
        shape("t", "circle", (20, 20), (23, 24)),  # the radius is 5
        shape("t", "mask", (30, 10), (35, 20)),
    )
    read = read_annotations(table(text, "a.json"), root)
    assert read.boxes and read.classes == ("t",)
    assert read.images[0].objects.boxes_xyxy.tolist() == [
        [1, 2, 9, 8],
        [10, 1, 20, 9],
        [15, 15, 25, 25],
        [30, 10, 35, 20],
    ]


def test_points_are_points_and_lines_are_told(root: Path, table: Make, caplog: pytest.LogCaptureFixture) -> None:
    text = labelme(shape("s", "point", (3, 4)), shape("road", "linestrip", (0, 0), (9, 9)))
    read = read_annotations(table(text, "a.json"), root)
    assert not read.boxes and read.images[0].objects.xy.tolist() == [[3, 4]] and read.classes == ("s",)
    assert "lines are no objects" in caplog.text


def test_a_folder_has_a_file_an_image_with_paths_of_another_machine(root: Path, table: Make) -> None:
    table(labelme(shape("t", "point", (1, 1)), image="..\\images\\5.jpg"), "labels/five.json")
    folder = table(labelme(image="C:\\Users\\me\\photos\\a.png"), "labels/a.json").parent
    read = read_annotations(folder, root)
    assert [(image.name, len(image.objects)) for image in read.images] == [("a.png", 0), ("images/5.jpg", 1)]


def test_a_file_beside_its_image_means_that_image(root: Path, make_image: Make) -> None:
    for folder in ("images", "other"):
        make_image(f"{folder}/7.png")
        (root / folder / "7.json").write_text(labelme(shape("t", "point", (1, 1)), image="7.png"))
    assert [image.name for image in read_annotations(root, root).images] == ["images/7.png", "other/7.png"]


def test_one_broken_shape_is_left_out_and_told(root: Path, table: Make, caplog: pytest.LogCaptureFixture) -> None:
    broken = [shape("t", "circle", (1, 1)), shape("", "point", (1, 1))]
    text = labelme(*[shape("t", "point", (x, 5)) for x in range(1, 9)], *broken)
    with caplog.at_level(logging.WARNING):
        assert len(read_annotations(table(text, "a.json"), root).images[0].objects) == 8
    assert "shape 9" in caplog.text and "circle of 1 points" in caplog.text
    assert "shape 10" in caplog.text and "no class" in caplog.text


def test_an_image_whose_only_shape_is_broken_is_not_without_objects(root: Path, table: Make) -> None:
    table(labelme(shape("t", "point", (1, 1)), shape("t", "point", (9, 9)), image="images/5.jpg"), "labels/b.json")
    folder = table(labelme(shape("t", "polygon", (1, 1))), "labels/a.json").parent
    assert [image.name for image in read_annotations(folder, root).images] == ["images/5.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (labelme(shape("t", "point", (1, 1)), shape("t", "rectangle", (1, 1), (2, 2))), r"1 points.*1 boxes"),
        (labelme(imageWidth=30, imageHeight=40), r"30 x 40.*40 x 30"),
        (labelme(image="none.png"), r"none\.png"),
        ('{"shapes": 3, "imagePath": "a.png"}', r"a\.json.*shapes, a list"),
        ('{"shapes": [], "imagePath": "a.png"', r"a\.json.*not valid JSON"),
        ('{"imagePath": "a.png", "shapes": ' + "[" * 99 + "]" * 99 + "}", r"a\.json.*deeper"),
        (labelme(shape("t", "point", (1e13, 1))), r"shape 1.*no place in an image"),
    ],
)
def test_each_problem_names_the_file_and_the_cause(root: Path, table: Make, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(text, "a.json"), root)


def test_two_files_of_one_image_are_an_error(root: Path, table: Make) -> None:
    table(labelme(), "labels/a.json")
    folder = table(labelme(), "labels/b.json").parent
    with pytest.raises(AnnotationError, match=r"b\.json.*'a\.png'.*a\.json"):
        read_annotations(folder, root)

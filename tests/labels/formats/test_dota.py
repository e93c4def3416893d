from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError

Make = Callable[..., Path]

HEAD = "imagesource:GoogleEarth\ngsd:0.146\n"


def test_turned_boxes_are_the_upright_boxes_around_them(root: Path, table: Make) -> None:
    text = HEAD + "5 1 9 5 5 9 1 5 small-vehicle 0\n10.5 2.0 20.5 2.0 20.5 8.0 10.5 8.0 ship 1\n"
    read = read_annotations(table(text, "a.txt"), root)
    assert read.images[0].name == "a.png" and read.classes == ("ship", "small-vehicle")
    assert read.images[0].objects.boxes_xyxy.tolist() == [[1, 1, 9, 9], [10.5, 2, 20.5, 8]]


def test_a_folder_has_a_file_an_image_of_any_ending_and_empty_ones_count(root: Path, table: Make) -> None:
    table("1 1 2 1 2 2 1 2 ship 0\n", "labelTxt/5.txt")
    folder = table("", "labelTxt/a.txt").parent
    table("# notes, not labels\n", "labelTxt/readme.txt")
    read = read_annotations(folder, root)
    assert [(image.name, len(image.objects)) for image in read.images] == [("images/5.jpg", 1), ("a.png", 0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "1 1 2 1 2 2 1 ship 0\n", r"a\.txt line 3"),
        (HEAD + "1 1 2 1 2 2 1 2\n", r"a\.txt line 3.*no class"),
        (HEAD + "1 1 2 1 2 2 1 inf ship 0\n", r"a\.txt line 3.*finite.*'inf'"),
        ("1 1 2 1 2 2 1 2 ship 0\n", r"b\.txt.*b\.png"),
    ],
)
def test_each_problem_names_file_line_and_cause(root: Path, table: Make, text: str, message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(text, "b.txt" if "b" in message[:1] else "a.txt"), root)

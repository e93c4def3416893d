from collections.abc import Callable
from pathlib import Path

import pytest

from detect.labels.annotation_files import read_annotations
from detect.labels.annotations import AnnotationError

Make = Callable[..., Path]
POINTS = "image,x,y,label\n"
BOXES = "image,xmin,ymin,xmax,ymax,label\n"


def test_negative_labels_are_not_objects(root: Path, table: Make) -> None:
    read = read_annotations(table(POINTS + "a.png,1,1,rock\na.png,2,2,tree\n"), root, negative_labels=["rock"])
    assert read.classes == ("tree",)
    assert read.images[0].negatives.tolist() == [[1, 1]]
    assert read.images[0].negative_names == ("rock",)
    assert read.images[0].objects.xy.tolist() == [[2, 2]]


def test_a_negative_label_that_does_not_occur_is_logged(
    root: Path, table: Make, caplog: pytest.LogCaptureFixture
) -> None:
    read_annotations(table(POINTS + "a.png,1,1,rock\n"), root, negative_labels=["rok"])
    assert "negative labels ['rok'] do not occur; the labels are ['rock']" in caplog.text


def test_a_label_cannot_be_class_and_negative(root: Path, table: Make) -> None:
    with pytest.raises(ValueError, match=r"\['a'\]"):
        read_annotations(table(POINTS + "a.png,1,1,a\n"), root, negative_labels=["a"], classes=["a"])


def test_the_error_of_an_unknown_label_names_the_classes(root: Path, table: Make) -> None:
    with pytest.raises(AnnotationError, match=r"t\.csv line 3.*'tre'.*\['tree'\]"):
        read_annotations(table(POINTS + "a.png,1,1,tree\na.png,2,1,tre\n"), root, classes=["tree"])


def test_an_error_lists_ten_problems_at_most(root: Path, table: Make) -> None:
    path = table(POINTS + "".join(f"a.png,{50 + i},-99,t\n" for i in range(13)))
    with pytest.raises(AnnotationError) as error:
        read_annotations(path, root)
    lines = str(error.value).splitlines()
    assert "13" in lines[0] and str(path) in lines[0]
    assert len(lines) == 1 + 10 + 1
    assert "3 more" in lines[-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOXES + "a.png,5,5,5,9,t", r"t\.csv line 2.*5,5,5,9"),
        (BOXES + "a.png,5,9,6,9,t", r"t\.csv line 2.*5,9,6,9"),
        (POINTS + "a.png,nan,1,t", r"t\.csv line 2: x empty"),
        (POINTS + "a.png,1,inf,t", r"t\.csv line 2: y .*'inf'"),
        (POINTS + 'a.png,"1,5",1.5,t', r"t\.csv line 2: x .*'1,5'"),
        (POINTS + "a.png,1_0,1,t", r"t\.csv line 2: x .*'1_0'"),
        (POINTS + '"a\n.png",1,y,t\na.png,1,x,t', r"t\.csv line 4: y .*'x'"),
    ],
)
def test_what_is_no_number_or_box_is_an_error_that_names_file_line_and_value(
    root: Path, table: Make, text: str, message: str
) -> None:
    with pytest.raises(AnnotationError, match=message):
        read_annotations(table(text), root)

from pathlib import Path

import numpy as np
import pytest

from detect.imagery.windows import Window
from detect.labels.annotations import AnnotationError
from detect.labels.corrections import Corrections, ReviewedWindow, corrections_bytes, read_corrections
from detect.labels.detections import Detections
from tests.labels.conftest import Make

HEAD = "image,x,y,w,h,label,window_row,window_col,window_height,window_width\n"
CLASSES = ("cow", "sheep")


def reviewed(window: Window, *objects: tuple[float, float, str], image: str = "a.png") -> ReviewedWindow:
    xy = np.array([each[:2] for each in objects]).reshape(-1, 2)
    return ReviewedWindow(image, window, Detections.truth(xy, [each[2] for each in objects], CLASSES))


def test_a_row_is_an_object_and_an_empty_window_has_one_too() -> None:
    windows = (reviewed(Window(0, 4, 10, 20), (4.5, 10, "cow")), reviewed(Window(10, 0, 5, 5), image="b/c.png"))
    content = corrections_bytes(Corrections(windows, CLASSES)).decode()
    assert content == f"{HEAD}a.png,4.5,10,,,cow,0,4,10,20\nb/c.png,,,,,,10,0,5,5\n"


def test_of_overlapping_windows_the_later_one_says_what_is_in_both() -> None:
    """Columns 5 to 10 were reviewed twice: of cow, cow | sheep | two sheep the second cow is gone."""
    first = reviewed(Window(0, 0, 10, 10), (1, 1, "cow"), (6, 1, "cow"))
    later = reviewed(Window(0, 5, 10, 10), (7, 1, "sheep"), (12, 1, "sheep"))
    both = Corrections((first, later), CLASSES)
    assert both.objects("a.png").xy.tolist() == [[1, 1], [7, 1], [12, 1]]
    assert both.objects_in("a.png", Window(0, 0, 10, 10)).xy.tolist() == [[1, 1], [7, 1]]
    assert both.covers("a.png", Window(2, 2, 8, 13)) and not both.covers("a.png", Window(2, 2, 8, 14))


def test_a_window_that_is_reviewed_again_is_there_once() -> None:
    first, later = (reviewed(Window(0, 0, 10, 10), (x, 1, "cow")) for x in (1, 2))
    assert len(Corrections((first, later), CLASSES).windows) == 1


def test_an_object_outside_of_its_window_is_refused() -> None:
    assert len(reviewed(Window(0, 0, 10, 10), (10, 10, "cow")).objects) == 1
    with pytest.raises(ValueError, match="x 11, y 1 is not in its window, rows 0 to 10 and columns 0 to 10"):
        reviewed(Window(0, 0, 10, 10), (11, 1, "cow"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",1,1,,,cow,0,0,10,10", "line 2: image must not be empty"),
        ("a,1,1,,,,0,0,10,10", "line 2: label must be given"),
        ("a,1,1,,,cow,0,0,0,10", "window_height must be a whole number from 1 to 2147483648, got '0'"),
        ("a,1,1,,,cow,0,0,1e2,10", "window_height must be a whole number from 1 to 2147483648, got '1e2'"),
        ("a,1,nan,,,cow,0,0,10,10", "y must be a number of pixels, got 'nan'"),
        ("a,1,1,3,,cow,0,0,10,10", "h must be a number of pixels, got ''"),
        ("a,1,1,3,0,cow,0,0,10,10", "w and h must be more than 0, got 3 and 0"),
        ("a,1,11,,,cow,0,0,10,10", "x 1, y 11 is not in its window"),
        ("a,1,1,2,2,cow,0,0,10,10\na,1,1,,,cow,0,0,10,10", "line 2: a box, and .* line 3 is a point"),
        ("a,1,1,,,pig,0,0,10,10", r"line 2: label must be one of \['cow', 'sheep'\], got 'pig'"),
    ],
)
def test_a_wrong_row_is_named(table: Make, row: str, said: str) -> None:
    with pytest.raises(AnnotationError, match=said):
        read_corrections(table(HEAD + row + "\n"), CLASSES)


def test_columns_that_are_missing_are_named(table: Make) -> None:
    with pytest.raises(AnnotationError, match="columns missing: window_row"):
        read_corrections(table("image,x,y,w,h,label\n"))


def test_without_a_class_list_the_labels_in_use_are_the_classes(table: Make) -> None:
    path: Path = table(f"{HEAD}a,1,1,,,sheep,0,0,10,10\na,2,1,,,cow,0,0,10,10\n")
    assert read_corrections(path).classes == CLASSES

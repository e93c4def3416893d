from dataclasses import replace

import numpy as np
import pytest

from detect.labels.detections import Detections, concatenate


def some() -> Detections:
    return Detections.truth(np.array([[1.0, 2], [3, 4], [5, 6]]), ["b", "a", "b"], ("a", "b"), np.full((3, 2), 2.0))


def test_counts_name_every_class() -> None:
    assert some().counts() == {"a": 1, "b": 2}
    assert Detections.empty(("a", "b")).counts() == {"a": 0, "b": 0}


def test_boxes_reach_half_their_size_around_the_centre() -> None:
    assert some().boxes_xyxy[0].tolist() == [0, 1, 2, 3]


def test_selection_and_shift_keep_the_rest() -> None:
    moved = some()[np.array([True, False, True])].shifted(10, -1)
    assert moved.xy.tolist() == [[11, 1], [15, 5]]
    assert moved.names == ["b", "b"]
    assert moved.wh is not None and len(moved.wh) == 2


def test_other_class_lists_keep_the_names() -> None:
    assert some().with_classes(("b", "x", "a")).names == some().names
    with pytest.raises(ValueError, match=r"\['b'\].*\['a'\]"):
        some().with_classes(("a",))


def test_joined_tables_hold_all_rows_in_order() -> None:
    assert concatenate([some(), some()]).names == some().names * 2
    with pytest.raises(ValueError, match="classes"):
        concatenate([some(), Detections.empty(("a", "b"))])
    with pytest.raises(ValueError, match="one"):
        concatenate([])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": [1.5]}, r"scores.*\[0, 1\].*1\.5"),
        ({"label": [2]}, r"labels.*\[0, 2\).*2 to 2"),
        ({"label": [-1]}, r"labels.*\[0, 2\).*-1"),
        ({"xy": [[np.nan, 0]]}, "coordinates"),
        ({"wh": [[0, 1]]}, "widths"),
        ({"score": [0.5, 0.5]}, r"\[1, 2\]"),
        ({"classes": ("a", "a")}, r"\('a', 'a'\)"),
    ],
)
def test_wrong_tables_are_errors_that_name_bound_and_value(change: dict, message: str) -> None:
    right = {"xy": [[1, 2]], "score": [0.5], "label": [0], "classes": ("a", "b")}
    with pytest.raises(ValueError, match=message):
        Detections(**{**right, **change})


def test_places_and_sizes_are_scaled_along_each_axis() -> None:
    table = Detections(np.array([[4.0, 6.0]]), np.array([0.5]), np.array([0]), ("a",), np.array([[2.0, 8.0]]))
    scaled = table.scaled(0.5, 3)
    assert (scaled.xy.tolist(), scaled.boxes_xyxy.tolist()) == ([[2, 18]], [[1.5, 6, 2.5, 30]])
    assert scaled.score.tolist() == [0.5] and scaled.names == ["a"]
    assert replace(table, wh=None).scaled(2, 2).wh is None

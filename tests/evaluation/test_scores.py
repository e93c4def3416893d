import json
import math

import numpy as np
import pytest

from detect.evaluation.scores import score_points
from detect.labels.detections import Detections

CLASSES = ("a", "b")


def points(*rows: tuple[float, str]) -> Detections:
    """Place objects on a line."""
    xy = np.array([[row[0], 0] for row in rows]).reshape(-1, 2)
    return Detections.truth(xy, [row[1] for row in rows], CLASSES)


TRUTH = {"one": points((0, "a"), (10, "a"), (20, "b")), "two": points((0, "b")), "empty": points()}
FOUND = {"one": points((1, "a"), (10, "b"), (50, "b")), "two": points(), "empty": points((5, "a"))}


def test_known_answers() -> None:
    """Of 4 objects 2 are found (0 at distance 1, 10 at distance 0) by 4 detections, 1 of them with its class.

    Image by image 3, 1, 0 are true and 3, 0, 1 found: errors 0, -1, 1.
    """
    scores = score_points(FOUND, TRUTH, CLASSES, radius=3)
    assert scores["precision"] == 2 / 4
    assert scores["recall"] == 2 / 4
    assert scores["f1"] == 2 * 2 / (4 + 4)
    assert scores["precision_classwise"] == scores["recall_classwise"] == scores["f1_classwise"] == 1 / 4
    assert scores["count_mae"] == pytest.approx(2 / 3)
    assert scores["count_rmse"] == pytest.approx(math.sqrt(2 / 3))
    assert scores["count_bias_percent"] == 0
    assert scores["mean_distance"] == 0.5
    assert (scores["images"], scores["objects"], scores["found"], scores["radius"]) == (3, 4, 4, 3.0)


def test_known_answers_by_class() -> None:
    """Of class a 2 are true, 2 found, 1 agrees; of b 2 are true, 2 found, none agrees."""
    scores = score_points(FOUND, TRUTH, CLASSES, radius=3)
    assert scores["per_class"]["a"] == {
        "f1": 0.5,
        "precision": 0.5,
        "recall": 0.5,
        "true": 2,
        "found": 2,
        "count_mae": 2 / 3,
        "count_rmse": pytest.approx(math.sqrt(2 / 3)),
        "count_bias_percent": 0.0,
    }
    assert scores["per_class"]["b"]["f1"] == 0
    assert scores["macro_f1"] == (0.5 + 0) / 2
    assert scores["balanced_accuracy"] == 0.5, "among pairs only a occurs: one right, one called b"


def test_confusion_has_missed_objects_and_false_alarms() -> None:
    scores = score_points(FOUND, TRUTH, CLASSES, radius=3)
    assert scores["confusion"] == {
        "labels": ["a", "b", "background"],
        "matrix": [[1, 1, 0], [0, 0, 2], [1, 1, 0]],
    }


def test_known_answers_by_image() -> None:
    scores = score_points(FOUND, TRUTH, CLASSES, radius=3)["per_image"]
    assert scores["one"] == {
        "true": 3,
        "found": 3,
        "f1": 2 / 3,
        "precision": 2 / 3,
        "recall": 2 / 3,
        "per_class": {"a": {"true": 2, "found": 1}, "b": {"true": 1, "found": 2}},
    }
    assert (scores["two"]["precision"], scores["two"]["recall"], scores["two"]["f1"]) == (None, 0, 0)
    assert (scores["empty"]["precision"], scores["empty"]["recall"]) == (0, None)


def test_boxes_are_scored_by_their_iou() -> None:
    """Boxes of 10 x 10: moved by 2 the IoU is 8 / 12, by 4 it is 6 / 14; by centres, within 5 pixels, all are found."""
    truth = Detections.truth(np.array([(0.0, 0.0), (50.0, 0.0)]), ["a", "b"], CLASSES, np.full((2, 2), 10.0))
    found = Detections(truth.xy + np.array([(2, 0), (4, 0)]), np.ones(2), truth.label, CLASSES, truth.wh)
    near = score_points({"one": found}, {"one": truth}, CLASSES, radius=5)
    assert (near["f1"], near["radius"], near["iou"], near["mean_distance"]) == (1, 5.0, None, 3)
    overlap = score_points({"one": found}, {"one": truth}, CLASSES, radius=5, iou=0.5)
    assert (overlap["f1"], overlap["precision"], overlap["recall"]) == (0.5, 0.5, 0.5)
    assert (overlap["radius"], overlap["iou"], overlap["mean_distance"]) == (None, 0.5, None)
    assert overlap["per_class"]["a"]["f1"] == 1 and overlap["per_class"]["b"]["f1"] == 0
    assert overlap["confusion"]["matrix"] == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert overlap["count_bias_percent"] == 0
    for scores in (near, overlap):
        assert scores["mean_iou"] == pytest.approx(8 / 12)
        assert (scores["f1_points"], scores["precision_points"], scores["recall_points"]) == (1, 1, 1)
        assert scores["radius_points"] == 5
    assert "mean_iou" not in score_points(FOUND, TRUTH, CLASSES, radius=3)
    json.dumps(overlap, allow_nan=False)


@pytest.mark.parametrize("names", [[], ["one", "two"]])
def test_undefined_numbers_are_null(names: list[str]) -> None:
    nothing = {name: points() for name in names}
    scores = score_points(nothing, nothing, CLASSES, radius=3)
    undefined = ["f1", "precision", "recall", "f1_classwise", "macro_f1", "balanced_accuracy", "count_bias_percent"]
    assert [scores[name] for name in [*undefined, "mean_distance"]] == [None] * 8
    assert scores["count_mae"] == (0 if names else None)
    json.dumps(scores, allow_nan=False)


def test_other_images_and_classes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"without predictions.*\['two'\]"):
        score_points({"one": points()}, {"one": points(), "two": points()}, CLASSES, 3)
    with pytest.raises(ValueError, match=r"without annotations.*\['two'\]"):
        score_points({"one": points(), "two": points()}, {"one": points()}, CLASSES, 3)
    with pytest.raises(ValueError, match=r"\['b'\]"):
        score_points({"one": points((0, "b"))}, {"one": points()}, ["a"], 3)

import json
import logging
import re
from dataclasses import replace

import numpy as np
import pytest

from detect.evaluation import boxes as boxes_module
from detect.evaluation.boxes import average_precision
from detect.labels.detections import Detections

CLASSES = ("a", "b")


def boxes(number: int, *, score: float = 1.0, kind: int = 0, shift: float = 0.0) -> Detections:
    """Boxes of 100 x 100 pixels, 200 apart on a line, moved to the right by `shift`."""
    xy = np.stack([200.0 * np.arange(number) + shift, np.zeros(number)], axis=1)
    return Detections(
        xy,
        np.full(number, score),
        np.full(number, kind),
        CLASSES,
        np.full((number, 2), 100.0),
    )


def scored(found: Detections, truth: Detections) -> dict:
    return average_precision({"i": found}, {"i": truth}, CLASSES)


def test_all_found_and_nothing_else_is_one() -> None:
    scores = scored(boxes(10, score=0.75), boxes(10))
    assert scores == {
        "map50": 1,
        "map": 1,
        "map_from_score": 0.75,
        "average_precision": {"a": {"map50": 1, "map": 1}},
    }
    json.dumps(scores, allow_nan=False)


def test_half_missed_is_the_share_of_recalls_up_to_a_half() -> None:
    """Precision is 1 at the recalls 0, 0.01, ..., 0.5, which are 51 of 101, and 0 at higher ones."""
    scores = scored(boxes(5), boxes(10))
    assert scores["map50"] == pytest.approx(51 / 101) and scores["map"] == pytest.approx(51 / 101)


@pytest.mark.parametrize("number", [101, 350])
def test_more_than_a_hundred_objects_in_an_image_are_all_counted(number: int) -> None:
    """COCO's own limit is 100 detections an image, which would leave 100 / 350 of the recalls."""
    scores = scored(boxes(number), boxes(number))
    assert (scores["map50"], scores["map"]) == (1, 1)
    both = {"i": boxes(number), "j": boxes(3)}
    assert average_precision(both, both, CLASSES)["map"] == 1


@pytest.mark.parametrize(("alarm", "wanted"), [(0.9, 0.5), (0.1, 1.0)])
def test_a_false_alarm_counts_by_its_rank(alarm: float, wanted: float) -> None:
    """One object, found at 0.5: an alarm above it halves the precision at every recall, one below does nothing."""
    far = boxes(1, score=alarm, shift=5000)
    found = Detections(
        np.concatenate([boxes(1).xy, far.xy]), np.array([0.5, alarm]), np.zeros(2, int), CLASSES, np.full((2, 2), 100.0)
    )
    assert scored(found, boxes(1))["map50"] == pytest.approx(wanted)


def test_shifted_boxes_count_up_to_their_iou() -> None:
    """Moved by 23 of 100 pixels: IoU 77 / 123 = 0.626, which is 3 of the 10 thresholds 0.5, 0.55, ..., 0.95."""
    scores = scored(boxes(4, shift=23), boxes(4))
    assert scores["map50"] == 1 and scores["map"] == pytest.approx(0.3)
    assert scores["average_precision"] == {"a": {"map50": 1, "map": pytest.approx(0.3)}}
    far = scored(boxes(4, shift=40), boxes(4))
    assert (far["map50"], far["map"], far["average_precision"]) == (0, 0, {"a": {"map50": 0, "map": 0}})


def test_the_mean_is_over_the_classes_that_occur() -> None:
    """All of a are found, and b is taken for a, which is an alarm of the same rank; 0 of b."""
    truth = {"i": boxes(4), "j": boxes(1, kind=1)}
    scores = average_precision({"i": boxes(4), "j": boxes(1, kind=0)}, truth, CLASSES)
    classes = scores["average_precision"]
    assert set(classes) == {"a", "b"} and classes["b"] == {"map50": 0, "map": 0} and classes["a"]["map50"] > 0.7
    assert scores["map50"] == pytest.approx(classes["a"]["map50"] / 2)
    assert scores["map"] == pytest.approx(classes["a"]["map"] / 2)
    alone = average_precision({"i": boxes(4), "j": boxes(1, kind=1)}, {"i": boxes(4), "j": boxes(0)}, CLASSES)
    assert alone["map50"] == 1 and set(alone["average_precision"]) == {"a"}


def test_images_without_objects_or_detections_count_too() -> None:
    empty = Detections.empty(CLASSES, boxes=True)
    scores = average_precision(
        {"i": boxes(5), "j": empty, "k": empty}, {"i": boxes(5), "j": boxes(5), "k": empty}, CLASSES
    )
    assert scores["map50"] == pytest.approx(51 / 101)


def test_what_is_not_defined_is_null() -> None:
    empty = Detections.empty(CLASSES, boxes=True)
    none = {"map50": None, "map": None, "average_precision": {}}
    assert scored(boxes(2), empty) == {**none, "map_from_score": 1}
    missed = {"map50": 0, "map": 0, "average_precision": {"a": {"map50": 0, "map": 0}}}
    assert scored(empty, boxes(2)) == {**missed, "map_from_score": None}
    assert average_precision({}, {}, CLASSES) == {**none, "map_from_score": None}


def test_the_lowest_score_among_the_detections_is_returned() -> None:
    found = {"i": boxes(3, score=0.5), "j": boxes(1, score=0.25), "k": Detections.empty(CLASSES, boxes=True)}
    assert average_precision(found, {name: boxes(3) for name in found}, CLASSES)["map_from_score"] == 0.25


def test_too_many_true_boxes_are_logged_and_not_scored(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(boxes_module, "MAX_BOXES_PER_IMAGE", 20)
    few, many = boxes(20), boxes(21)
    with caplog.at_level(logging.WARNING, "detect"):
        assert scored(few, few)["map50"] == 1 and not caplog.text
        scores = scored(few, many)
    assert (scores["map50"], scores["map"], scores["map_from_score"]) == (None, None, 1)
    assert re.search(r"mAP.*\b21 true boxes.*\b20\b", caplog.text)


def test_of_too_many_found_the_lowest_scores_are_left_out_in_all_images(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Image i holds 5 boxes at 0.9, 0.8, ... 0.5, one too many: 0.5 is left out, in j too, whose box is lost."""
    monkeypatch.setattr(boxes_module, "MAX_BOXES_PER_IMAGE", 4)
    many = replace(boxes(5), score=np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
    truth = {"i": boxes(3), "j": boxes(1)}
    with caplog.at_level(logging.WARNING, "detect"):
        scores = average_precision({"i": many, "j": boxes(1, score=0.5)}, truth, CLASSES)
    assert scores["map_from_score"] == 0.6
    assert scores["map50"] == pytest.approx(76 / 101)  # recall reaches 3 of 4, at 76 of COCO's 101 recalls
    assert re.search(r"mAP.*\b0\.500\b.*more than 4\b", caplog.text)


def test_classes_are_compared_by_name() -> None:
    """The model's own order of classes is another."""
    found = Detections(boxes(3).xy, np.ones(3), np.ones(3, int), ("b", "a"), np.full((3, 2), 100.0))
    assert scored(found, boxes(3))["map50"] == 1


def test_points_have_no_boxes() -> None:
    points = Detections(boxes(1).xy, np.ones(1), np.zeros(1, int), CLASSES)
    with pytest.raises(ValueError, match="points"):
        scored(points, boxes(1))

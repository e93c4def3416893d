import json

import numpy as np
import pytest

from detect.evaluation import score_boxes
from detect.labels import Detections

CLASSES = ("a", "b")


def boxes(number: int, *, score: float = 1.0, kind: int = 0, shift: float = 0.0) -> Detections:
    """Boxes of 100 x 100 pixels, 200 apart on a line, moved to the right by `shift`."""
    xy = np.stack([200.0 * np.arange(number) + shift, np.zeros(number)], axis=1)
    return Detections(
        xy, np.full(number, score), np.full(number, kind), CLASSES,
        np.full((number, 2), 100.0),
    )  # fmt: skip


def scored(found: Detections, truth: Detections) -> dict:
    return score_boxes({"i": found}, {"i": truth}, CLASSES)


def test_all_found_and_nothing_else_is_one() -> None:
    scores = scored(boxes(10, score=0.7), boxes(10))
    assert scores == {"map50": 1, "map": 1, "mean_iou": 1, "map_per_class": {"a": 1}}
    json.dumps(scores, allow_nan=False)


def test_half_missed_is_the_share_of_recalls_up_to_a_half() -> None:
    """Precision is 1 at the recalls 0, 0.01, ..., 0.5, which are 51 of 101, and 0 beyond."""
    scores = scored(boxes(5), boxes(10))
    assert scores["map50"] == pytest.approx(51 / 101) and scores["map"] == pytest.approx(51 / 101)
    assert scores["mean_iou"] == 1


@pytest.mark.parametrize("number", [101, 350])
def test_more_than_a_hundred_objects_in_an_image_are_all_counted(number: int) -> None:
    """COCO's own limit is 100 detections an image, which would leave 100 / 350 of the recalls."""
    scores = scored(boxes(number), boxes(number))
    assert (scores["map50"], scores["map"]) == (1, 1)
    both = {"i": boxes(number), "j": boxes(3)}
    assert score_boxes(both, both, CLASSES)["map"] == 1


@pytest.mark.parametrize(("alarm", "wanted"), [(0.9, 0.5), (0.1, 1.0)])
def test_a_false_alarm_counts_by_its_rank(alarm: float, wanted: float) -> None:
    """One object, found at 0.5: an alarm above it halves the precision at every recall, one below does nothing."""
    far = boxes(1, score=alarm, shift=5000)
    found = Detections(
        np.concatenate([boxes(1).xy, far.xy]), np.array([0.5, alarm]), np.zeros(2, int), CLASSES, np.full((2, 2), 100.0)
    )
    assert scored(found, boxes(1))["map50"] == pytest.approx(wanted)


def test_boxes_that_lie_badly_count_up_to_their_iou() -> None:
    """Moved by 23 of 100 pixels: IoU 77 / 123 = 0.626, which is 3 of the 10 thresholds 0.5, 0.55, ..., 0.95."""
    scores = scored(boxes(4, shift=23), boxes(4))
    assert scores["map50"] == 1 and scores["map"] == pytest.approx(0.3)
    assert scores["mean_iou"] == pytest.approx(77 / 123)
    assert scored(boxes(4, shift=40), boxes(4)) == {
        "map50": 0, "map": 0, "mean_iou": None, "map_per_class": {"a": 0},
    }  # fmt: skip


def test_the_mean_is_over_the_classes_that_occur() -> None:
    """All of a are found; b was found where a is, so 0 of b's one; half of each, and alarms of no class that occurs."""
    truth = {"i": boxes(4), "j": boxes(1, kind=1)}
    found = {"i": boxes(4), "j": boxes(1, kind=0)}
    scores = score_boxes(found, truth, CLASSES)
    assert scores["map_per_class"]["b"] == 0
    assert scores["map50"] == pytest.approx(scores["map_per_class"]["a"] / 2)
    assert scores["mean_iou"] == 1  # whatever their class
    alone = score_boxes({"i": boxes(4), "j": boxes(1, kind=1)}, {"i": boxes(4), "j": boxes(0)}, CLASSES)
    assert alone["map50"] == 1


def test_images_without_objects_or_detections_count_too() -> None:
    empty = Detections.empty(CLASSES, boxes=True)
    scores = score_boxes({"i": boxes(5), "j": empty, "k": empty}, {"i": boxes(5), "j": boxes(5), "k": empty}, CLASSES)
    assert scores["map50"] == pytest.approx(51 / 101)


def test_what_is_not_defined_is_null() -> None:
    empty = Detections.empty(CLASSES, boxes=True)
    assert scored(boxes(2), empty) == {"map50": None, "map": None, "mean_iou": None, "map_per_class": {}}
    assert scored(empty, boxes(2)) == {"map50": 0, "map": 0, "mean_iou": None, "map_per_class": {"a": 0}}
    assert score_boxes({}, {}, CLASSES)["map"] is None


def test_classes_are_compared_by_name() -> None:
    """The model's own order of classes is another."""
    found = Detections(boxes(3).xy, np.ones(3), np.ones(3, int), ("b", "a"), np.full((3, 2), 100.0))
    assert scored(found, boxes(3))["map50"] == 1


def test_points_have_no_boxes() -> None:
    points = Detections(boxes(1).xy, np.ones(1), np.zeros(1, int), CLASSES)
    with pytest.raises(ValueError, match="these detections are points and have no boxes"):
        scored(points, boxes(1))

"""The line that a training or an evaluation ends with: no average hides a class."""

from typing import Any

import numpy as np
import pytest

from detect.evaluation.matching import Criterion
from detect.evaluation.patch_scores import score_patches
from detect.evaluation.scene_scores import MOST_NAMED, score_scenes, shortfalls, shown_scores, verdict
from detect.labels.detections import Detections


def table(classes: tuple[str, ...], *names: str) -> Detections:
    """Points a hundred pixels apart, one of each name."""
    label = np.array([classes.index(name) for name in names], np.int64)
    xy = 100.0 * np.arange(len(names))[:, None] * np.ones(2)
    return Detections(xy, np.ones(len(names)), label, classes)


def scores_of(classes: tuple[str, ...], found: tuple[str, ...], true: tuple[str, ...]) -> dict[str, Any]:
    return score_scenes({"a.png": table(classes, *found)}, {"a.png": table(classes, *true)}, Criterion(10.0))


def test_a_class_that_is_always_taken_for_another_is_named_beside_an_f1_of_one() -> None:
    """Two cows and two sheep, all found as cows: F1 whatever the class is 1; of cows 2 * 2 / (4 + 2) = 0.667, of sheep
    0, so that macro F1 is 0.333. No pig is annotated."""
    scores = scores_of(("cow", "pig", "sheep"), ("cow",) * 4, ("cow", "cow", "sheep", "sheep"))
    assert (scores["f1"], round(scores["macro_f1"], 3)) == (1.0, 0.333)
    for line in (verdict(scores, 0.5, "radius 10"), shown_scores(scores)):
        told = line.partition("; ")[2].split("; ")
        assert told == [
            "macro F1 of 2 classes 0.333",
            "never found: sheep (of 2)",
            "F1 below that: cow 0.667",
            "not among the labels: pig",
        ]


def test_nothing_is_added_where_nothing_fell_short() -> None:
    assert shortfalls(scores_of(("cow", "sheep"), ("cow", "sheep"), ("cow", "sheep"))) == ""
    assert shortfalls(scores_of(("cow",), (), ("cow",))) == "", "of one class the score hides none"


def test_of_fifty_classes_the_worst_are_named_and_the_others_counted() -> None:
    """Forty are never found, ten always; five that the labels do not have make fifty-five."""
    classes = tuple(f"c{i:02}" for i in range(55))
    line = shortfalls(scores_of(classes, classes[:10], classes[:50]))
    assert "never found: c10 (of 1), c11 (of 1), c12 (of 1), c13 (of 1), c14 (of 1) and 35 more" in line
    assert "not among the labels: c50, c51, c52, c53, c54" in line and "c50, c51, c52, c53, c54 and" not in line
    assert len(line) < 300 and MOST_NAMED == 5


def test_a_classifier_of_patches_names_what_its_accuracy_hides() -> None:
    """Ninety of a and ten of b, all classified as a: accuracy 0.9; F1 of a 180 / 190 = 0.947, of b 0; none of c."""
    scores = score_patches(np.array([0] * 90 + [1] * 10), np.tile([0.9, 0.05, 0.05], (100, 1)), ("a", "b", "c"))
    line = verdict(scores, 0.5, "")
    assert line.startswith("accuracy 0.900, balanced accuracy 0.500; macro F1 of 2 classes 0.474")
    assert "never found: b (of 10)" in line and "not among the labels: c" in line


@pytest.mark.parametrize(("found", "true"), [((), ("cow",)), (("cow",), ()), ((), ())])
def test_a_score_of_nothing_is_undefined_and_no_error(found: tuple[str, ...], true: tuple[str, ...]) -> None:
    """The last line of a training that found nothing at all."""
    assert "undefined" in verdict(scores_of(("cow", "pig"), found, true), 0.5, "radius 10")

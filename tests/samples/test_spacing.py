"""How near labelled objects lie to each other."""

from dataclasses import replace

import numpy as np
import pytest

from detect.labels.detections import Detections
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.sizes import greatest_overlaps, nearest_others

CLASSES = ("a", "b")


def points(scene: LabelledScene, *x: float) -> LabelledScene:
    xy = np.array([(each, 5.0) for each in x]).reshape(-1, 2)
    return replace(scene, objects=Detections.truth(xy, ["a"] * len(x), CLASSES))


def squares(scene: LabelledScene, labels: str, *x: float) -> LabelledScene:
    xy, wh = np.array([(each, 50.0) for each in x]).reshape(-1, 2), np.full((len(x), 2), 10.0)
    return replace(scene, objects=Detections.truth(xy, list(labels), CLASSES, wh))


def test_the_distance_that_95_percent_of_points_keep(scene) -> None:
    """Nearest others are 4, 4, 16 and 50, 50 pixels away: the 5th percentile, between the two least, is 4."""
    one, two, lonely = points(scene("1.png"), 0, 4, 20), points(scene("2.png"), 0, 50), points(scene("3.png"), 7)
    assert nearest_others([one, two, lonely]) == pytest.approx(4)
    far = points(scene("4.png"), *range(0, 2000, 20))
    assert nearest_others([one, far]) == pytest.approx(np.percentile([4, 4, 16] + [20] * 100, 5))
    assert nearest_others([lonely, points(scene("5.png"))]) is None


def test_distances_along_an_axis_are_those_of_squares_of_cells(scene) -> None:
    """Points 30 apart in x and 40 in y: 50 as the crow flies, 40 along an axis."""
    apart = replace(scene("1.png"), objects=Detections.truth(np.array([[0.0, 0.0], [30.0, 40.0]]), ["a", "a"], CLASSES))
    assert nearest_others([apart]) == pytest.approx(50)
    assert nearest_others([apart], along_axis=True) == pytest.approx(40)


def test_the_overlap_that_95_percent_of_boxes_stay_below(scene) -> None:
    """Squares of 10 pixels that are 5 apart share 50 of 150 pixels; the other class does not count."""
    one = squares(scene("1.png"), "aab", 20, 25, 22)
    assert greatest_overlaps([one]) == pytest.approx(np.percentile([1 / 3, 1 / 3, 0], 95))
    assert greatest_overlaps([one, squares(scene("2.png"), "a", 20)]) == pytest.approx(1 / 3)
    apart = squares(scene("3.png"), "a" * 100, *range(0, 2000, 20))
    assert greatest_overlaps([one, apart]) == 0
    assert greatest_overlaps([points(scene("4.png"), 0, 4)]) is None

"""Windows for labelling: undecided scores first, more where an image is unlike."""

import numpy as np

from detect.evaluation.survey.partition import survey_windows
from detect.labels.detections import Detections
from detect.reporting.survey.ranked_windows import ranked_bytes, ranked_windows, undecided

WINDOWS = survey_windows({"a": (10, 30), "b": (10, 10)}, 10)
"""Three windows of `a` side by side, and one of `b`."""


def things(*rows):
    xy, score = np.array([(x, 5) for x, _ in rows], float), np.array([score for _, score in rows], float)
    return Detections(xy, score, np.zeros(len(rows), int), ("x",))


def test_the_threshold_is_where_a_score_says_least():
    """With a threshold of 0.4: 0.2 / 0.4 below it, (1 - 0.7) / (1 - 0.4) above."""
    found = undecided(np.array([0, 0.2, 0.4, 0.7, 1]), np.full(5, 0.4))
    assert np.allclose(found, [0, 0.5, 1, 0.5, 0])
    assert undecided(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.0, 1.0])).tolist() == [1, 0.5, 1]


def test_undecided_objects_add_up_and_unlike_images_count_more():
    """Windows of `a`: 1, 0.5 and 0; that of `b` 0.6, in an image unlike by 0.9: 0.6 x 1.9 = 1.14."""
    guide = {"a": things((5, 0.5), (15, 0.25)), "b": things((5, 0.3))}
    ranked = ranked_windows(WINDOWS, guide, {"x": 0.5}, {"b": 0.9}, np.zeros(4, bool))
    assert ranked.order.tolist() == [3, 0, 1, 2]
    assert ranked_windows(WINDOWS, guide, {"x": 0.5}, {}, np.array([1, 0, 0, 0], bool)).order.tolist() == [3, 1, 2]
    assert ranked_bytes(ranked, 2).decode().splitlines() == [
        "rank,image,row,col,height,width,uncertain,unlike",
        "1,b,0,0,10,10,0.600,0.900",
        "2,a,0,0,10,10,1.000,0.000",
    ]

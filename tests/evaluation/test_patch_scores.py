import json
import math

import numpy as np
import pytest

from detect.evaluation.patch_scores import score_patches
from tests.evaluation.test_scores import CLASSES


def test_patches_known_answers() -> None:
    """Class 0: 2 of 2 right. Class 1: 1 of 2 right. F1 of 0 is 4 / (2 + 3), of 1 it is 2 / (2 + 1).

    ROC: of the 4 pairs (positive, negative) all but none are in order: scores of class 1 are 0.1 0.4 | 0.3 0.9; the
    positive 0.3 is below the negative 0.4, so 3 of 4. The average precision of class 1 down the ranking 0.9+ 0.4- 0.3+
    0.1- is (1 / 1 + 2 / 3) / 2; of class 0, whose scores are 0.9+ 0.7- 0.6+ 0.1-, the same.
    """
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.1, 0.9]])
    scores = score_patches(np.array([0, 0, 1, 1]), probabilities, CLASSES)
    assert scores["accuracy"] == 3 / 4
    assert scores["balanced_accuracy"] == (1 + 0.5) / 2
    assert scores["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert scores["roc_auc"] == 3 / 4
    assert scores["pr_auc"] == pytest.approx((1 + 2 / 3) / 2)
    assert scores["per_class"]["b"]["recall"] == 0.5 and scores["per_class"]["b"]["precision"] == 1
    assert (scores["per_class"]["a"]["true"], scores["per_class"]["a"]["found"]) == (2, 3)
    assert scores["confusion"] == {"labels": ["a", "b"], "matrix": [[2, 0], [1, 1]]}
    json.dumps(scores, allow_nan=False)


def test_a_single_class_has_no_roc() -> None:
    scores = score_patches(np.array([0, 0]), np.array([[0.9, 0.1], [0.2, 0.8]]), CLASSES)
    assert scores["roc_auc"] is None
    assert scores["pr_auc"] == 1
    assert scores["balanced_accuracy"] == 0.5
    assert scores["per_class"]["b"]["recall"] is None
    json.dumps(scores, allow_nan=False)


@pytest.mark.parametrize(
    ("labels", "probabilities", "named"),
    [
        ([], np.empty((0, 2)), r"probabilities.*\(0, 2\)"),
        ([0], np.ones((1, 3)), r"\(1, 2\).*\(1, 3\)"),
        ([2], np.ones((1, 2)), r"labels.*\[0, 2\).* 2"),
        ([0], np.array([[math.nan, 1]]), r"probabilities.*\[0, 1\].*nan"),
    ],
)
def test_wrong_patches_are_refused(labels: list[int], probabilities: np.ndarray, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        score_patches(np.array(labels), probabilities, CLASSES)

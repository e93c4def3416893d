import numpy as np
import pytest

from detect.evaluation.whole.many_scores import score_many


def test_known_numbers() -> None:
    """a: found in images 1 and 2, true in 1 and 3: F1 1/2. b: found and true in 2 alone: F1 1. c is nowhere."""
    truth = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0]], float)
    scores = score_many(truth, np.array([[0.9, 0.1, 0.2], [0.7, 0.8, 0.1], [0.2, 0.3, 0.1]]), ["a", "b", "c"], 0.5)
    assert scores["per_class"]["a"]["f1"] == 0.5 and scores["per_class"]["b"]["f1"] == 1.0
    assert scores["macro_f1"] == 0.75 and scores["accuracy"] == pytest.approx(1 / 3)
    assert scores["per_class"]["c"]["roc_auc"] is None and scores["roc_auc"] is not None


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="one shape"):
        score_many(np.zeros((2, 2)), np.zeros((2, 3)), ["a", "b"], 0.5)

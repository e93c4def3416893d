"""Scores of a classifier of images that may have any number of classes, as plain numbers for `scores.json`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.calibration import reliability_of


def score_many(
    truth: NDArray[np.floating], probabilities: NDArray[np.floating], classes: Sequence[str], threshold: float
) -> dict[str, Any]:
    """Score the probabilities of classes of which an image may have any number, each by itself.

    `macro_f1`, `roc_auc` and `pr_auc` (average precision) are means over the classes that occur; a number that is not
    defined, such as the ROC of a class that every image has, is None.

    Args:
        truth: (N, C) 1 for each class that an image has, else 0.
        probabilities: (N, C) in [0, 1].
        classes: the C class names.
        threshold: probability from which on a class is there.

    Returns:
        `accuracy`, the share of the images of which every class is right, `f1` of all labels together, `macro_f1`,
        `balanced_accuracy` (the mean recall), `patches`, `per_class`, and how well the probabilities hold.

    Raises:
        ValueError: no images, or shapes that disagree.
    """
    from sklearn.metrics import average_precision_score, f1_score, precision_recall_fscore_support, roc_auc_score

    wanted, there = truth > 0.5, probabilities >= threshold
    if not len(truth) or truth.shape != probabilities.shape or truth.shape[1] != len(classes):
        raise ValueError(
            f"truth and probabilities must be of one shape (N, {len(classes)}) with images, got {truth.shape} and "
            f"{probabilities.shape}"
        )
    precision, recall, f1, true = precision_recall_fscore_support(wanted, there, average=None, zero_division=0.0)
    per_class = {}
    for place, name in enumerate(classes):
        known, score = wanted[:, place], probabilities[:, place]
        both = 0 < true[place] < len(truth)
        per_class[name] = {
            "precision": float(precision[place]),
            "recall": float(recall[place]),
            "f1": float(f1[place]),
            "true": int(true[place]),
            "found": int(there[:, place].sum()),
            "roc_auc": float(roc_auc_score(known, score)) if both else None,
            "pr_auc": float(average_precision_score(known, score)) if true[place] else None,
        }
    occurring = [each for each in per_class.values() if each["true"]]
    return {
        "accuracy": float((wanted == there).all(axis=1).mean()),
        "balanced_accuracy": _mean([each["recall"] for each in occurring]),
        "f1": float(f1_score(wanted, there, average="micro", zero_division=0.0)),
        "macro_f1": _mean([each["f1"] for each in occurring]),
        "roc_auc": _mean([each["roc_auc"] for each in occurring]),
        "pr_auc": _mean([each["pr_auc"] for each in occurring]),
        "patches": len(truth),
        "threshold": threshold,
        "per_class": per_class,
        **reliability_of(probabilities.ravel().astype(np.float64), wanted.ravel()),
    }


def _mean(values: Sequence[Any]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None

"""Scores of classified patches, as plain numbers for `scores.json`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.scores import mean_of_known, rates_of


def score_patches(
    truth_label: NDArray[np.integer], probabilities: NDArray[np.floating], classes: Sequence[str]
) -> dict[str, Any]:
    """Score a classifier's probabilities for labelled patches.

    The class found is the most probable one. `balanced_accuracy`, `macro_f1`, `roc_auc` (one class against the rest)
    and `pr_auc` (average precision) are means over the classes that occur in the truth; a number that is not defined,
    such as the ROC of a single class, is None.

    Args:
        truth_label: (N,) positions in `classes`.
        probabilities: (N, K) in [0, 1].
        classes: the K class names.

    Raises:
        ValueError: no patches, shapes that disagree, a label outside the classes, or probabilities outside [0, 1].
    """
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support, recall_score

    truth_label, probabilities = np.asarray(truth_label, np.int64), np.asarray(probabilities, np.float64)
    _check_patches(truth_label, probabilities, len(classes))
    best = probabilities.argmax(axis=1)
    labels = np.arange(len(classes))
    _, _, f1, true = precision_recall_fscore_support(truth_label, best, labels=labels, zero_division=0.0)
    matrix = confusion_matrix(truth_label, best, labels=labels)
    areas = [_areas(truth_label == i, probabilities[:, i]) for i in labels]
    per_class = {
        name: rates_of(matrix[i, i], matrix[:, i].sum(), true[i])
        | {"true": int(true[i]), "found": int(matrix[:, i].sum()), **areas[i]}
        for i, name in enumerate(classes)
    }
    occurring = np.flatnonzero(true)
    return {
        "accuracy": float(accuracy_score(truth_label, best)),
        "balanced_accuracy": float(
            recall_score(truth_label, best, labels=occurring, average="macro", zero_division=0.0)
        ),
        "macro_f1": float(f1[occurring].mean()),
        "roc_auc": mean_of_known([areas[i]["roc_auc"] for i in occurring]),
        "pr_auc": mean_of_known([areas[i]["pr_auc"] for i in occurring]),
        "patches": len(truth_label),
        "per_class": per_class,
        "confusion": {"labels": list(classes), "matrix": matrix.tolist()},
    }


def _check_patches(truth_label: NDArray[np.integer], probabilities: NDArray[np.floating], classes: int) -> None:
    """Check the shapes and ranges of labels and probabilities."""
    if not len(truth_label) or probabilities.shape != (len(truth_label), classes):
        raise ValueError(
            f"expected probabilities of shape ({len(truth_label)}, {classes}), 1 row or more, got {probabilities.shape}"
        )
    if truth_label.min() < 0 or truth_label.max() >= classes:
        raise ValueError(f"labels must be in [0, {classes}), got {truth_label.min()} to {truth_label.max()}")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError(f"probabilities must be in [0, 1], got {probabilities.min()} to {probabilities.max()}")


def _areas(positive: NDArray[np.bool_], probability: NDArray[np.floating]) -> dict[str, float | None]:
    """Return the areas under the ROC and the precision-recall curve of one class against the rest."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    some, all_of_them = bool(positive.any()), bool(positive.all())
    return {
        "roc_auc": float(roc_auc_score(positive, probability)) if some and not all_of_them else None,
        "pr_auc": float(average_precision_score(positive, probability)) if some else None,
    }

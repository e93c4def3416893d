"""Curves of one class against the rest: receiver operating characteristic, and precision over recall."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.classes.classified import Classification


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, and the shares of the rest and of the class's examples that have its probability or more."""

    threshold: float
    false_positive_rate: float
    true_positive_rate: float


@dataclass(frozen=True, eq=False)
class ClassCurves:
    """How well the probability of a class tells its examples from the rest.

    Attributes:
        name: of the class.
        examples: of the class.
        others: of the rest.
        roc: (M, 3) threshold, false and true positive rate, from the highest threshold (infinite: nothing is found)
            to the lowest; points on the line between their neighbours are left out; no rows where it is not defined.
        roc_auc: the area below it; equal probabilities count half. None where it is not defined.
        nearest: the point of all thresholds nearest to (0, 1), of several the highest; None where there is none.
        precision_recall: (M, 3) threshold, recall and precision, from the lowest threshold to an infinite one; no rows
            where it is not defined.
        average_precision: the mean precision, weighted by the step in recall; None where it is not defined.
    """

    name: str
    examples: int
    others: int
    roc: NDArray[np.float64]
    roc_auc: float | None
    nearest: OperatingPoint | None
    precision_recall: NDArray[np.float64]
    average_precision: float | None


def curves_of(classified: Classification) -> tuple[ClassCurves, ...]:
    """Return the curves of each class; those of a class without examples, or that all are of, are not defined."""
    columns = zip(classified.classes, classified.truth.T, classified.probabilities.T, strict=True)
    return tuple(_curves(name, positive, probability) for name, positive, probability in columns)


def _curves(name: str, positive: NDArray[np.bool_], probability: NDArray[np.float64]) -> ClassCurves:
    examples = int(positive.sum())
    others = len(positive) - examples
    roc, area, nearest = _roc(positive, probability) if examples and others else (np.empty((0, 3)), None, None)
    precision, mean = _precision(positive, probability) if examples else (np.empty((0, 3)), None)
    return ClassCurves(name, examples, others, roc, area, nearest, precision, mean)


def _roc(
    positive: NDArray[np.bool_], probability: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, OperatingPoint]:
    """Return the curve, its area and the nearest point, which may lie between two corners of the curve."""
    from sklearn.metrics import roc_auc_score, roc_curve

    false, true, threshold = roc_curve(positive, probability, drop_intermediate=False)
    best = int((false**2 + (1 - true) ** 2).argmin())
    nearest = OperatingPoint(float(threshold[best]), float(false[best]), float(true[best]))
    false, true, threshold = roc_curve(positive, probability)
    return np.stack([threshold, false, true], axis=1), float(roc_auc_score(positive, probability)), nearest


def _precision(positive: NDArray[np.bool_], probability: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, threshold = precision_recall_curve(positive, probability, drop_intermediate=True)
    rows = np.stack([np.append(threshold, np.inf), recall, precision], axis=1)
    return rows, float(average_precision_score(positive, probability))

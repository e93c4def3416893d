"""The figures of a classifier: confusions in percent of each true class, curves, calibration, and remarks on them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.calibration import reliability_of
from detect.evaluation.classes.classified import NONE, UNKNOWN, Classification
from detect.evaluation.classes.one_against_rest import ClassCurves, curves_of
from detect.evaluation.classes.unknown_scores import UnknownFigures, unknown_figures

ALL = "all classes"
"""The name of the calibration that is not of one class."""


@dataclass(frozen=True, eq=False)
class ClassConfusions:
    """How often examples of a class were found as another.

    Attributes:
        true: names of the rows; the last is `unknown` (or `none`, of examples of several classes) where there are such.
        found: names of the columns; the last is that where nothing was found in some.
        numbers: (R, C) int64.
        examples: (R,) int64 of each row, which is its sum where examples have one class.
    """

    true: tuple[str, ...]
    found: tuple[str, ...]
    numbers: NDArray[np.int64]
    examples: NDArray[np.int64]

    @property
    def percent(self) -> NDArray[np.float64]:
        """The numbers in percent of each row's examples (R, C); NaN in a row without."""
        with np.errstate(invalid="ignore"):
            return np.asarray(100 * self.numbers / self.examples[:, None], np.float64)


@dataclass(frozen=True, eq=False)
class ClassFigures:
    """What is drawn and written of a classifier.

    Attributes:
        confusions: of all examples.
        curves: of each class against the rest.
        calibration: of `ALL` and then of each class, as of `reliability_of`: of all, the probability of the likeliest
            class of each example (of examples of several classes, every probability).
        unknown: how well examples of none of the classes are told; None where there are none.
        remarks: sentences on what is not defined, and why.
    """

    confusions: ClassConfusions
    curves: tuple[ClassCurves, ...]
    calibration: Mapping[str, Mapping[str, Any]]
    unknown: UnknownFigures | None
    remarks: list[str]


def figures_of(classified: Classification) -> ClassFigures:
    """Return the figures of classified examples."""
    curves = curves_of(classified)
    remarks = [*_remarks(curves, classified), *_ties(classified)]
    return ClassFigures(confusions_of(classified), curves, _calibration(classified), unknown_of(classified), remarks)


def unknown_of(classified: Classification) -> UnknownFigures | None:
    """Return how well examples of none of the classes are told from the others.

    By how familiar they are, where a classifier tells that, else by the highest probability. None where there are none,
    and of examples of any number of classes, of which one may have none.
    """
    known, highest = classified.truth.any(axis=1), classified.probabilities.max(axis=1)
    if classified.many or known.all():
        return None
    by_probability = unknown_figures(highest[known], highest[~known], classified.least)
    if (familiar := classified.familiar) is None:
        return by_probability
    told = unknown_figures(familiar[known], familiar[~known], 0.0)
    return replace(told, auroc_by_probability=by_probability.auroc)


def confusions_of(classified: Classification) -> ClassConfusions:
    """Count the pairs of true and found classes.

    Where an example may be of several classes, a row has the examples of a class, and a column those of them in which
    another was found: a row may add up to more than its examples.
    """
    names, rows, columns = classified.classes, classified.truth, classified.found
    nothing, none_found = ~rows.any(axis=1, keepdims=True), ~columns.any(axis=1, keepdims=True)
    rows = np.concatenate([rows, nothing], axis=1) if nothing.any() else rows
    columns = np.concatenate([columns, none_found], axis=1) if none_found.any() else columns
    numbers = rows.T.astype(np.int64) @ columns.astype(np.int64)
    spare = free_name(NONE if classified.many else UNKNOWN, names)
    return ClassConfusions(
        (*names, spare)[: rows.shape[1]], (*names, spare)[: columns.shape[1]], numbers, rows.sum(axis=0)
    )


def free_name(name: str, taken: tuple[str, ...]) -> str:
    """Return a name that no class has: `no_` is added before it until it is free."""
    while name in taken:
        name = f"no_{name}"
    return name


def _calibration(classified: Classification) -> dict[str, Mapping[str, Any]]:
    values, truth = classified.probabilities, classified.truth
    if classified.many:
        overall = reliability_of(values.ravel(), truth.ravel())
    else:
        best = values.argmax(axis=1)
        each = np.arange(len(values))
        overall = reliability_of(values[each, best], truth[each, best])
    pairs = zip(classified.classes, values.T, truth.T, strict=True)
    return {free_name(ALL, classified.classes): overall} | {name: reliability_of(*each) for name, *each in pairs}


def _remarks(curves: tuple[ClassCurves, ...], classified: Classification) -> list[str]:
    lacking = [each.name for each in curves if not each.examples]
    filling = [each.name for each in curves if not each.others]
    said = []
    if lacking:
        said.append(f"no example of {', '.join(lacking)}: nothing is defined of it but what was taken for it")
    if filling:
        said.append(f"every example is of {', '.join(filling)}: no ROC of it, since there is no rest")
    if classified.many:
        return said
    strange, unknown = (int((~marks.any(axis=1)).sum()) for marks in (classified.truth, classified.found))
    if strange:
        said.append(f"{strange} of {len(classified)} examples are of none of the classes")
    if unknown:
        said.append(
            f"{unknown} of {len(classified)} examples were told to be of none of the classes, and count as missed in "
            "the confusion and in the table of classes; accuracy, macro F1 and the curves go by probabilities alone"
        )
    return said


def _ties(classified: Classification) -> list[str]:
    if classified.many or not classified.ties:
        return []
    return [
        f"in {classified.ties} of {len(classified)} examples several classes have the highest probability: the first "
        "of them counts as found"
    ]

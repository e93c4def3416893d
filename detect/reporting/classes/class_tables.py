"""Tables of a classifier that was judged: confusions, curves, calibration, a row a class and a row an example."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detect.evaluation.classes.class_figures import ClassConfusions, ClassFigures, free_name
from detect.evaluation.classes.classified import NONE, UNKNOWN, Classification
from detect.labels.sheets import sheet_text
from detect.reporting.output.layout import BY_CLASS

CONFUSION, PERCENT = "confusion.csv", "confusion_percent.csv"
ROC, PRECISION_RECALL, CALIBRATION, EXAMPLES = "roc.csv", "precision_recall.csv", "calibration.csv", "classified.csv"
STRANGE = "unknown.csv"
TABLES = (BY_CLASS, CONFUSION, PERCENT, ROC, PRECISION_RECALL, CALIBRATION, EXAMPLES, STRANGE)
"""The names of the tables."""


def class_tables(classified: Classification, figures: ClassFigures) -> dict[str, bytes]:
    """Return the tables as CSV, by name; cells of what is not defined are empty.

    - `classes.csv`: a row a class: its examples, how often it was found, and rightly, precision, recall, F1, areas,
      calibration error, and the threshold of the ROC's point nearest to (0, 1) with its rates.
    - `confusion.csv`, `confusion_percent.csv`: a row a true class, a column a found one, the examples last.
    - `roc.csv`, `precision_recall.csv`: the points of each class's curve, by threshold; `inf` finds nothing.
    - `calibration.csv`: of parts of [0, 1], the mean probability, the share that is right and the number.
    - `unknown.csv`: how well examples of none of the classes are told, where there are such.
    - `classified.csv`: a row an example: the true and the found class (several joined by `+`), and all probabilities.

    Args:
        classified: the examples.
        figures: of them.
    """
    tables = {
        BY_CLASS: class_table(classified, figures),
        CONFUSION: _matrix(figures.confusions, percent=False),
        PERCENT: _matrix(figures.confusions, percent=True),
        ROC: _points(figures, "roc", ("threshold", "false_positive_rate", "true_positive_rate")),
        PRECISION_RECALL: _points(figures, "precision_recall", ("threshold", "recall", "precision")),
        CALIBRATION: pd.DataFrame(
            [
                (name, row["score"], row["there"], row["found"])
                for name, held in figures.calibration.items()
                for row in held["reliability"]
            ],
            columns=["class", "probability", "right", "examples"],
        ),
        EXAMPLES: _examples(classified),
    }
    if figures.unknown is not None:
        tables[STRANGE] = pd.DataFrame([asdict(figures.unknown)])
    return {name: _csv(table) for name, table in tables.items()}


def class_table(classified: Classification, figures: ClassFigures) -> pd.DataFrame:
    """Return a row a class; numbers that are not defined are NaN."""
    true, found = classified.truth.sum(axis=0), classified.found.sum(axis=0)
    right = (classified.truth & classified.found).sum(axis=0)
    rows = []
    for number, curves in enumerate(figures.curves):
        nearest, (t, f, r) = curves.nearest, (int(each[number]) for each in (true, found, right))
        rows.append(
            {
                "class": curves.name,
                "examples": t,
                "found": f,
                "right": r,
                "precision": _ratio(r, f),
                "recall": _ratio(r, t),
                "f1": _ratio(2 * r, t + f),
                "roc_auc": curves.roc_auc,
                "average_precision": curves.average_precision,
                "ece": figures.calibration[curves.name]["ece"],
                "nearest_threshold": None if nearest is None else nearest.threshold,
                "nearest_false_positive_rate": None if nearest is None else nearest.false_positive_rate,
                "nearest_true_positive_rate": None if nearest is None else nearest.true_positive_rate,
            }
        )
    return pd.DataFrame(rows)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _matrix(confusions: ClassConfusions, *, percent: bool) -> pd.DataFrame:
    """Return confusions as a table; a class that is called like another column has `class_` before its name."""
    cells = confusions.percent if percent else confusions.numbers
    table = pd.DataFrame(cells, columns=_free(confusions.found, ("true", "examples")))
    table.insert(0, "true", pd.Series(confusions.true, dtype="object"))
    table["examples"] = confusions.examples
    return table


def _free(names: tuple[str, ...], taken: tuple[str, ...]) -> list[str]:
    """Return names of which none is a taken one: `class_` is added before such until it is free."""
    free: list[str] = []
    for each in names:
        name = each
        while name in taken or (name != each and name in names):
            name = f"class_{name}"
        free.append(name)
    return free


def _points(figures: ClassFigures, curve: str, columns: tuple[str, str, str]) -> pd.DataFrame:
    parts = [pd.DataFrame(getattr(each, curve), columns=list(columns)) for each in figures.curves]
    for part, each in zip(parts, figures.curves, strict=True):
        part.insert(0, "class", pd.Series([each.name] * len(part), dtype="object"))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _examples(classified: Classification) -> pd.DataFrame:
    names = [classified.name(row) for row in range(len(classified))]
    first = {
        "image": names,
        "true": _names(classified, classified.truth),
        "found": _names(classified, classified.found),
        "probability": classified.probabilities.max(axis=1),
    }
    values = pd.DataFrame(classified.probabilities, columns=_free(classified.classes, tuple(first)))
    return pd.concat([pd.DataFrame(first), values], axis=1)


def _names(classified: Classification, marks: NDArray[np.bool_]) -> list[str]:
    """Return the marked classes (N, K) of each example in words."""
    nothing = free_name(NONE if classified.many else UNKNOWN, classified.classes)
    return ["+".join(classified.classes[i] for i in np.flatnonzero(row)) or nothing for row in marks]


def _csv(table: pd.DataFrame) -> bytes:
    """Return a table as CSV, numbers with nine significant digits at most."""
    return sheet_text([str(name) for name in table.columns], _cells(table)).encode("utf-8", "surrogateescape")


def _cells(table: pd.DataFrame) -> Iterator[list[str]]:
    for row in table.itertuples(index=False, name=None):
        yield [_cell(value) for value in row]


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.9g}"
    return "" if value is None else str(value)

"""A scorecard: the measures that `detect.evaluate` wrote, each with a plain explanation."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detect.evaluation.scores import BACKGROUND
from detect.labels.json_files import read_json_object
from detect.reporting.tables import MAX_COUNT

DASH = "–"
"""The text shown for a number that is not known."""


MOST_PARTS = 100
"""Most points of a curve of reliability that are shown."""

MOST_CLASSES = 60
"""Most classes of a confusion that is shown."""

MEASURES: dict[str, tuple[str, str]] = {
    "f1": ("F1", "Recall and precision in one number: 1 is perfect, 0 is useless."),
    "precision": ("Precision", "The share of the detections that are real objects. The rest are false alarms."),
    "recall": ("Recall", "The share of the annotated objects that were found. The rest were missed."),
    "f1_classwise": ("F1 with class", "The same as F1, where only a detection with the right class is right."),
    "count_mae": ("Count error", "By how many objects the count of an image is off, on average (MAE)."),
    "count_rmse": (
        "Count error, RMSE",
        "The same, with large errors weighing more. Far above the MAE: a few bad images.",
    ),
    "count_bias_percent": ("Count bias", "All images together: above zero too many are counted, below zero too few."),
    "expected_mae": (
        "Error of the expected count",
        "The same of the sum of the probabilities of all that may be an object, instead of a count.",
    ),
    "expected_bias_percent": ("Bias of the expected count", "All images together, by the sum of probabilities."),
    "ece_found": (
        "Calibration error",
        "By how much the score of what was found differs from the share of it that is right (ECE): 0 is perfect.",
    ),
    "ece": (
        "Calibration error of all",
        "How far scores are from the share that is right (ECE), of all that may be an object, or of all examples.",
    ),
    "brier": ("Brier score", "The mean square error of scores as probabilities: 0 is perfect, 0.25 knows nothing."),
    "mean_distance": ("Mean distance", "Pixels from a right detection to its annotated object, on average."),
    "mean_iou": ("Mean IoU", "How well right boxes cover their objects: intersection over union, 1 is perfect."),
    "map50": ("mAP 50", "Average precision of the boxes that overlap an annotated box by half or more."),
    "map": ("mAP", "Average precision of the boxes, over overlaps from 0.5 to 0.95."),
    "accuracy": ("Accuracy", "The share that got its right class."),
    "balanced_accuracy": ("Balanced accuracy", "The share that got its right class, every class weighing the same."),
    "macro_f1": ("Macro F1", "The F1 of every class, averaged with every class weighing the same."),
    "roc_auc": ("ROC AUC", "How well scores rank objects above the rest: 1 is perfect, 0.5 is chance."),
    "pr_auc": ("PR AUC", "Precision averaged over every possible recall: 1 is perfect."),
}
"""The measures shown, in this order, by their keys in `scores.json`: the name shown and the explanation."""


@dataclass(frozen=True)
class Measure:
    """One number of the scorecard: its name, the number as text, and its explanation."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class ShownConfusion:
    """Confusions in percent of each true class.

    Attributes:
        found: names of the columns.
        rows: name of the true class, of each column the percent as text and the share in [0, 1], and the examples.
    """

    found: list[str]
    rows: list[tuple[str, list[tuple[str, float]], int]]

    @property
    def background(self) -> bool:
        """Whether there is a row or a column of what is no object."""
        return BACKGROUND in (*self.found, *(row[0] for row in self.rows))


@dataclass(frozen=True)
class Scorecard:
    """The measures of predictions against annotations.

    Attributes:
        measures: the main numbers.
        radius: file pixels within which a detection counts as right, as text; None where boxes are matched by IoU.
        columns: names of the numbers per class.
        per_class: (class, numbers as text).
        truth: image name to the number of objects annotated on it.
        found: image name to the number of objects found on it when it was measured.
        iou: the least IoU with which a box counts as right, as text; None where centres decide.
        reliability: of parts of [0, 1], the mean score, the share that is right and how many there are.
        confusion: in percent of each true class; None where there is none, or one too large to be shown.
    """

    measures: list[Measure]
    radius: str | None
    columns: list[str]
    per_class: list[tuple[str, list[str]]]
    truth: dict[str, int]
    found: dict[str, int]
    iou: str | None = None
    reliability: list[tuple[float, float, int]] = field(default_factory=list)
    confusion: ShownConfusion | None = None


def read_scorecard(path: Path, predictions: Path | None = None) -> Scorecard:
    """Read the `scores.json` that `detect.evaluate` wrote; measures that are absent or null are left out.

    Args:
        path: the file.
        predictions: a folder of predictions, which others may have made; a file named in it must not lead out of it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, or leads out of the folder.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such scores file; make one with detect.evaluate, or leave scores= out")
    named_in_it = predictions is not None and path.absolute().is_relative_to(predictions.absolute())
    data = read_json_object(path, predictions if named_in_it else None)
    measures = [
        Measure(name, format_measure(key, data[key]), meaning)
        for key, (name, meaning) in MEASURES.items()
        if _is_number(data.get(key))
    ]
    classes = _objects(data.get("per_class"))
    keys = list(dict.fromkeys(key for numbers in classes.values() for key in numbers if _is_number(numbers[key])))
    rows = [(name, [format_measure(key, numbers.get(key)) for key in keys]) for name, numbers in classes.items()]
    radius = f"{data['radius']:g}" if _is_number(data.get("radius")) else None
    iou = f"{data['iou']:g}" if _is_number(data.get("iou")) else None
    images = _objects(data.get("per_image"))
    columns = [_heading(key) for key in keys]
    held, confusion = _reliability(data.get("reliability")), _confusion(data.get("confusion"))
    true, found = _integers(images, "true"), _integers(images, "found")
    return Scorecard(measures, radius, columns, rows, true, found, iou, held, confusion)


def _confusion(data: Any) -> ShownConfusion | None:
    """Return the confusions of a `scores.json`; None where it has none of two classes and up to `MOST_CLASSES`.

    Rows and columns of nothing, such as false alarms where there are none, are left out.
    """
    names, matrix = (data.get(key) for key in ("labels", "matrix")) if isinstance(data, dict) else (None, None)
    if not (isinstance(names, list) and isinstance(matrix, list) and 2 < len(names) <= MOST_CLASSES):
        return None
    if len(matrix) != len(names) or not all(isinstance(row, list) and len(row) == len(names) for row in matrix):
        return None
    if not all(_is_number(number) and 0 <= number <= MAX_COUNT for row in matrix for number in row):
        return None
    columns = [i for i in range(len(names)) if any(row[i] for row in matrix)]
    rows = [
        (str(name), [shown_percent(row[i], sum(row)) for i in columns], int(sum(row)))
        for name, row in zip(names, matrix, strict=True)
        if any(row)
    ]
    return ShownConfusion([str(names[i]) for i in columns], rows)


def shown_percent(number: float, total: float) -> tuple[str, float]:
    """Return a part of a total in percent as text, empty where it is 0, and as a share in [0, 1]."""
    share = number / total if total else 0.0
    return f"{100 * share:.3g}" if share else "", share


def _reliability(rows: Any) -> list[tuple[float, float, int]]:
    """Return the first `MOST_PARTS` rows of `reliability`, those of them that are such."""
    known = []
    for row in (rows if isinstance(rows, list) else [])[:MOST_PARTS]:
        values: list[Any] = [row.get(key) for key in ("score", "there", "found")] if isinstance(row, dict) else []
        if values and all(map(_is_number, values)) and all(0 <= value <= 1 for value in values[:2]):
            known.append((float(values[0]), float(values[1]), int(values[2])))
    return known


def format_measure(key: str, value: Any) -> str:
    """Format a number by its measure: counts with commas, percentages with a sign, others with few digits."""
    if not _is_number(value):
        return DASH
    if key.endswith("_percent"):
        return f"{value:+.1f} %".replace("-", "−")
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    digits = 1 if abs(value) >= 10 else 2 if key.startswith(("count", "mean")) else 3
    return f"{value:,.{digits}f}".replace("-", "−")


def _heading(key: str) -> str:
    """Return the column heading of a number per class."""
    if key in MEASURES:
        return MEASURES[key][0]
    return "Annotated" if key == "true" else key.replace("_", " ").capitalize()


def _is_number(value: Any) -> bool:
    """Return whether a value of a JSON file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _objects(value: Any) -> dict[str, Mapping[str, Any]]:
    """Return the entries of a JSON object that are objects themselves; none if it is not an object."""
    items = value.items() if isinstance(value, dict) else ()
    return {str(name): entry for name, entry in items if isinstance(entry, dict)}


def _integers(images: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, int]:
    """Return the integer under a key of each image that has one."""
    found = {name: entry.get(key) for name, entry in images.items()}
    return {name: value for name, value in found.items() if isinstance(value, int) and not isinstance(value, bool)}

"""Scores of found points and boxes, as plain numbers for `scores.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.matching import Criterion, Match
from detect.labels.detections import Detections

BACKGROUND = "background"
"""Label of the confusion matrix's last row, false alarms, and last column, missed objects."""

MIN_IOU_OF_MEAN = 0.5
"""Least IoU of the pairs of boxes that `mean_iou` averages."""

_Counts = NDArray[np.int64]


def score_points(
    found: Mapping[str, Detections],
    truth: Mapping[str, Detections],
    classes: Sequence[str],
    radius: float,
    iou: float | None = None,
) -> dict[str, Any]:
    """Score the objects found in a set of images against the annotated ones, by their centres, or boxes by their IoU.

    All numbers are over all images together; one that is not defined, such as the recall of no objects, is None.

    Args:
        found: the objects found in each image, an empty table where there are none.
        truth: the annotated ones.
        classes: the class names.
        radius: the greatest distance of a pair in pixels.
        iou: where it is given, pairs are boxes of at least this IoU instead.

    Returns:
        `f1`, `precision` and `recall` of a matching whatever the class, `_classwise` of a matching within each class;
        `macro_f1`, the mean F1 of the classes that occur in the truth; `balanced_accuracy` of the class among the pairs
        of the first matching, which is also that of `confusion` (rows true, columns found, missed objects in the last
        column, false alarms in the last row); `count_bias_percent`, 100 (found - true) / true; `mean_distance` of the
        pairs in pixels. If all objects are boxes, `mean_iou` of the pairs with an IoU of 0.5 or more, and `_points` of
        a matching by centres within `radius_points`, even where `iou` is given.

    Raises:
        ValueError: the two name different images, an object's class is not in `classes`, or an IoU is asked of points.
    """
    criterion = Criterion(radius, iou)
    _check_same_images(found, truth)
    tables = [(found[name].with_classes(classes), truth[name].with_classes(classes)) for name in truth]
    matches = [criterion.match(one, other) for one, other in tables]
    n_found = _tally([one.label for one, _ in tables], classes)
    n_truth = _tally([other.label for _, other in tables], classes)
    boxes = all(table.wh is not None for pair in tables for table in pair)
    distances = np.concatenate([np.empty(0), *(match.distance for match in matches)])
    confusion = sum((_confusion(*pair, match) for pair, match in zip(tables, matches, strict=True)), _zeros(classes))
    classwise, per_class = _classwise_scores(tables, criterion, classes)
    return {
        **rates_of(sum(map(len, matches)), n_found.sum(), n_truth.sum()),
        **classwise,
        "balanced_accuracy": _balanced_accuracy(confusion[:-1, :-1]),
        **count_errors(n_found.sum(axis=1), n_truth.sum(axis=1)),
        "mean_distance": float(distances.mean()) if len(distances) and iou is None else None,
        **(_box_scores(tables, Criterion(radius), n_found.sum(), n_truth.sum()) if boxes else {}),
        "images": len(tables),
        "objects": int(n_truth.sum()),
        "found": int(n_found.sum()),
        "radius": float(radius) if iou is None else None,
        "iou": iou,
        "per_class": per_class,
        "per_image": {name: _image_scores(matches[i], n_found[i], n_truth[i], classes) for i, name in enumerate(truth)},
        "confusion": {"labels": [*classes, BACKGROUND], "matrix": confusion.tolist()},
    }


def _classwise_scores(
    tables: Sequence[tuple[Detections, Detections]], criterion: Criterion, classes: Sequence[str]
) -> tuple[dict[str, float | None], dict[str, dict[str, Any]]]:
    """Match within each class: return the scores over all classes with `macro_f1`, and those of each class."""
    matches = [criterion.match(*pair, same_class=True) for pair in tables]
    hits = _tally([pair[1].label[match.truth_index] for pair, match in zip(tables, matches, strict=True)], classes)
    found, true = (
        _tally([one.label for one, _ in tables], classes),
        _tally([other.label for _, other in tables], classes),
    )
    rates = rates_of(hits.sum(), found.sum(), true.sum())
    per_class = {name: _class_scores(hits[:, i], found[:, i], true[:, i]) for i, name in enumerate(classes)}
    macro_f1 = mean_of_known([scores["f1"] for scores in per_class.values() if scores["true"]])
    return {**{f"{name}_classwise": value for name, value in rates.items()}, "macro_f1": macro_f1}, per_class


def _box_scores(
    tables: Sequence[tuple[Detections, Detections]], centres: Criterion, found: int, true: int
) -> dict[str, float | None]:
    """Return the mean IoU of matched boxes, and the scores of a matching by centres."""
    overlap = Criterion(1.0, MIN_IOU_OF_MEAN)
    ious = np.concatenate([np.empty(0), *(1 - overlap.match(*pair).distance for pair in tables)])
    points = rates_of(sum(len(centres.match(*pair)) for pair in tables), found, true)
    return {
        "mean_iou": float(ious.mean()) if len(ious) else None,
        **{f"{name}_points": value for name, value in points.items()},
        "radius_points": float(centres.radius),
    }


def _check_same_images(found: Mapping[str, Detections], truth: Mapping[str, Detections]) -> None:
    """Check that every annotated image has predictions, and the reverse."""
    lacking, extra = sorted(set(truth) - set(found)), sorted(set(found) - set(truth))
    if lacking:
        raise ValueError(
            f"annotated images without predictions: {lacking}; give an empty table where nothing was found"
        )
    if extra:
        raise ValueError(f"predicted images without annotations: {extra}; leave them out, or annotate them")


def _tally(labels: Sequence[NDArray[np.int64]], classes: Sequence[str]) -> _Counts:
    """Return the number of objects of each class in each image: (images, classes)."""
    rows = [np.bincount(label, minlength=len(classes)) for label in labels]
    return np.array(rows, np.int64).reshape(len(labels), len(classes))


def _ratio(part: float, total: float) -> float | None:
    """Return part / total, None where the total is 0."""
    return float(part / total) if total else None


def mean_of_known(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are defined, None where there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def rates_of(hits: int, found: int, true: int) -> dict[str, float | None]:
    """Return F1, precision and recall; None where one is not defined."""
    return {"f1": _ratio(2 * hits, found + true), "precision": _ratio(hits, found), "recall": _ratio(hits, true)}


def scores_of_counts(hits: int, found: int, true: int) -> dict[str, float | None]:
    """Return F1, precision, recall and count bias in percent; None where one is not defined."""
    return {**rates_of(hits, found, true), "count_bias_percent": _ratio(100 * (found - true), true)}


def count_errors(found: _Counts | NDArray[np.float64], true: _Counts) -> dict[str, float | None]:
    """Return the mean absolute and root mean square error of counts image by image, and their total bias in percent.

    Args:
        found: (N,) number of objects found in each image, or the sum of their probabilities.
        true: (N,) number of objects annotated in each image.
    """
    error = (found - true).astype(np.float64)
    return {
        "count_mae": float(np.abs(error).mean()) if len(error) else None,
        "count_rmse": float(np.sqrt((error**2).mean())) if len(error) else None,
        "count_bias_percent": _ratio(100 * error.sum(), true.sum()),
    }


def _confusion(found: Detections, truth: Detections, match: Match) -> _Counts:
    """Count pairs by true and found class, with missed objects and false alarms in the last column and row."""
    background = len(truth.classes)
    rows = [truth.label[match.truth_index], truth.label[match.missed], np.full(len(match.spurious), background)]
    cols = [found.label[match.found_index], np.full(len(match.missed), background), found.label[match.spurious]]
    matrix = _zeros(truth.classes)
    np.add.at(matrix, (np.concatenate(rows), np.concatenate(cols)), 1)
    return matrix


def _zeros(classes: Sequence[str]) -> _Counts:
    """Return a confusion matrix of nothing, with a row and column for the background."""
    return np.zeros((len(classes) + 1, len(classes) + 1), np.int64)


def _balanced_accuracy(matrix: _Counts) -> float | None:
    """Return the mean recall of the classes that occur (rows true, columns found)."""
    rows = matrix.sum(axis=1)
    return mean_of_known([_ratio(matrix[i, i], rows[i]) for i in range(len(rows))])


def _class_scores(hits: _Counts, found: _Counts, true: _Counts) -> dict[str, Any]:
    """Return the scores of one class from its numbers of objects in each image."""
    total = {"true": int(true.sum()), "found": int(found.sum())}
    return rates_of(hits.sum(), found.sum(), true.sum()) | total | count_errors(found, true)


def _image_scores(match: Match, found: _Counts, true: _Counts, classes: Sequence[str]) -> dict[str, Any]:
    """Return the scores of one image from its matching and its numbers of objects of each class."""
    return {
        "true": match.n_truth,
        "found": match.n_found,
        **rates_of(len(match), match.n_found, match.n_truth),
        "per_class": {name: {"true": int(true[i]), "found": int(found[i])} for i, name in enumerate(classes)},
    }

"""Scores of the objects found in scenes against the annotated ones, points or boxes as both sides have them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from detect.evaluation.boxes import average_precision
from detect.evaluation.calibration import with_probabilities
from detect.evaluation.matching import Criterion
from detect.evaluation.scores import score_points
from detect.labels.annotations import AnnotatedImage
from detect.labels.detections import Detections
from detect.labels.regions import area_outside

logger = logging.getLogger(__name__)

SHOWN_SCORES = (
    "f1",
    "precision",
    "recall",
    "count_mae",
    "count_bias_percent",
    "expected_bias_percent",
    "ece_found",
    "map50",
    "map",
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
)
"""Scores that are logged, in this order, where there are any."""

MOST_NAMED = 5
"""Most classes that a line names for one reason."""

Tables = Mapping[str, Detections]
"""Detections, or ground truth, by image."""


def score_scenes(
    found: Tables, truth: Tables, criterion: Criterion, every: Tables | None = None, *, probable: bool = False
) -> dict[str, Any]:
    """Score the objects found in a set of images against the annotated ones.

    Args:
        found: the objects found in each image.
        truth: the annotated ones.
        criterion: when a detection and an object are one; its IoU is for boxes on both sides.
        every: detections of lower scores too, for average precision and probabilities; None where there are none.
        probable: whether scores are made probabilities.

    Returns:
        The scores of `score_points`, and of boxes on both sides those of `average_precision`; how well scores hold as
        probabilities, and counts by their sum where they are such (`with_probabilities`).

    Raises:
        ValueError: an IoU is asked for, and there are points.
    """
    known = {name for table in found.values() for name in table.classes}
    names = sorted(known | {name for table in truth.values() for name in table.names})
    boxes = both_boxes(found, truth)
    if criterion.iou is not None and not boxes:
        raise ValueError(
            f"iou={criterion.iou} is for boxes on both sides, and there are points; leave it out, or set radius"
        )
    if boxes:
        found, truth = _as_boxes(found), _as_boxes(truth)
    scores = score_points(_of_classes(found, names), _of_classes(truth, names), names, criterion.radius, criterion.iou)
    if boxes:
        every = None if every is None else _as_boxes(every)
        ranked = found if every is None else every
        scores |= average_precision(_of_classes(ranked, names), _of_classes(truth, names), names)
    return with_probabilities(scores, found, every, truth, criterion, probable=probable)


def both_boxes(found: Tables, truth: Tables) -> bool:
    """Return whether all that was found and annotated are boxes."""
    return all(table.wh is not None for tables in (found, truth) for table in tables.values() if len(table))


def warn_of_unknown(truth: Tables, classes: Sequence[str]) -> None:
    """Log annotated classes that a model does not know."""
    unknown = sorted({name for table in truth.values() for name in table.names} - set(classes))
    if unknown:
        logger.warning("the model does not know the annotated classes %s and cannot find them as such", unknown)


def false_alarms_per_megapixel(
    scores: Mapping[str, Any], images: Sequence[AnnotatedImage], surveyed_share: Mapping[str, float]
) -> float | None:
    """Return the false alarms per megapixel that was looked at, outside ignored regions; None where there is none.

    Args:
        scores: of the images.
        images: the annotated images.
        surveyed_share: the share of valid pixels of each, in [0, 1]; ignored regions are taken to have as large a one.
    """
    megapixels = sum(area_outside(image.shape, image.ignored) * surveyed_share[image.name] for image in images) / 1e6
    alarms = round(scores["found"] * (1 - (scores["precision"] or 0.0)))
    return alarms / megapixels if megapixels else None


def verdict(scores: Mapping[str, Any], threshold: float, separation: str) -> str:
    """Return in a sentence how good a model is, and which classes fell short of it.

    Args:
        scores: of the validation images or patches.
        threshold: least score of a detection.
        separation: how far apart detections are, in words.
    """
    short = shortfalls(scores)
    classes = f"; {short}" if short else ""
    if "accuracy" in scores:
        return f"{_named(scores, 'accuracy', 'balanced_accuracy')}{classes}"
    bias = scores["count_bias_percent"]
    shown = "" if bias is None else f", count {bias:+.1f} %"
    how = f"within {scores['radius']:g} pixels" if scores["iou"] is None else f"at IoU {scores['iou']:g}"
    return (
        f"F1 {_three(scores['f1'])} {how} ({_named(scores, 'precision', 'recall')}){shown}, "
        f"at threshold {threshold:.3f} and {separation}{classes}"
    )


def shown_scores(scores: Mapping[str, Any]) -> str:
    """Return the main scores in a line, and which classes fell short of them."""
    line = "  ".join(f"{name} {scores[name]:.3f}" for name in SHOWN_SCORES if scores.get(name) is not None)
    short = shortfalls(scores)
    return f"{line}; {short}" if short else line


def shortfalls(scores: Mapping[str, Any]) -> str:
    """Return which classes a score over all objects or patches hides, in words; nothing of a single class.

    Those never found, then those whose F1 is below that over all (of patches, the accuracy), the worst first, then
    those that the labels do not have, which nothing was measured on; of each `MOST_NAMED` by name, and how many more.

    Args:
        scores: with `per_class`.
    """
    classes: Mapping[str, Mapping[str, Any]] = scores.get("per_class") or {}
    if len(classes) < 2:
        return ""
    overall = scores["accuracy"] if "accuracy" in scores else scores["f1"]
    f1 = {name: numbers["f1"] or 0.0 for name, numbers in classes.items() if numbers["true"]}
    never = [f"{name} (of {classes[name]['true']})" for name, value in f1.items() if not value]
    worst = sorted((value, name) for name, value in f1.items() if value > 0 and f"{value:.3f}" < f"{overall or 0:.3f}")
    absent = [name for name, numbers in classes.items() if not numbers["true"]]
    told = {
        "never found": never,
        "F1 below that": [f"{name} {value:.3f}" for value, name in worst],
        "not among the labels": absent,
    }
    parts = [f"{what}: {_first(names)}" for what, names in told.items() if names]
    macro = scores.get("macro_f1")
    if len(f1) > 1 and macro is not None and (never or worst):
        parts.insert(0, f"macro F1 of {len(f1)} classes {macro:.3f}")
    return "; ".join(parts)


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _named(scores: Mapping[str, Any], *names: str) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_three(scores[name])}" for name in names)


def _three(value: float | None) -> str:
    """Return a score with three digits; one of nothing, such as the precision where nothing was found, has none."""
    return "undefined" if value is None else f"{value:.3f}"


def _as_boxes(tables: Tables) -> dict[str, Detections]:
    """Return tables of boxes; one without objects may be of points."""
    return {
        image: Detections.empty(table.classes, boxes=True) if table.wh is None else table
        for image, table in tables.items()
    }


def _of_classes(tables: Tables, names: Sequence[str]) -> dict[str, Detections]:
    return {image: table.with_classes(names) for image, table in tables.items()}

"""Scores of the objects found in scenes against the annotated ones, points or boxes as both sides have them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detect.evaluation.boxes import average_precision
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
    "map50",
    "map",
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
)
"""Scores that are logged, in this order, where there are any."""

Tables = Mapping[str, Detections]
"""Detections, or ground truth, by image."""


def score_scenes(found: Tables, truth: Tables, criterion: Criterion, every: Tables | None = None) -> dict[str, Any]:
    """Score the objects found in a set of images against the annotated ones.

    Args:
        found: the objects found in each image.
        truth: the annotated ones.
        criterion: when a detection and an object are one; its IoU is for boxes on both sides.
        every: detections of lower scores too, for average precision; `found` where there are none.

    Returns:
        The scores of `score_points`, and of boxes on both sides those of `average_precision`.

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
        candidates = found if every is None else _as_boxes(every)
        scores |= average_precision(_of_classes(candidates, names), _of_classes(truth, names), names)
    return scores


def both_boxes(found: Tables, truth: Tables) -> bool:
    """Return whether all that was found and annotated are boxes."""
    return all(table.wh is not None for tables in (found, truth) for table in tables.values() if len(table))


def warn_of_unknown(truth: Tables, classes: Sequence[str]) -> None:
    """Log annotated classes that a model does not know."""
    unknown = sorted({name for table in truth.values() for name in table.names} - set(classes))
    if unknown:
        logger.warning("the model does not know the annotated classes %s and cannot find them as such", unknown)


def false_alarms_per_megapixel(scores: Mapping[str, Any], images: Sequence[AnnotatedImage]) -> float | None:
    """Return the false alarms per megapixel outside ignored regions; None where there is no such pixel."""
    megapixels = sum(area_outside(image.shape, image.ignored) for image in images) / 1e6
    alarms = round(scores["found"] * (1 - (scores["precision"] or 0.0)))
    return alarms / megapixels if megapixels else None


def verdict(scores: Mapping[str, Any], threshold: float, separation: str) -> str:
    """Return in a sentence how good a model is.

    Args:
        scores: of the validation images or patches.
        threshold: least score of a detection.
        separation: how far apart detections are, in words.
    """
    if "accuracy" in scores:
        return f"patches: accuracy {scores['accuracy']:.3f}, balanced accuracy {scores['balanced_accuracy']:.3f}"
    bias = scores["count_bias_percent"]
    shown = "" if bias is None else f", count {bias:+.1f} %"
    how = f"within {scores['radius']:g} pixels" if scores["iou"] is None else f"at IoU {scores['iou']:g}"
    return (
        f"F1 {scores['f1']:.3f} {how} (precision {scores['precision']:.3f}, recall {scores['recall']:.3f}){shown}, "
        f"at threshold {threshold:.3f} and {separation}"
    )


def shown_scores(scores: Mapping[str, Any]) -> str:
    """Return the main scores in a line."""
    return "  ".join(f"{name} {scores[name]:.3f}" for name in SHOWN_SCORES if scores.get(name) is not None)


def _as_boxes(tables: Tables) -> dict[str, Detections]:
    """Return tables of boxes; one without objects may be of points."""
    return {
        image: Detections.empty(table.classes, boxes=True) if table.wh is None else table
        for image, table in tables.items()
    }


def _of_classes(tables: Tables, names: Sequence[str]) -> dict[str, Detections]:
    return {image: table.with_classes(names) for image, table in tables.items()}


def without_weak(tables: Tables, threshold: float) -> dict[str, Detections]:
    """Return the objects of a score or more."""
    return {image: table[np.flatnonzero(table.score >= threshold)] for image, table in tables.items()}

"""Average precision of boxes, as COCO defines it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torchmetrics.detection import MeanAveragePrecision

from detect.labels.detections import Detections

logger = logging.getLogger(__name__)

MOST = 5000
"""Boxes in one image beyond which the weakest are left out of average precision, which compares each with each."""


def average_precision(
    found: Mapping[str, Detections], truth: Mapping[str, Detections], classes: Sequence[str]
) -> dict[str, Any]:
    """Give the mean average precision of boxes.

    `map50` is the average precision at an IoU of 0.5, `map` its mean over IoUs of 0.5 to 0.95, both as in COCO (Lin et
    al. 2014; 101 recalls), averaged over the classes that occur in the truth; no number of detections an image is left
    out, but where an image holds more than `MOST`, all images are taken from the score on at which it does not (which
    is logged). Where those below a score are missing, both are lower, so that `map_from_score` gives the least score
    among them.

    Args:
        found: the boxes found in each image, with scores.
        truth: the annotated ones.
        classes: the class names.

    Returns:
        `map50 map map_from_score`, None where not defined or where an image holds more than `MOST` true boxes (which
        is logged), and `average_precision`, for each class that occurs its own `map50` and `map`.
    """
    found = _strongest(found)
    scores = [float(table.score.min()) for table in found.values() if len(table)]
    lowest = min(scores) if scores else None
    nothing: dict[str, Any] = {"map50": None, "map": None, "map_from_score": lowest, "average_precision": {}}
    largest = max([0, *(len(table) for tables in (found, truth) for table in tables.values())])
    if largest > MOST:
        logger.warning("mAP is left out: an image holds %d true boxes, more than %d", largest, MOST)
        return nothing
    if not any(map(len, truth.values())):
        return nothing
    whole, half = _metric(None, largest), _metric([0.5], largest)
    for name, boxes in truth.items():
        one, other = found[name].with_classes(classes), boxes.with_classes(classes)
        given = [_tensors(one) | {"scores": torch.from_numpy(one.score).float()}]
        for metric in (whole, half):
            metric.update(given, [_tensors(other)])
    values, at_half = whole.compute(), half.compute()
    per_class = {
        name: {"map50": at, "map": over}
        for (name, over), at in zip(
            _per_class(values, classes).items(), _per_class(at_half, classes).values(), strict=True
        )
        if over is not None
    }
    return {
        "map50": _defined(float(values["map_50"])),
        "map": _defined(float(values["map"])),
        "map_from_score": lowest,
        "average_precision": per_class,
    }


def _strongest(found: Mapping[str, Detections]) -> dict[str, Detections]:
    """Leave the scores out, in all images, at which one of them holds more than `MOST` boxes."""
    beyond = [float(np.sort(table.score)[-MOST - 1]) for table in found.values() if len(table) > MOST]
    if not beyond:
        return dict(found)
    logger.warning("mAP is of boxes that score more than %.3f: below, an image holds more than %d", max(beyond), MOST)
    return {name: table[table.score > max(beyond)] for name, table in found.items()}


def _metric(thresholds: list[float] | None, largest: int) -> MeanAveragePrecision:
    metric = MeanAveragePrecision(
        backend="faster_coco_eval",
        class_metrics=True,
        iou_thresholds=thresholds,
        max_detection_thresholds=[1, 100, max(101, largest)],
    )
    metric.warn_on_many_detections = False
    return metric


def _per_class(values: Mapping[str, torch.Tensor], classes: Sequence[str]) -> dict[str, float | None]:
    numbers = values["map_per_class"].reshape(-1).tolist()
    return {classes[int(i)]: _defined(v) for i, v in zip(values["classes"].reshape(-1).tolist(), numbers, strict=True)}


def _tensors(objects: Detections) -> dict[str, torch.Tensor]:
    return {"boxes": torch.from_numpy(objects.boxes_xyxy).float(), "labels": torch.from_numpy(objects.label)}


def _defined(value: float) -> float | None:
    """COCO writes -1 for what is not defined."""
    return value if value >= 0 else None

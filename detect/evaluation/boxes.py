"""Average precision of boxes, as COCO defines it."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from detect.labels.detections import Detections

if TYPE_CHECKING:
    import torch
    from torchmetrics.detection import MeanAveragePrecision

logger = logging.getLogger(__name__)

MAX_BOXES_PER_IMAGE = 5000
"""Boxes in one image, each of which is compared with each true one; of more, the lowest scores are left out."""


def average_precision(
    found: Mapping[str, Detections], truth: Mapping[str, Detections], classes: Sequence[str]
) -> dict[str, Any]:
    """Return the mean average precision of boxes.

    `map50` is the average precision at an IoU of 0.5, `map` its mean over IoUs of 0.5 to 0.95, both as in COCO (Lin et
    al. 2014; 101 recalls), averaged over the classes that occur in the truth. COCO's limit of 100 detections per image
    is lifted; where an image has more than `MAX_BOXES_PER_IMAGE`, the lowest scores are left out in all images, and the
    log says so. Both measures are lower if detections below a score are missing: `map_from_score` is the lowest score
    among the detections.

    Args:
        found: the boxes found in each image, with scores in [0, 1].
        truth: the annotated ones of the same images.
        classes: the class names.

    Returns:
        `map50 map map_from_score`, None where not defined or where an image has more than `MAX_BOXES_PER_IMAGE` true
        boxes (which is logged), and `average_precision`, the `map50` and `map` of each class that occurs.

    Raises:
        ValueError: the objects are points, or an object's class is not in `classes`.
    """
    found = _highest_scoring(found)
    scores = [float(table.score.min()) for table in found.values() if len(table)]
    lowest = min(scores) if scores else None
    nothing: dict[str, Any] = {"map50": None, "map": None, "map_from_score": lowest, "average_precision": {}}
    most = max([0, *(len(table) for tables in (found, truth) for table in tables.values())])
    if most > MAX_BOXES_PER_IMAGE:
        logger.warning("mAP is left out: an image holds %d true boxes, more than %d", most, MAX_BOXES_PER_IMAGE)
        return nothing
    if not any(map(len, truth.values())):
        return nothing
    all_ious, iou_50 = _metric(None, most), _metric([0.5], most)
    for name, boxes in truth.items():
        one, other = found[name].with_classes(classes), boxes.with_classes(classes)
        for metric in (all_ious, iou_50):
            metric.update([_tensors(one, scores=True)], [_tensors(other)])
    values, values_50 = all_ious.compute(), iou_50.compute()
    per_class, per_class_50 = _per_class(values, classes), _per_class(values_50, classes)
    return {
        "map50": _defined(float(values["map_50"])),
        "map": _defined(float(values["map"])),
        "map_from_score": lowest,
        "average_precision": {
            name: {"map50": per_class_50[name], "map": value} for name, value in per_class.items() if value is not None
        },
    }


def _highest_scoring(found: Mapping[str, Detections]) -> dict[str, Detections]:
    """Leave out the lowest scores, in all images alike, until no image has more than `MAX_BOXES_PER_IMAGE` boxes."""
    limit = MAX_BOXES_PER_IMAGE
    first_left_out = [float(np.sort(table.score)[-limit - 1]) for table in found.values() if len(table) > limit]
    if not first_left_out:
        return dict(found)
    bound = max(first_left_out)
    logger.warning("mAP is of boxes that score more than %.3f: below, an image holds more than %d", bound, limit)
    return {name: table[table.score > bound] for name, table in found.items()}


def _metric(thresholds: list[float] | None, max_detections: int) -> "MeanAveragePrecision":
    """Make COCO's metric for these IoU thresholds, None for 0.5, 0.55 ... 0.95."""
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(
        backend="faster_coco_eval",
        class_metrics=True,
        iou_thresholds=thresholds,
        max_detection_thresholds=[1, 100, max(101, max_detections)],
    )
    metric.warn_on_many_detections = False
    return metric


def _per_class(values: Mapping[str, "torch.Tensor"], classes: Sequence[str]) -> dict[str, float | None]:
    """Return the average precision of each class that the metric has met, None where it is not defined."""
    numbers = values["map_per_class"].reshape(-1).tolist()
    return {classes[int(i)]: _defined(v) for i, v in zip(values["classes"].reshape(-1).tolist(), numbers, strict=True)}


def _tensors(objects: Detections, *, scores: bool = False) -> dict[str, "torch.Tensor"]:
    """Return the entries that the metric expects of one image."""
    import torch

    entries = {"boxes": torch.from_numpy(objects.boxes_xyxy).float(), "labels": torch.from_numpy(objects.label)}
    return entries | ({"scores": torch.from_numpy(objects.score).float()} if scores else {})


def _defined(value: float) -> float | None:
    """Return a number of COCO's, None for its -1, which stands for a number that is not defined."""
    return value if value >= 0 else None

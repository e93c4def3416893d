"""Scores of boxes: average precision as COCO defines it, and how well matched boxes lie."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torchmetrics.detection import MeanAveragePrecision

from detect.evaluation.matching import Criterion
from detect.labels import Detections

MATCHED = 0.5
"""IoU from which two boxes count as matched in `mean_iou`."""


def score_boxes(
    found: Mapping[str, Detections], truth: Mapping[str, Detections], classes: Sequence[str]
) -> dict[str, Any]:
    """Give mean average precision and the mean IoU of matched boxes.

    `map50` is the average precision at an IoU of 0.5, `map` its mean over IoUs of 0.5 to 0.95, both as in COCO (Lin et
    al. 2014; 101 recalls), averaged over the classes that occur in the truth; no number of detections an image is left
    out. They are of the detections given: those below a threshold are missing in them. `mean_iou` is of the pairs that
    an IoU of 0.5 makes, whatever their class.

    Args:
        found: the boxes found in each image, with scores.
        truth: the annotated ones.
        classes: the class names.

    Returns:
        `map50 map mean_iou`, None where not defined, and `map_per_class`, the `map` of each class.
    """
    most = max([100, *map(len, found.values())])
    metric = MeanAveragePrecision(
        backend="faster_coco_eval", class_metrics=True, max_detection_thresholds=[1, 100, most],
    )  # fmt: skip
    metric.warn_on_many_detections = False
    ious = []
    for name, boxes in truth.items():
        one, other = found[name].with_classes(classes), boxes.with_classes(classes)
        metric.update([_tensors(one) | {"scores": torch.from_numpy(one.score).float()}], [_tensors(other)])
        ious.append(1 - Criterion(1.0, MATCHED).match(one, other).distance)
    lies = np.concatenate([np.empty(0), *ious])
    mean_iou = float(lies.mean()) if len(lies) else None
    if not any(map(len, truth.values())):
        return {"map50": None, "map": None, "mean_iou": mean_iou, "map_per_class": {}}
    values = metric.compute()
    return {
        "map50": _number(values["map_50"]), "map": _number(values["map"]), "mean_iou": mean_iou,
        "map_per_class": _per_class(values, classes),
    }  # fmt: skip


def _per_class(values: Mapping[str, torch.Tensor], classes: Sequence[str]) -> dict[str, float | None]:
    numbers = values["map_per_class"].reshape(-1).tolist()
    return {classes[int(i)]: _positive(v) for i, v in zip(values["classes"].reshape(-1).tolist(), numbers, strict=True)}


def _tensors(objects: Detections) -> dict[str, torch.Tensor]:
    return {"boxes": torch.from_numpy(objects.boxes_xyxy).float(), "labels": torch.from_numpy(objects.label)}


def _number(value: torch.Tensor) -> float | None:
    return _positive(float(value))


def _positive(value: float) -> float | None:
    """COCO writes -1 for what is not defined."""
    return value if value >= 0 else None

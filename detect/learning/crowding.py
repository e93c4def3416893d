"""How near to each other objects were labelled, which says how near to each other detections may lie."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import from_numpy
from torchvision.ops import box_iou

from detect.labels import Detections
from detect.learning.splits import LabelledScene

CROWDED = 5
"""The percentage of objects that lie nearer to another, or overlap it more, than what is told."""


def nearest_others(scenes: Sequence[LabelledScene]) -> float | None:
    """Give the distance in pixels of the scenes below which only the most crowded 5 % of objects have another.

    Returns:
        None where no scene has two objects.
    """
    crowds = [scene.objects.xy for scene in scenes if len(scene.objects) > 1]
    if not crowds:
        return None
    distance = np.concatenate([cKDTree(xy).query(xy, k=2)[0][:, 1] for xy in crowds])
    return float(np.percentile(distance, CROWDED))


def greatest_overlaps(scenes: Sequence[LabelledScene]) -> float | None:
    """Give the IoU in [0, 1] above which only the most crowded 5 % of boxes have another one of their class.

    Returns:
        None where no scene has boxes.
    """
    crowds = [scene.objects for scene in scenes if scene.objects.wh is not None and len(scene.objects)]
    if not crowds:
        return None
    return float(np.percentile(np.concatenate([_overlaps(objects) for objects in crowds]), 100 - CROWDED))


def _overlaps(objects: Detections) -> NDArray[np.float64]:
    """Give each box's greatest IoU with another of its class; 0 where there is none."""
    boxes = from_numpy(objects.boxes_xyxy)
    iou = box_iou(boxes, boxes).numpy()
    iou[objects.label[:, None] != objects.label] = 0
    np.fill_diagonal(iou, 0)
    return np.asarray(iou.max(axis=1))

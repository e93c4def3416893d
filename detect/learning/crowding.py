"""How near to each other objects were labelled, which says how near to each other detections may lie."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import from_numpy
from torchvision.ops import box_iou

from detect.labels.detections import Detections
from detect.learning.splits import LabelledScene

CROWDED = 5
"""The percentage of objects that lie nearer to another, or overlap it more, than what is told."""


ROWS = 128
"""Boxes that are compared with all others at once: memory for a few hundred megabytes where there are 100,000."""


def nearest_others(scenes: Sequence[LabelledScene], *, along_axis: bool = False) -> float | None:
    """Give the distance in pixels of the scenes below which only the most crowded 5 % of objects have another.

    Args:
        scenes: what is labelled.
        along_axis: measure the greater of the distances in x and in y, instead of the straight line.

    Returns:
        None where no scene has two objects.
    """
    crowds = [scene.objects.xy for scene in scenes if len(scene.objects) > 1]
    if not crowds:
        return None
    norm = np.inf if along_axis else 2
    distance = np.concatenate([cKDTree(xy).query(xy, k=2, p=norm)[0][:, 1] for xy in crowds])
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
    greatest = np.zeros(len(objects))
    for start in range(0, len(objects), ROWS):
        iou = box_iou(boxes[start : start + ROWS], boxes).numpy()
        own = np.arange(start, start + len(iou))
        iou[objects.label[own][:, None] != objects.label] = 0
        iou[np.arange(len(own)), own] = 0
        greatest[own] = iou.max(axis=1)
    return greatest

"""The shapes of COCO's annotations, as boxes and points: bbox, polygons, run-length masks, keypoints."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from detect.labels.entries import plain_number
from detect.labels.reading.shapes import ShapeError, box_around, numbers_of, shown

_RUNS = re.compile(r"([P-o]{0,6}[0-O])*")
"""A run-length mask as COCO packs it: a number is up to seven letters, of which all but the last are of `P` to `o`."""

MAX_MASK_SIDE = 1 << 20
"""Greatest side in pixels of a run-length mask."""

Number = tuple[float, ...]


def stated_size(item: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the (height, width) that an image states; None where it states none."""
    try:
        height, width = numbers_of((item.get(side) for side in ("height", "width")), "sides")
    except ShapeError:
        return None
    return (int(height), int(width)) if height >= 1 and width >= 1 else None


def box_of(item: Mapping[str, Any]) -> Number | None:
    """Return the corners of the bbox; None where there is none, or an empty one beside a mask."""
    bbox = item.get("bbox")
    if bbox is None or bbox == []:
        return None
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise ShapeError(f"bbox must be x, y, width, height, got {shown(bbox)}")
    x, y, width, height = numbers_of(bbox, "bbox")
    if width <= 0 or height <= 0:
        if item.get("segmentation"):
            return None
        raise ShapeError(f"bbox {','.join(map(plain_number, (x, y, width, height)))} has no size")
    return (x, y, x + width, y + height)


def box_around_mask(segmentation: Any) -> Number | None:
    """Return the box around polygons or a run-length mask; None where there is none."""
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        return _around_runs(segmentation)
    if not isinstance(segmentation, list):
        raise ShapeError(f"segmentation must be polygons or a mask, got {shown(segmentation)}")
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    if not all(isinstance(each, list) and len(each) >= 4 and len(each) % 2 == 0 for each in polygons):
        raise ShapeError(f"a polygon of segmentation must be x, y, x, y, ..., got {shown(segmentation)}")
    corners = [numbers_of(each, "segmentation") for each in polygons]
    return box_around([pair for each in corners for pair in zip(each[0::2], each[1::2], strict=True)])


def _around_runs(mask: Mapping[str, Any]) -> Number:
    """Return the box around a run-length mask, packed or not."""
    from pycocotools import mask as masks

    size, counts = mask.get("size"), mask.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size)):
        raise ShapeError(f"a mask needs its size [height, width], got {shown(size)}")
    height, width = size
    if not (1 <= height <= MAX_MASK_SIDE and 1 <= width <= MAX_MASK_SIDE):
        raise ShapeError(f"the size of a mask must be in [1, {MAX_MASK_SIDE}], got {shown(size)}")
    if isinstance(counts, str) and _RUNS.fullmatch(counts):
        packed = {"size": size, "counts": counts.encode("ascii")}
    elif isinstance(counts, list) and _are_runs(counts) and sum(counts) == height * width < 1 << 32:
        packed = masks.frPyObjects({"size": size, "counts": counts}, height, width)
    else:
        raise ShapeError(f"the counts of a mask must be run lengths that fill its {width} x {height} pixels")
    x, y, across, down = (float(value) for value in masks.toBbox(packed))
    if across <= 0 or down <= 0:
        raise ShapeError("the mask is empty")
    return (x, y, x + across, y + down)


def _are_runs(counts: Sequence[Any]) -> bool:
    return all(isinstance(run, int) and not isinstance(run, bool) and run >= 0 for run in counts)


def middle_of(keypoints: Any) -> Number | None:
    """Return the middle of the visible keypoints x, y, v; None without any."""
    if not keypoints:
        return None
    if not isinstance(keypoints, list) or len(keypoints) % 3:
        raise ShapeError(f"keypoints must be x, y, visibility, ..., got {shown(keypoints)}")
    values = numbers_of(keypoints, "keypoints")
    seen = [(x, y) for x, y, visible in zip(values[0::3], values[1::3], values[2::3], strict=True) if visible > 0]
    if not seen:
        raise ShapeError("has no visible keypoint")
    return (sum(x for x, _ in seen) / len(seen), sum(y for _, y in seen) / len(seen))

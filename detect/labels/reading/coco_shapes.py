"""The shapes of COCO's annotations, as boxes and points: bbox, polygons, run-length masks, keypoints."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from detect.labels.entries import MAX_COORDINATE, plain_number

_RUNS = re.compile(r"([P-o]{0,6}[0-O])*")
"""A run-length mask as COCO packs it: a number is up to seven letters, of which all but the last are of `P` to `o`."""

MAX_MASK_SIDE = 1 << 20
"""Greatest side in pixels of a run-length mask."""

Number = tuple[float, ...]


def stated_size(item: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the (height, width) that an image states; None where it states none."""
    try:
        height, width = (_finite(item.get(side)) for side in ("height", "width"))
    except ValueError:
        return None
    return (int(height), int(width)) if height >= 1 and width >= 1 else None


def _finite(value: Any) -> float:
    """Return a number, or the number of a text.

    Raises:
        ValueError: it is something else, or too large.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be numbers, got {shown(value)}")  # noqa: TRY004
    try:
        number = math.nan if "_" in str(value) else float(value)
    except ValueError:
        number = math.nan
    if not abs(number) <= MAX_COORDINATE:
        raise ValueError(f"must be finite numbers, got {shown(value)}")
    return number


def box_of(item: Mapping[str, Any]) -> Number | None:
    """Return the corners of the bbox; None where there is none, or an empty one beside a mask."""
    bbox = item.get("bbox")
    if bbox is None or bbox == []:
        return None
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise ValueError(f"bbox must be x, y, width, height, got {shown(bbox)}")
    try:
        x, y, width, height = (_finite(value) for value in bbox)
    except ValueError as error:
        raise ValueError(f"bbox {error}") from error
    if width <= 0 or height <= 0:
        if item.get("segmentation"):
            return None
        raise ValueError(f"bbox {','.join(map(plain_number, (x, y, width, height)))} has no size")
    return (x, y, x + width, y + height)


def box_around_mask(segmentation: Any) -> Number | None:
    """Return the box around polygons or a run-length mask; None where there is none."""
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        return _around_runs(segmentation)
    if not isinstance(segmentation, list):
        raise ValueError(f"segmentation must be polygons or a mask, got {shown(segmentation)}")  # noqa: TRY004
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    if not all(isinstance(each, list) and len(each) >= 4 and len(each) % 2 == 0 for each in polygons):
        raise ValueError(f"a polygon of segmentation must be x, y, x, y, ..., got {shown(segmentation)}")
    try:
        xs = [_finite(value) for each in polygons for value in each[0::2]]
        ys = [_finite(value) for each in polygons for value in each[1::2]]
    except ValueError as error:
        raise ValueError(f"segmentation {error}") from error
    return (min(xs), min(ys), max(xs), max(ys))


def _around_runs(mask: Mapping[str, Any]) -> Number:
    """Return the box around a run-length mask, packed or not."""
    from pycocotools import mask as masks

    size, counts = mask.get("size"), mask.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size)):
        raise ValueError(f"a mask needs its size [height, width], got {shown(size)}")
    height, width = size
    if not (1 <= height <= MAX_MASK_SIDE and 1 <= width <= MAX_MASK_SIDE):
        raise ValueError(f"the size of a mask must be in [1, {MAX_MASK_SIDE}], got {shown(size)}")
    if isinstance(counts, str) and _RUNS.fullmatch(counts):
        packed = {"size": size, "counts": counts.encode("ascii")}
    elif isinstance(counts, list) and _are_runs(counts) and sum(counts) == height * width < 1 << 32:
        packed = masks.frPyObjects({"size": size, "counts": counts}, height, width)
    else:
        raise ValueError(f"the counts of a mask must be run lengths that fill its {width} x {height} pixels")
    x, y, across, down = (float(value) for value in masks.toBbox(packed))
    if across <= 0 or down <= 0:
        raise ValueError("the mask is empty")
    return (x, y, x + across, y + down)


def _are_runs(counts: Sequence[Any]) -> bool:
    return all(isinstance(run, int) and not isinstance(run, bool) and run >= 0 for run in counts)


def middle_of(keypoints: Any) -> Number | None:
    """Return the middle of the visible keypoints x, y, v; None without any."""
    if not keypoints:
        return None
    if not isinstance(keypoints, list) or len(keypoints) % 3:
        raise ValueError(f"keypoints must be x, y, visibility, ..., got {shown(keypoints)}")
    try:
        values = [_finite(value) for value in keypoints]
    except ValueError as error:
        raise ValueError(f"keypoints {error}") from error
    seen = [(x, y) for x, y, visible in zip(values[0::3], values[1::3], values[2::3], strict=True) if visible > 0]
    if not seen:
        raise ValueError("has no visible keypoint")
    return (sum(x for x, _ in seen) / len(seen), sum(y for _, y in seen) / len(seen))


def shown(value: Any) -> str:
    """Return a value for a message."""
    return repr(value)[:60]

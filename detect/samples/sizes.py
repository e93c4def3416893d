"""The sizes and distances of labelled objects, and whether cells, patches and crops suit them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.imagery.resolution import Resolution
from detect.labels.detections import Detections
from detect.samples.labelled_scenes import LabelledScene

MIN_CELLS = 2
"""Cells of the map that a typical object, or the distance to its neighbour, must span to separate neighbours."""


MIN_CLASS_RATIO = 1.5
"""Ratio of the classes' median sizes from which the sentence on sizes lists each class."""


MAX_OBJECT_PER_PATCH, MAX_PATCH_PER_OBJECT = 1.5, 2.0
"""Greatest side of the typical object in patches, and of the patch in objects, without a warning."""


@dataclass(frozen=True)
class ObjectSizes:
    """The sizes of objects, in resampled pixels.

    Attributes:
        boxes: whether sizes are sides of boxes, sqrt(w * h); else distances of points from the nearest other one.
        number: number of objects measured.
        median: median of the sizes.
        low, high: their 5th and 95th percentiles.
        medians: median of each class that has objects.
    """

    boxes: bool
    number: int
    median: float
    low: float
    high: float
    medians: dict[str, float]

    def sentence(self, resolution: Resolution) -> str:
        """Return a sentence on the sizes, with each class's median where they differ by `MIN_CLASS_RATIO`."""
        what = "objects are {:.3g} pixels wide" if self.boxes else "the next point is {:.3g} pixels away"
        text = what.format(self.median)
        text += f": median of {self.number}, 5th to 95th percentile {self.low:.3g} to {self.high:.3g}"
        if self.medians and max(self.medians.values()) >= MIN_CLASS_RATIO * min(self.medians.values()):
            text += "; " + ", ".join(f"{name} {median:.3g}" for name, median in self.medians.items())
        return text + ("" if resolution == Resolution() else f" (as resampled by {resolution})")


def object_sizes(scenes: Sequence[LabelledScene]) -> ObjectSizes | None:
    """Return the sizes of the labelled boxes; of points, their distances from the nearest other one in the scene.

    Returns:
        None if there is nothing to measure: no boxes, and no two points in a scene.
    """
    boxes = any(scene.objects.wh is not None for scene in scenes)
    parts = [scene for scene in scenes if len(scene.objects) > (0 if boxes else 1)]
    if not parts:
        return None
    size = np.concatenate([_sides(scene) if boxes else nearest_distances([scene]) for scene in parts])
    label = np.concatenate([scene.objects.label for scene in parts])
    low, median, high = np.percentile(size, (5, 50, 95)).tolist()
    names = parts[0].objects.classes
    medians = {name: float(np.median(size[label == i])) for i, name in enumerate(names) if (label == i).any()}
    return ObjectSizes(boxes, len(size), median, low, high, medians)


def _sides(labelled: LabelledScene) -> NDArray[np.float64]:
    """Return the side (N,) of the square of each box's area, in pixels."""
    assert labelled.objects.wh is not None
    return np.sqrt(labelled.objects.wh.prod(axis=1))


def grid_warnings(
    sizes: ObjectSizes | None, stride: int, crop: int, deepest: int, resolution: Resolution
) -> tuple[str, ...]:
    """Return warnings on cells or crops of a grid head that do not suit the objects, with settings that would.

    Args:
        sizes: of the training objects; None gives no warning.
        stride: pixels per cell.
        crop: side of a crop in pixels.
        deepest: pixels of which a crop's side is a multiple.
        resolution: at which the sizes were measured.
    """
    if sizes is None:
        return ()
    warnings = _cell_warnings(sizes, stride, {4: "net.stride=4", 8: "net.stride=8"}, resolution)
    if sizes.boxes and 2 * sizes.high > crop:
        fitting = math.ceil(2 * sizes.high / deepest) * deepest
        warnings += (
            f"the largest 5 % of objects are {sizes.high:.3g} pixels wide or more, over half of "
            f"data.sampling.crop={crop}: few crops hold one whole; set data.sampling.crop={fitting}, or "
            f"{_resized(resolution, crop / 2 / sizes.high)}",
        )
    return warnings


def patch_warnings(sizes: ObjectSizes | None, stride: int, patch_size: int, resolution: Resolution) -> tuple[str, ...]:
    """Return warnings on cells or the patch of a classifier that do not suit the objects, with settings that would.

    Args:
        sizes: of the training objects; None gives no warning.
        stride: pixels per cell.
        patch_size: side of a patch in pixels.
        resolution: at which the sizes were measured.
    """
    if sizes is None:
        return ()
    if not sizes.median > 0:
        return ("half of the points or more coincide with another: the table may hold them twice",)
    warnings = _cell_warnings(sizes, stride, {8: "net.stride=8 net.stages=4", 16: "net.stride=16"}, resolution)
    fitting = fitted_patch(sizes.median, stride)
    if fitting == patch_size:
        return warnings
    if sizes.boxes and MAX_OBJECT_PER_PATCH * patch_size < sizes.median:
        wide = f"much smaller than objects {sizes.median:.3g} pixels wide (median)"
        fix = f"{fitting}, or {_resized(resolution, patch_size / sizes.median)}"
    elif sizes.boxes and patch_size > MAX_PATCH_PER_OBJECT * sizes.median:
        wide = f"much larger than objects {sizes.median:.3g} pixels wide (median)"
        fix = f"{fitting}, or {_resized(resolution, patch_size / MAX_PATCH_PER_OBJECT / sizes.median)}"
    elif not sizes.boxes and patch_size > MAX_PATCH_PER_OBJECT * sizes.median:
        wide = f"wide enough to hold several points, which are {sizes.median:.3g} pixels from the next (median)"
        fix = f"{fitting}, or {_resized(resolution, patch_size / MAX_PATCH_PER_OBJECT / sizes.median)}"
    else:
        return warnings
    return (*warnings, f"net.patch_size={patch_size} is {wide}; set net.patch_size={fix}")


def fitted_patch(size: float, stride: int) -> int:
    """Return the multiple of the stride nearest to an object's size, one cell at least; all in pixels."""
    return max(stride, round(size / stride) * stride)


def _cell_warnings(sizes: ObjectSizes, stride: int, finer: dict[int, str], resolution: Resolution) -> tuple[str, ...]:
    """Return a warning if cells are too coarse for the typical object, or else for the smallest 5 % of boxes.

    Args:
        sizes: of the training objects.
        stride: pixels per cell.
        finer: the settings of each finer stride.
        resolution: at which the sizes were measured.
    """
    if sizes.median < MIN_CELLS * stride:
        size, cells = sizes.median, MIN_CELLS
        what = f"objects are {size:.3g} pixels wide" if sizes.boxes else f"points are {size:.3g} pixels from the next"
        text = f"{what} (median), less than the {cells * stride} pixels of {cells} cells at net.stride={stride}"
    elif sizes.boxes and sizes.low < stride:
        size, cells = sizes.low, 1
        text = f"the smallest 5 % of objects are {size:.3g} pixels wide or less, under a cell at net.stride={stride}"
    else:
        return ()
    fixes = [fix for pixels, fix in sorted(finer.items(), reverse=True) if pixels < stride and cells * pixels <= size]
    fixes = [*fixes[:1], *([_resized(resolution, cells * stride / size)] if size > 0 else [])]
    return (f"{text}: neighbours may be merged; set {' or '.join(fixes)}",) if fixes else (text,)


def _resized(resolution: Resolution, factor: float) -> str:
    """Return the setting that enlarges by a power of two of `factor` or more, or reduces to `factor` or less."""
    power = 2.0 ** (math.ceil(math.log2(factor)) if factor > 1 else math.floor(math.log2(factor)))
    if resolution.gsd is None:
        return f"data.scale={resolution.scale * power:g}"
    return f"data.gsd={resolution.gsd / power:g}"


CROWDED_PERCENT = 5
"""Percentage of objects that are nearer to another, or overlap it more, than the value returned."""


BOXES_AT_ONCE = 128
"""Boxes that are compared with all others at once: a few hundred megabytes for 100,000 boxes."""


def nearest_distances(scenes: Sequence[LabelledScene], *, along_axis: bool = False) -> NDArray[np.float64]:
    """Return the distance (N,) in resampled pixels of every object from the nearest other one of its scene.

    Args:
        scenes: the labelled scenes; an object that is the only one of its scene is left out.
        along_axis: measure the greater of the distances in x and in y, instead of the straight line.
    """
    from scipy.spatial import cKDTree

    places = [scene.objects.xy for scene in scenes if len(scene.objects) > 1]
    norm = np.inf if along_axis else 2
    return np.concatenate([np.empty(0), *(cKDTree(xy).query(xy, k=2, p=norm)[0][:, 1] for xy in places)])


def nearest_others(scenes: Sequence[LabelledScene], *, along_axis: bool = False) -> float | None:
    """Return the distance from the nearest other object that all but the most crowded 5 % keep, in resampled pixels.

    Args:
        scenes: the labelled scenes.
        along_axis: measure the greater of the distances in x and in y, instead of the straight line.

    Returns:
        None if no scene has two objects.
    """
    distance = nearest_distances(scenes, along_axis=along_axis)
    return float(np.percentile(distance, CROWDED_PERCENT)) if len(distance) else None


def close_objects_note(scenes: Sequence[LabelledScene], stride: int) -> str | None:
    """Return a note on objects less than a cell of `stride` pixels from another; None if there are none."""
    total = sum(len(labelled.objects) for labelled in scenes)
    close = int((nearest_distances(scenes) < stride).sum())
    if not close:
        return None
    return (
        f"{close} of {total} training objects are less than a cell ({stride} pixels) from another and may be merged "
        "with it; a smaller net.stride or a larger data.scale would separate them"
    )


def greatest_overlaps(scenes: Sequence[LabelledScene]) -> float | None:
    """Return the greatest IoU in [0, 1] with another box of its class of all but the most crowded 5 % of boxes.

    Returns:
        None if no scene has boxes.
    """
    crowds = [scene.objects for scene in scenes if scene.objects.wh is not None and len(scene.objects)]
    if not crowds:
        return None
    return float(np.percentile(np.concatenate([_overlaps(objects) for objects in crowds]), 100 - CROWDED_PERCENT))


def _overlaps(objects: Detections) -> NDArray[np.float64]:
    """Return each box's greatest IoU (N,) with another of its class; 0 if there is none."""
    from torch import from_numpy
    from torchvision.ops import box_iou

    boxes = from_numpy(objects.boxes_xyxy)
    greatest = np.zeros(len(objects))
    for start in range(0, len(objects), BOXES_AT_ONCE):
        iou = box_iou(boxes[start : start + BOXES_AT_ONCE], boxes).numpy()
        own = np.arange(start, start + len(iou))
        iou[objects.label[own][:, None] != objects.label] = 0
        iou[np.arange(len(own)), own] = 0
        greatest[own] = iou.max(axis=1)
    return greatest

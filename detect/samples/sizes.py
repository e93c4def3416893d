"""How large labelled objects are, how near to each other they lie, and whether cells, patches and crops suit them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import from_numpy
from torchvision.ops import box_iou

from detect.imagery.resolution import Resolution
from detect.labels.detections import Detections
from detect.samples.labelled_scenes import LabelledScene

CELLS = 2
"""Cells of the map that a typical object, or the way to its neighbour, should span: fewer do not part neighbours."""


DIFFER = 1.5
"""Classes whose median sizes differ by this factor are told one by one."""


SMALL, LARGE = 1.5, 2.0
"""A patch that is this many times smaller, or larger, than the typical object does not suit it."""


@dataclass(frozen=True)
class ObjectSizes:
    """How large objects are, in pixels as the network sees them.

    Attributes:
        boxes: whether sizes are sides of boxes, sqrt(w * h); else distances of points from the nearest other.
        number: of objects measured.
        median: of the sizes.
        low, high: their 5th and 95th percentiles.
        medians: by class, of the classes that have any.
    """

    boxes: bool
    number: int
    median: float
    low: float
    high: float
    medians: dict[str, float]

    def sentence(self, resolution: Resolution) -> str:
        """Say it, with the classes where they differ much."""
        what = "objects are {:.3g} pixels wide" if self.boxes else "the next point is {:.3g} pixels away"
        said = what.format(self.median)
        said += f": median of {self.number}, 5th to 95th percentile {self.low:.3g} to {self.high:.3g}"
        if self.medians and max(self.medians.values()) >= DIFFER * min(self.medians.values()):
            said += "; " + ", ".join(f"{name} {median:.3g}" for name, median in self.medians.items())
        return said + ("" if resolution == Resolution() else f" (as resampled by {resolution})")


def object_sizes(scenes: Sequence[LabelledScene]) -> ObjectSizes | None:
    """Measure the labelled boxes; of points, the distance from each to the nearest other in its scene.

    Returns:
        None where there is nothing to measure: no boxes, and no two points in a scene.
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
    assert labelled.objects.wh is not None
    return np.sqrt(labelled.objects.wh.prod(axis=1))


def grid_warnings(
    sizes: ObjectSizes | None, stride: int, crop: int, deepest: int, resolution: Resolution
) -> tuple[str, ...]:
    """Say where the cells or the crops of a grid head do not suit the objects, and the way out.

    Args:
        sizes: of the training objects; None is never warned of.
        stride: pixels per cell.
        crop: side of a crop in pixels.
        deepest: pixels of which a crop's side is a multiple.
        resolution: at what size the objects are seen.
    """
    if sizes is None:
        return ()
    told = _of_cells(sizes, stride, {4: "net.stride=4", 8: "net.stride=8"}, resolution)
    if sizes.boxes and 2 * sizes.high > crop:
        fitting = math.ceil(2 * sizes.high / deepest) * deepest
        told += (
            f"the largest 5 % of objects are {sizes.high:.3g} pixels wide or more, over half of "
            f"data.sampling.crop={crop}: few crops hold one whole; set data.sampling.crop={fitting}, or "
            f"{_resized(resolution, crop / 2 / sizes.high)}",
        )
    return told


def patch_warnings(sizes: ObjectSizes | None, stride: int, patch_size: int, resolution: Resolution) -> tuple[str, ...]:
    """Say where the cells or the patch of a patch classifier do not suit the objects, and the way out.

    Args:
        sizes: of the training objects; None is never warned of.
        stride: pixels per cell.
        patch_size: in pixels.
        resolution: at what size the objects are seen.
    """
    if sizes is None:
        return ()
    if not sizes.median > 0:
        return ("half of the points or more lie on another: the table may hold them twice",)
    told = _of_cells(sizes, stride, {8: "net.stride=8 net.stages=4", 16: "net.stride=16"}, resolution)
    fitting = fitted_patch(sizes.median, stride)
    if fitting == patch_size:
        return told
    if sizes.boxes and SMALL * patch_size < sizes.median:
        wide = f"much smaller than objects {sizes.median:.3g} pixels wide (median)"
        way = f"{fitting}, or {_resized(resolution, patch_size / sizes.median)}"
    elif sizes.boxes and patch_size > LARGE * sizes.median:
        wide = f"much larger than objects {sizes.median:.3g} pixels wide (median)"
        way = f"{fitting}, or {_resized(resolution, patch_size / LARGE / sizes.median)}"
    elif not sizes.boxes and patch_size > LARGE * sizes.median:
        wide = f"wide enough to hold several points, which lie {sizes.median:.3g} pixels apart (median)"
        way = f"{fitting}, or {_resized(resolution, patch_size / LARGE / sizes.median)}"
    else:
        return told
    return (*told, f"net.patch_size={patch_size} is {wide}; set net.patch_size={way}")


def fitted_patch(size: float, stride: int) -> int:
    """Give the multiple of the stride that is nearest to an object's size in pixels; one cell at least."""
    return max(stride, round(size / stride) * stride)


def _of_cells(sizes: ObjectSizes, stride: int, finer: dict[int, str], resolution: Resolution) -> tuple[str, ...]:
    """Say that cells are too coarse: by the typical object, or else by the smallest 5 % of boxes."""
    if sizes.median < CELLS * stride:
        size, cells = sizes.median, CELLS
        what = f"objects are {size:.3g} pixels wide" if sizes.boxes else f"points lie {size:.3g} pixels apart"
        said = f"{what} (median), less than the {cells * stride} pixels of {cells} cells at net.stride={stride}"
    elif sizes.boxes and sizes.low < stride:
        size, cells = sizes.low, 1
        said = f"the smallest 5 % of objects are {size:.3g} pixels wide or less, under a cell at net.stride={stride}"
    else:
        return ()
    ways = [way for pixels, way in sorted(finer.items(), reverse=True) if pixels < stride and cells * pixels <= size]
    ways = [*ways[:1], *([_resized(resolution, cells * stride / size)] if size > 0 else [])]
    return (f"{said}: neighbours may be taken for one; set {' or '.join(ways)}",) if ways else (f"{said}",)


def _resized(resolution: Resolution, factor: float) -> str:
    """Give the setting that enlarges by a power of two of `factor` or more, or reduces to `factor` or less."""
    power = 2.0 ** (math.ceil(math.log2(factor)) if factor > 1 else math.floor(math.log2(factor)))
    if resolution.gsd is None:
        return f"data.scale={resolution.scale * power:g}"
    return f"data.gsd={resolution.gsd / power:g}"


CROWDED = 5
"""The percentage of objects that lie nearer to another, or overlap it more, than what is told."""


ROWS = 128
"""Boxes that are compared with all others at once: memory for a few hundred megabytes where there are 100,000."""


def nearest_distances(scenes: Sequence[LabelledScene], *, along_axis: bool = False) -> NDArray[np.float64]:
    """Return the distance (N,) in resampled pixels of every object from the nearest other one of its scene.

    Args:
        scenes: what is labelled; the objects of scenes that hold a single one are left out.
        along_axis: measure the greater of the distances in x and in y, instead of the straight line.
    """
    places = [scene.objects.xy for scene in scenes if len(scene.objects) > 1]
    norm = np.inf if along_axis else 2
    return np.concatenate([np.empty(0), *(cKDTree(xy).query(xy, k=2, p=norm)[0][:, 1] for xy in places)])


def nearest_others(scenes: Sequence[LabelledScene], *, along_axis: bool = False) -> float | None:
    """Give the distance in pixels of the scenes below which only the most crowded 5 % of objects have another.

    Args:
        scenes: what is labelled.
        along_axis: measure the greater of the distances in x and in y, instead of the straight line.

    Returns:
        None where no scene has two objects.
    """
    distance = nearest_distances(scenes, along_axis=along_axis)
    return float(np.percentile(distance, CROWDED)) if len(distance) else None


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

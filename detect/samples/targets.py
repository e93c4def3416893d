"""Targets of a crop by cell: of a grid head the objects, their sizes and classes; of a patch classifier the class."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from detect.nets.heads.grid import MAX_CENTRE_OFFSET
from detect.nets.heads.patch import NOT_COUNTED, patch_centre
from detect.nets.heads.specs import GridHead
from detect.samples.values.cells import middles, nearest_of, valid_pixels

MAX_SOFT_OBJECTNESS = 0.99
"""Greatest target objectness of a cell that holds no centre."""


FARTHEST_SOFT = 8.0
"""Spreads from which on a centre is not looked at: its soft objectness is below 1e-13."""


LEAST_SEEN = 0.25
"""Share of a patch that must lie on the image: that of one around a corner of it."""


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of a crop, including those whose centre is just outside it.

    Attributes:
        xy: (N, 2) centres in pixels of the crop.
        wh: (N, 2) sizes in pixels, None for points.
        label: (N,) class numbers.
        ignored: (M, 4) boxes x1, y1, x2, y2 in pixels of the crop, where nothing is learned.
    """

    xy: NDArray[np.float64]
    wh: NDArray[np.float64] | None
    label: NDArray[np.int64]
    ignored: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Found:
    """The targets of a grid head, while they are written: as `TargetEncoder` returns them."""

    objectness: NDArray[np.float32]
    weight: NDArray[np.float32]
    box: NDArray[np.float32]
    label: NDArray[np.int64]


@dataclass(frozen=True)
class TargetEncoder:
    """Makes targets from the objects of a crop.

    The cell that holds a centre is positive (1); cells around it get exp(-d^2 / 2 spread^2), d in cells from their
    middle to the nearest centre, at most `MAX_SOFT_OBJECTNESS` (Law and Deng 2018, CornerNet). Every cell within
    `MAX_CENTRE_OFFSET` of a centre learns the nearest object's position, size and class, weighted by its soft
    objectness. Of several objects in one cell the nearest to its middle takes slot 0, the next slot 1, and so on;
    objects without a slot are lost, and counted. An object cut by the crop's edge belongs to the cell of its centre; if
    that is outside, the object makes no cell of this crop positive, but its soft objectness extends into the crop.
    Nothing is learned from cells of ignored regions, and from those mostly outside the image.

    Attributes:
        grid: the head.
        stride: pixels per cell.
        spread: standard deviation, in cells, of the soft objectness around a centre; positive.

    Raises:
        ValueError: a spread that is not positive.
    """

    grid: GridHead
    stride: int
    spread: float

    def __post_init__(self) -> None:
        if not self.spread > 0:
            raise ValueError(f"net.spread must be positive, got {self.spread}")

    def __call__(self, objects: Objects, valid: NDArray[np.bool_]) -> dict[str, Tensor]:
        """Return the targets of a crop.

        Args:
            objects: in pixels of the crop.
            valid: (H, W), multiples of the stride: which pixels belong to the image.

        Returns:
            float32 `objectness` (slots, h, w) in [0, 1], `box` (slots, 4, h, w) in the encoding of the net's output,
            `weight` (slots, h, w) of box and class in [0, 1], `learned` (h, w) 0 where nothing is learned, else 1, and
            `lost`, the number of objects without a slot; int64 `label` (h, w) class numbers.
        """
        side, slots = self.stride, self.grid.slots
        hw = valid.shape[0] // side, valid.shape[1] // side
        cells, label = np.zeros((6 * slots + 1, *hw), np.float32), np.zeros(hw, np.int64)
        found = Found(cells[:slots], cells[slots : 2 * slots], cells[2 * slots : -1].reshape(slots, 4, *hw), label)
        np.greater(2 * valid_pixels(valid, side), side**2, out=cells[-1])
        lost = 0
        if len(objects.xy):
            self._write_soft(objects, found)
            lost = self._write_positives(objects, found)
        for x1, y1, x2, y2 in objects.ignored / side:
            cells[-1, max(0, int(y1)) : max(0, int(np.ceil(y2))), max(0, int(x1)) : max(0, int(np.ceil(x2)))] = 0
        made = torch.from_numpy(cells)
        return {
            "objectness": made[:slots],
            "box": made[2 * slots : -1].view(slots, 4, *hw),
            "weight": made[slots : 2 * slots],
            "label": torch.from_numpy(label),
            "learned": made[-1],
            "lost": torch.from_numpy(np.array(lost, np.float32)),
        }

    def _write_soft(self, objects: Objects, found: Found) -> None:
        """Write slot 0 around every centre: soft objectness, and where it counts the nearest object's box and class."""
        height, width = found.label.shape
        at = objects.xy / self.stride
        reach = max(MAX_CENTRE_OFFSET, FARTHEST_SOFT * self.spread)
        within = np.flatnonzero(((at > -reach) & (at < (width + reach, height + reach))).all(axis=1))
        if not len(within):
            return
        at = at[within]
        dx, dy = at[:, :1] - middles(width), at[:, 1:] - middles(height)
        nearest, square = nearest_of((dx**2).astype(np.float32), (dy**2).astype(np.float32))
        soft = np.exp(square * np.float32(-0.5 / self.spread**2))
        rows, cols = (square < 2 * MAX_CENTRE_OFFSET**2).nonzero()
        which = nearest[rows, cols]
        across, down = dx[which, cols], dy[which, rows]
        near = np.maximum(np.abs(across), np.abs(down)) < MAX_CENTRE_OFFSET
        rows, cols = rows[near], cols[near]
        np.minimum(soft, MAX_SOFT_OBJECTNESS, out=found.objectness[0])
        found.weight[0, rows, cols] = soft[rows, cols]
        found.box[0, :2, rows, cols] = np.stack([across[near], down[near]], axis=1)
        if objects.wh is not None and self.grid.object_size is not None:
            found.box[0, 2:, rows, cols] = self._log_sizes(objects.wh[within])[which[near]]
        found.label[:] = objects.label[within].take(nearest)

    def _write_positives(self, objects: Objects, found: Found) -> int:
        """Write the positive cells, slot by slot, and return the number of objects without a slot."""
        height, width = found.label.shape
        centres = objects.xy / self.stride
        inside = np.flatnonzero(((centres >= 0) & (centres < (width, height))).all(axis=1))
        centres = centres[inside]
        cells = np.floor(centres).astype(np.int64)
        offset = centres - cells - 0.5
        size = None
        if objects.wh is not None and self.grid.object_size is not None:
            size = self._log_sizes(objects.wh[inside])
        used: dict[tuple[int, int], int] = {}
        lost = 0
        for i in np.argsort((offset**2).sum(axis=1), kind="stable").tolist():
            col, row = cells[i].tolist()
            slot = used.get((row, col), 0)
            used[row, col] = slot + 1
            if slot >= self.grid.slots:
                lost += 1
                continue
            found.objectness[slot, row, col] = found.weight[slot, row, col] = 1
            found.box[slot, :2, row, col] = offset[i]
            if size is not None:
                found.box[slot, 2:, row, col] = size[i]
            if slot == 0:
                found.label[row, col] = objects.label[inside[i]]
        return lost

    def _log_sizes(self, wh: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logarithms (N, 2) of sizes in pixels, of one at least, over the typical one."""
        return np.asarray(np.log(np.maximum(wh, 1.0) / self.grid.object_size), np.float64)


@dataclass(frozen=True)
class PatchEncoder:
    """Makes the targets of a patch classifier that is evaluated densely, as in prediction, from the objects of a crop.

    A cell stands for the patch around its centre. Within `reach` of an object its output is the nearest object's class,
    from `exclusion` away on the background; between the two, where a patch shows half an object, it is not counted, nor
    in ignored regions, nor outside the image or where less than `LEAST_SEEN` of its patch is on it, nor so near to the
    crop's edge that the network would see that: in prediction there is none. Nor is it background nearer than
    `exclusion` to an ignored region, in which an object without a label may be; beside the image's edge it is, since
    prediction meets that too, and no object can be seen beyond it.

    Attributes:
        stride: pixels per cell.
        cells: side of the patch in cells.
        reach: in pixels; half of a cell's diagonal or more, so that every object has a cell.
        exclusion: in pixels; no less than `reach`.
        context: pixels at each edge of the crop whose cells are not counted.

    Raises:
        ValueError: a reach or exclusion out of its range.
    """

    stride: int
    cells: int
    reach: float
    exclusion: float
    context: int

    def __post_init__(self) -> None:
        if self.reach < least_reach(self.stride):
            raise ValueError(
                f"data.sampling.reach must be {least_reach(self.stride):.4g} pixels or more at "
                f"net.stride={self.stride}, so that every object has a cell, got {self.reach:g}; leave it out, or "
                "lower net.stride"
            )
        if self.exclusion < self.reach:
            raise ValueError(
                f"data.sampling.exclusion must be data.sampling.reach={self.reach:.4g} pixels or more, "
                f"got {self.exclusion:g}"
            )

    def __call__(self, objects: Objects, valid: NDArray[np.bool_]) -> dict[str, Tensor]:
        """Return the targets of a crop.

        Args:
            objects: in pixels of the crop.
            valid: (H, W), multiples of the stride: which pixels belong to the image.

        Returns:
            int64 `output` (h, w): 0 the background, i + 1 class i, `NOT_COUNTED` where nothing is learned.
        """
        first = patch_centre(self.stride, self.cells)
        x, y = (first + self.stride * np.arange(length // self.stride) for length in valid.shape[::-1])
        output = self._nearest(objects, x, y)
        inside = self._inside(y, valid.shape[0])[:, None] & self._inside(x, valid.shape[1])
        output[~(inside & self._seen(valid, x, y))] = NOT_COUNTED
        half = self.stride / 2
        frame = np.array([x[0], y[0], x[-1], y[-1]])
        beyond = np.maximum(frame[:2] - objects.ignored[:, 2:], objects.ignored[:, :2] - frame[2:]).max(axis=1)
        for x1, y1, x2, y2 in objects.ignored[beyond < max(self.exclusion, half)]:
            across, down = abs(x - np.clip(x, x1, x2)), abs(y - np.clip(y, y1, y2))
            output[np.ix_(down < half, across < half)] = NOT_COUNTED
            output[(output == 0) & (np.hypot(down[:, None], across) < self.exclusion)] = NOT_COUNTED
        return {"output": torch.from_numpy(output)}

    def _nearest(self, objects: Objects, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the outputs (h, w) by the distance of the nearest object from the cells' centres."""
        low, high = (x[0] - self.exclusion, y[0] - self.exclusion), (x[-1] + self.exclusion, y[-1] + self.exclusion)
        near = ((objects.xy >= low) & (objects.xy <= high)).all(axis=1)
        if not near.any():
            return np.zeros((len(y), len(x)), np.int64)
        xy, label = objects.xy[near], objects.label[near]
        nearest, square = nearest_of((xy[:, :1] - x) ** 2, (xy[:, 1:] - y) ** 2)
        distance = np.sqrt(square)
        empty = np.where(distance >= self.exclusion, 0, NOT_COUNTED)
        return np.where(distance <= self.reach, label[nearest] + 1, empty).astype(np.int64)

    def _inside(self, at: NDArray[np.float64], length: int) -> NDArray[np.bool_]:
        """Mark the centres along an axis that lie within the context."""
        return (at >= self.context) & (at < length - self.context)

    def _seen(self, valid: NDArray[np.bool_], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Mark the cells (h, w) whose centre is on the image, and `LEAST_SEEN` of whose patch."""
        cells = torch.from_numpy(valid_pixels(valid, self.stride)).float()[None] / self.stride**2
        share = F.avg_pool2d(cells, self.cells, 1, padding=self.cells // 2)[0]
        middle = valid[np.ix_(y.astype(int), x.astype(int))]
        return (share.numpy()[: len(y), : len(x)] >= LEAST_SEEN) & middle


def least_reach(stride: int) -> float:
    """Return half of a cell's diagonal in pixels: the nearest cell's centre is no farther from any point."""
    return stride * math.sqrt(0.5) * (1 + 1e-9)

"""What a grid head should say of a crop: which cells hold an object, where, how large, and which class."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detect.nets.card import GridHead
from detect.nets.heads.grid import REACH

SOFTEST = 0.99
"""Greatest objectness wanted of a cell that holds no centre."""


Cells = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of a crop, also those whose centre lies just outside it.

    Attributes:
        xy: (N, 2) centres in pixels of the crop.
        wh: (N, 2) sizes in pixels, None for points.
        label: (N,) class numbers.
        ignored: (M, 4) boxes x1, y1, x2, y2 where nothing is learned.
    """

    xy: NDArray[np.float64]
    wh: NDArray[np.float64] | None
    label: NDArray[np.int64]
    ignored: NDArray[np.float64]


@dataclass(frozen=True)
class TargetEncoder:
    """Turns the objects of a crop into targets.

    The cell that holds a centre is positive (1); cells around it get exp(-d^2 / 2 spread^2), d in cells from their
    middle to the nearest centre, at most `SOFTEST` (Law and Deng 2018, CornerNet). Every cell within `REACH` of a
    centre learns the nearest object's place, size and class, weighted by its softness. Of several objects in one cell
    the nearest to its middle takes slot 0, the next slot 1, and so on; those beyond the slots are lost, and counted.
    An object cut by the crop's edge belongs to the cell of its centre; where that lies outside, it is no positive of
    this crop, and its softness reaches in. Cells of ignored regions, and those mostly outside the image, are not seen.

    Attributes:
        grid: the head.
        stride: pixels per cell.
        spread: standard deviation, in cells, of the soft objectness around a centre.
    """

    grid: GridHead
    stride: int
    spread: float

    def __post_init__(self) -> None:
        if not self.spread > 0:
            raise ValueError(f"net.spread must be positive, got {self.spread}")

    def __call__(self, objects: Objects, valid: NDArray[np.bool_]) -> dict[str, Tensor]:
        """Encode.

        Args:
            objects: in pixels of the crop.
            valid: (H, W), multiples of the stride, which pixels are of the image.

        Returns:
            `objectness` (slots, h, w), `box` (slots, 4, h, w) as the net says it, `weight` (slots, h, w) of box and
            class, `label` (h, w) class numbers, `seen` (h, w) 0 where nothing is learned, and `lost`, a number.
        """
        side, slots = self.stride, self.grid.slots
        height, width = valid.shape[0] // side, valid.shape[1] // side
        covered = valid.reshape(height, side, width, side).mean(axis=(1, 3))
        found: dict[str, Cells] = {
            "objectness": np.zeros((slots, height, width), np.float32),
            "box": np.zeros((slots, 4, height, width), np.float32),
            "weight": np.zeros((slots, height, width), np.float32),
            "label": np.zeros((height, width), np.int64),
            "seen": (covered > 0.5).astype(np.float32),
        }
        lost = 0
        if len(objects.xy):
            self._surround(objects, found)
            lost = self._place(objects, found)
        for x1, y1, x2, y2 in objects.ignored / side:
            found["seen"][max(0, int(y1)) : max(0, int(np.ceil(y2))), max(0, int(x1)) : max(0, int(np.ceil(x2)))] = 0
        return {name: torch.from_numpy(array) for name, array in found.items()} | {"lost": torch.tensor(float(lost))}

    def _surround(self, objects: Objects, found: dict[str, Cells]) -> None:
        """Fill slot 0 around every centre: softness, and the nearest object's box and class."""
        height, width = found["label"].shape
        at = objects.xy / self.stride
        dx = at[:, 0, None, None] - (np.arange(width) + 0.5)[None, None, :]
        dy = at[:, 1, None, None] - (np.arange(height) + 0.5)[None, :, None]
        square = dx**2 + dy**2
        nearest = square.argmin(axis=0)
        rows, cols = np.indices((height, width))
        soft = np.exp(-square[nearest, rows, cols] / (2 * self.spread**2))
        away = np.stack([dx[nearest, 0, cols], dy[nearest, rows, 0]], axis=-1)
        near = np.abs(away).max(axis=-1) < REACH
        found["objectness"][0] = np.minimum(soft, SOFTEST)
        found["weight"][0] = np.where(near, soft, 0)
        found["box"][0] = self._boxes(objects, nearest, away)
        found["label"][:] = objects.label[nearest]

    def _place(self, objects: Objects, found: dict[str, Cells]) -> int:
        """Make the cells of the centres positive, slot by slot; give the number of objects that found no slot."""
        at = objects.xy / self.stride
        cells = np.floor(at).astype(np.int64)
        away = at - cells - 0.5
        inside = set(np.flatnonzero(((cells >= 0) & (cells < found["label"].shape[::-1])).all(axis=1)).tolist())
        order = np.argsort((away**2).sum(axis=1), kind="stable")
        taken: dict[tuple[int, int], int] = {}
        lost = 0
        for i in order.tolist():
            if i not in inside:
                continue
            col, row = cells[i].tolist()
            slot = taken.get((row, col), 0)
            taken[row, col] = slot + 1
            if slot >= self.grid.slots:
                lost += 1
                continue
            found["objectness"][slot, row, col] = 1
            found["weight"][slot, row, col] = 1
            found["box"][slot, :, row, col] = self._boxes(objects, np.array(i), away[i])
            if slot == 0:
                found["label"][row, col] = objects.label[i]
        return lost

    def _boxes(self, objects: Objects, which: NDArray[np.intp], away: NDArray[np.float64]) -> NDArray[np.float32]:
        """Give (4, ...) offsets and log sizes of the objects `which` (...)."""
        size = np.zeros((*which.shape, 2))
        if objects.wh is not None and self.grid.object_size is not None:
            size = np.log(np.maximum(objects.wh[which], 1.0) / self.grid.object_size)
        return np.moveaxis(np.concatenate([away, size], axis=-1), -1, 0).astype(np.float32)

"""Which number of a network's map is explained: the raw score of a head in one cell, before softmax or sigmoid."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from detect.inference.decoding.grid import LOG_SIZE_BOUNDS, objectness
from detect.inference.decoding.patch import foreground
from detect.nets.heads.grid import CHANNELS_PER_SLOT
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead
from detect.nets.net_spec import NetSpec

OBJECTNESS = "objectness"
"""The name of the score of a grid's cell that says whether an object is there."""

HALF = 0.501
"""Most cells from a peak of a classifier's map to the place that it is refined to, as tables round it."""

ALIKE = 0.02
"""Most cells by which cells that give the same object may differ in its edges: cut at an edge, several give one box."""


@dataclass(frozen=True)
class Aim:
    """One number of a map (K, h, w).

    Attributes:
        name: what it is the score of: `objectness`, or a class.
        channel: of the map.
        cell: (row, col) in the map.
    """

    name: str
    channel: int
    cell: tuple[int, int]

    @property
    def stem(self) -> str:
        """The name as a part of file names; names that differ in signs alone differ by the channel."""
        plain = re.sub(r"[^A-Za-z0-9]+", "-", self.name).strip("-").lower()[:32]
        return plain if plain == self.name.lower() else f"{plain or 'class'}-{self.channel}"

    def of(self, maps: Tensor) -> Tensor:
        """Return the number of each of some maps: (B, K, h, w) to (B,)."""
        return maps[:, self.channel, self.cell[0], self.cell[1]]

    def score(self, net: nn.Module) -> Callable[[Tensor], Tensor]:
        """Return what maps pixels (B, bands, H, W) to the number of each: (B,)."""
        return lambda pixels: self.of(net(pixels))


@dataclass(frozen=True)
class Found:
    """An object as it was found, in pixels of an image or of a tile.

    Attributes:
        box: x1, y1, x2, y2; of a point, its place twice.
        edges: x1, y1, x2, y2 of the part of the image in which it was found, at which objects are cut.
        label: number of its class; None where that is not known.
    """

    box: tuple[float, float, float, float]
    edges: tuple[float, float, float, float]
    label: int | None = None

    def seen_from(self, left: int, top: int) -> "Found":
        """Return the object in pixels of a tile that begins at a column and a row of these."""
        (x1, y1, x2, y2), (west, north, east, south) = self.box, self.edges
        box = (x1 - left, y1 - top, x2 - left, y2 - top)
        return Found(box, (west - left, north - top, east - left, south - top), self.label)


def cell_at(
    spec: NetSpec, logits: NDArray[np.float32], xy: tuple[float, float], found: Found | None = None
) -> tuple[int, int, int]:
    """Return the row, column and slot of the cell of a map that says what is at a place.

    Of a grid it is the one that an object was found by, and where none was, the slot of the highest objectness of the
    cell that the place lies in. Of a classifier it is the cell whose peak an object is, which lies half a cell from it
    at most: of those, the one that is the least like the background.

    Args:
        spec: of the network.
        logits: (K, h, w) of a tile.
        xy: the place in pixels of the tile.
        found: the object there; None where nothing was found.

    Raises:
        ValueError: the place lies beyond the tile.
    """
    if isinstance(spec.head, WholeHead):
        return 0, 0, 0
    height, width = logits.shape[1:]
    col, row = (int(np.rint((at - spec.cell_offset) / spec.stride)) for at in xy)
    if not (0 <= row < height and 0 <= col < width):
        raise ValueError(f"x={xy[0]:g}, y={xy[1]:g} is no place of a tile of {height} x {width} cells")
    match spec.head:
        case PatchHead() if found is None:
            return row, col, 0
        case PatchHead():
            return (*_peak_of(spec, logits, xy), 0)
        case GridHead(slots=slots) if found is None:
            return row, col, int(objectness(logits, slots)[:, row, col].argmax())
        case GridHead():
            return _found_by(spec, spec.head, logits, found)
        case _:
            assert_never(spec.head)


def _peak_of(spec: NetSpec, logits: NDArray[np.float32], xy: tuple[float, float]) -> tuple[int, int]:
    """Return the row and column of the cell whose peak was refined to a place, which lies in the map."""
    at = [(each - spec.cell_offset) / spec.stride for each in xy]
    (first_col, first_row), (last_col, last_row) = (
        [round_(each + step) for each in at] for round_, step in ((math.ceil, -HALF), (math.floor, HALF))
    )
    top, left = max(0, first_row), max(0, first_col)
    heat = foreground(logits[:, top : last_row + 1, left : last_col + 1])
    row, col = np.unravel_index(int(heat.argmax()), heat.shape)
    return top + int(row), left + int(col)


def _found_by(spec: NetSpec, head: GridHead, logits: NDArray[np.float32], found: Found) -> tuple[int, int, int]:
    """Return the row, column and slot of the cell that an object was found by.

    Centres are moved to the edges of where objects were looked for, and boxes are cut there, which moves their centres
    again: by its centre alone a tree at the edge of an image would be taken for that of a cell that found nothing. Of
    the cells in there that give the object, or what is nearest to it, within `ALIKE`, it is that of the highest
    objectness, as the decoder takes it: of those of its class, since objects of several may be at one place.
    """
    slot, row, col = np.indices((head.slots, *logits.shape[1:])).reshape(3, -1)
    values = logits[: head.slots * CHANNELS_PER_SLOT].reshape(head.slots, CHANNELS_PER_SLOT, *logits.shape[1:])
    there, right, down, wide, high = (values[:, i].ravel().astype(np.float64) for i in range(CHANNELS_PER_SLOT))
    centre = spec.cell_offset + spec.stride * np.stack([col + right, row + down])
    size = np.exp(np.clip([wide, high], *LOG_SIZE_BOUNDS))
    half = np.zeros_like(centre) if head.object_size is None else head.object_size / 2 * size
    first, last = (np.array(edge)[:, None] for edge in (found.edges[:2], found.edges[2:]))
    centre = np.clip(centre, first, last)
    box = np.concatenate([np.clip(edge, first, last) for edge in (centre - half, centre + half)])
    away = np.abs(box - np.array(found.box)[:, None]).max(axis=0) / spec.stride
    corner = spec.stride * np.stack([col, row])
    away[((corner + spec.stride <= first) | (corner >= last)).any(axis=0)] = np.inf
    near = away <= away.min() + ALIKE
    own = near & (logits[head.slots * CHANNELS_PER_SLOT :].argmax(axis=0)[row, col] == found.label)
    best = int(np.where(own if own.any() else near, there, -np.inf).argmax())
    return int(row[best]), int(col[best]), int(slot[best])


def aims_at(
    spec: NetSpec, logits: NDArray[np.float32], xy: tuple[float, float], name: str | None, found: Found | None = None
) -> list[Aim]:
    """Return the scores that are explained at a place.

    Of a grid the objectness of the cell, and, where there are several classes, its class; of a classifier the class.

    Args:
        spec: of the network.
        logits: (K, h, w) of a tile.
        xy: the place in pixels of the tile.
        name: of the class, or `objectness`; None takes the likeliest there, which is never the background.
        found: the object there; None where nothing was found.

    Raises:
        ValueError: a class that the network does not have, or a place beyond the tile.
    """
    row, col, slot = cell_at(spec, logits, xy, found)
    names, first, offset = spec.outputs, len(spec.outputs) - len(spec.classes), 0
    own: list[Aim] = []
    if isinstance(spec.head, GridHead):
        offset = spec.head.slots * CHANNELS_PER_SLOT
        own = [Aim(OBJECTNESS, slot * CHANNELS_PER_SLOT, (row, col))]
    if name is not None and name not in names and not (own and name == OBJECTNESS):
        known = ", ".join([*(aim.name for aim in own), *names])
        raise ValueError(f"class={name} is none that the model knows: {known}")
    if name is not None and name not in names:
        return own
    scores = logits[offset : offset + len(names), row, col]
    number = names.index(name) if name is not None else first + int(np.argmax(scores[first:]))
    if own and len(spec.classes) == 1 and name is None:
        return own
    return [*own, Aim(names[number], offset + number, (row, col))]

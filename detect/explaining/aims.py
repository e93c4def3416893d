"""Which number of a network's map is explained: the raw score of a head in one cell, before softmax or sigmoid."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from detect.nets.card import NetSpec
from detect.nets.heads.grid import CHANNELS_PER_SLOT, MAX_CENTRE_OFFSET
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead

OBJECTNESS = "objectness"
"""The name of the score of a grid's cell that says whether an object is there."""


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


def cell_at(spec: NetSpec, logits: NDArray[np.float32], xy: tuple[float, float]) -> tuple[int, int, int]:
    """Return the row, column and slot of the cell of a map that says what is at a place.

    Of a grid it is, of the cells from which a centre may reach the place, the one whose centre is nearest to it, of
    equal ones that of the highest objectness.

    Args:
        spec: of the network.
        logits: (K, h, w) of a tile.
        xy: the place in pixels of the tile.

    Raises:
        ValueError: the place lies beyond the tile.
    """
    height, width = logits.shape[1:]
    at = (np.array(xy) - spec.cell_offset) / spec.stride
    match spec.head:
        case WholeHead():
            return 0, 0, 0
        case PatchHead():
            row, col = int(np.rint(at[1])), int(np.rint(at[0]))
            if not (0 <= row < height and 0 <= col < width):
                raise ValueError(f"x={xy[0]:g}, y={xy[1]:g} is no place of a tile of {height} x {width} cells")
            return row, col, 0
        case GridHead(slots=slots):
            return _nearest(logits, at, slots)
        case _:
            assert_never(spec.head)


def _nearest(logits: NDArray[np.float32], at: NDArray[np.float64], slots: int) -> tuple[int, int, int]:
    """Return the row, column and slot whose centre is nearest to a place (x, y) in cells."""
    height, width = logits.shape[1:]
    reach = int(np.ceil(MAX_CENTRE_OFFSET)) + 1
    rows = range(max(0, round(at[1]) - reach), min(height, round(at[1]) + reach + 1))
    cols = range(max(0, round(at[0]) - reach), min(width, round(at[0]) + reach + 1))
    found = []
    for row in rows:
        for col in cols:
            for slot in range(slots):
                there, right, down = logits[slot * CHANNELS_PER_SLOT :, row, col][:3].tolist()
                distance = float(np.hypot(col + right - at[0], row + down - at[1]))
                found.append((round(distance, 2), -there, row, col, slot))
    if not found:
        raise ValueError(f"no cell of the tile's {height} x {width} is near x={at[0]:g}, y={at[1]:g} cells")
    _, _, row, col, slot = min(found)
    return row, col, slot


def aims_at(spec: NetSpec, logits: NDArray[np.float32], xy: tuple[float, float], name: str | None) -> list[Aim]:
    """Return the scores that are explained at a place.

    Of a grid the objectness of the cell, and, where there are several classes, its class; of a classifier the class.

    Args:
        spec: of the network.
        logits: (K, h, w) of a tile.
        xy: the place in pixels of the tile.
        name: of the class, or `objectness`; None takes the likeliest there, which is never the background.

    Raises:
        ValueError: a class that the network does not have, or a place beyond the tile.
    """
    row, col, slot = cell_at(spec, logits, xy)
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


def moved(aim: Aim, rows: int, cols: int) -> Aim:
    """Return the same score in a cell some rows further down and some columns further right."""
    return replace(aim, cell=(aim.cell[0] + rows, aim.cell[1] + cols))

"""Where the pixels of labelled scenes are valid, in small cells, and the labels that lie where they are not."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window, clamp_far_edges
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.pixel_cache import PixelSource

logger = logging.getLogger(__name__)

LEAST_CELL, MOST_CELLS = 4, 1 << 24
"""Least side of a cell in pixels, and most cells of a scene."""

STRIP_PIXELS = 1 << 22
"""Most pixels of a strip of whole rows that is read at once; at least one row of cells is."""

LEAST_VALID = 0.5
"""Least valid share of a sample without objects."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """The cells of a scene all of whose pixels are valid, and of which nothing is ignored.

    Attributes:
        cells: (h, w) bool.
        side: of a cell in pixels; those at the far edges are smaller.
        shape: (height, width) of the scene.
    """

    cells: NDArray[np.bool_]
    side: int
    shape: tuple[int, int]

    @cached_property
    def _before(self) -> NDArray[np.int64]:
        """The number of valid cells up to and with each row of them."""
        return np.cumsum(self.cells.sum(axis=1, dtype=np.int64))

    @property
    def share(self) -> float:
        """The valid share of the cells, in [0, 1]."""
        return float(self._before[-1] / self.cells.size)

    @property
    def middle(self) -> tuple[float, float]:
        """The corner (x, y) of the middle valid cell of the middle row of them; of none, the middle of the scene."""
        if not self._before[-1]:
            return self.shape[1] / 2, self.shape[0] / 2
        row = int(np.searchsorted(self._before, int(self._before[-1]) // 2, side="right"))
        cols = np.flatnonzero(self.cells[row])
        return float(cols[len(cols) // 2] * self.side), float(row * self.side)

    def holds(self, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points (N, 2) of the scene lie in valid cells."""
        cols, rows = np.floor(xy.T / self.side).astype(int)
        inside = (rows >= 0) & (cols >= 0) & (rows < self.cells.shape[0]) & (cols < self.cells.shape[1])
        found = np.zeros(len(xy), bool)
        found[inside] = self.cells[rows[inside], cols[inside]]
        return found

    def place(self, across: float, down: float) -> tuple[float, float]:
        """Return the point (x, y) in a valid cell that two numbers in [0, 1) stand for: evenly drawn, it is so too."""
        whole, rest = divmod(down * int(self._before[-1]), 1)
        row = int(np.searchsorted(self._before, whole, side="right"))
        skipped = int(self._before[row - 1]) if row else 0
        col = int(np.flatnonzero(self.cells[row])[int(whole) - skipped])
        top, left = row * self.side, col * self.side
        high, wide = (min(self.side, n - at) for at, n in zip((top, left), self.shape, strict=True))
        return left + across * wide, top + rest * high

    def share_of(self, window: Window) -> float:
        """Return the valid share of a window, in [0, 1], by the cells that it overlaps; 0 outside the scene."""
        rows = slice(max(0, window.row // self.side), max(0, -(-window.row_stop // self.side)))
        cols = slice(max(0, window.col // self.side), max(0, -(-window.col_stop // self.side)))
        part = self.cells[rows, cols]
        return float(part.mean()) if part.size else 0.0


def valid_area(labelled: LabelledScene) -> float:
    """Return the number of a scene's valid pixels, as far as its cells tell."""
    coverage = labelled.coverage
    return float(labelled.scene.shape[0] * labelled.scene.shape[1]) * (1.0 if coverage is None else coverage.share)


def area_weights(scenes: Sequence[LabelledScene]) -> NDArray[np.float64]:
    """Return the valid area (N,) of each scene, as a part of that of all.

    Raises:
        ValueError: there is none.
    """
    area = np.array([valid_area(labelled) for labelled in scenes])
    if not area.sum():
        raise ValueError(
            f"the images have next to no valid pixels, such as {scenes[0].name}: all is masked or has no data"
        )
    return area / area.sum()


def covered(scenes: Sequence[LabelledScene], source: PixelSource) -> tuple[LabelledScene, ...]:
    """Return scenes that know where their pixels are valid and not ignored, without labels where they are not valid.

    Scenes that may have pixels that are not valid are read once, in strips of whole rows.

    Args:
        scenes: the scenes, at the network's resolution.
        source: reads their pixels.

    Raises:
        ValueError: a scene without a valid pixel.
    """
    made = tuple(_without_ignored(_covered(labelled, source)) for labelled in scenes)
    lost = {
        after.name: number
        for before, after in zip(scenes, made, strict=True)
        if (number := len(before.objects) + len(before.negatives) - len(after.objects) - len(after.negatives))
    }
    if lost:
        name = max(lost, key=lost.__getitem__)
        logger.warning(
            "%d labels lie on pixels that are not valid (masked, transparent or without data) and are left out, %d of "
            "them in %s",
            sum(lost.values()),
            lost[name],
            name,
        )
    return made


def _covered(labelled: LabelledScene, source: PixelSource) -> LabelledScene:
    if not labelled.scene.masked:
        return labelled
    height, width = labelled.scene.shape
    side, cells = _cells_of(labelled)
    kept = [np.ones(len(xy), bool) for xy in (labelled.objects.xy, labelled.negatives)]
    places = [
        np.floor(clamp_far_edges(xy, labelled.scene.shape)).astype(int)
        for xy in (labelled.objects.xy, labelled.negatives)
    ]
    seen = False
    step = max(1, STRIP_PIXELS // (width * side)) * side
    with source.open(labelled.scene, source.bands) as reader:
        for top in range(0, height, step):
            strip = Window(top, 0, min(step, height - top), width)
            valid = reader.read_valid(strip)[1]
            seen |= bool(valid.any())
            if valid.all():
                continue
            cells[top // side : -(-strip.row_stop // side)] = _whole_cells(valid, side)
            for keep, xy in zip(kept, places, strict=True):
                here = (xy[:, 1] >= top) & (xy[:, 1] < strip.row_stop)
                keep[here] = valid[xy[here, 1] - top, xy[here, 0]]
    if not seen:
        raise ValueError(
            f"{labelled.name} has no valid pixel: all is masked, transparent or without data; leave it out of the "
            "annotations, or mend its mask"
        )
    if cells.all():
        return labelled
    return replace(
        labelled,
        objects=labelled.objects[kept[0]],
        negatives=labelled.negatives[kept[1]],
        coverage=Coverage(cells, side, labelled.scene.shape),
    )


def _without_ignored(labelled: LabelledScene) -> LabelledScene:
    """Return a scene whose cells are not valid where something is ignored: no ground for samples without objects."""
    if not len(labelled.ignored):
        return labelled
    side, cells = (
        _cells_of(labelled) if labelled.coverage is None else (labelled.coverage.side, labelled.coverage.cells)
    )
    cells = cells.copy()
    first, last = np.floor(labelled.ignored[:, :2] / side), np.ceil(labelled.ignored[:, 2:] / side)
    for (left, top), (right, bottom) in zip(first.clip(0).astype(int), last.clip(0).astype(int), strict=True):
        cells[top:bottom, left:right] = False
    return replace(labelled, coverage=Coverage(cells, side, labelled.scene.shape))


def _cells_of(labelled: LabelledScene) -> tuple[int, NDArray[np.bool_]]:
    """Return the side of a scene's cells, and the cells as if all were valid."""
    height, width = labelled.scene.shape
    side = max(LEAST_CELL, math.ceil(math.sqrt(height * width / MOST_CELLS)))
    return side, np.ones((-(-height // side), -(-width // side)), bool)


def _whole_cells(valid: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Return which cells (h, w) of a strip (H, W) are valid throughout."""
    rows, cols = (np.arange(0, n, side) for n in valid.shape)
    return np.asarray(np.logical_and.reduceat(np.logical_and.reduceat(valid, rows, axis=0), cols, axis=1))

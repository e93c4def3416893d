"""The places of a map's cells in a scene, and of detections in the file's pixels."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from detect.imagery.scenes import Scene
from detect.imagery.validity.gathered import ValidPixels
from detect.imagery.windows import Window, clamp_far_edges
from detect.labels.detections import Detections

Turn = tuple[bool, bool, bool]
"""Transpose, then flip rows, then flip columns."""

LOG_ODDS_STEPS = np.float32(1024)
"""Steps per unit of log odds to which a map is rounded before its peaks are compared."""


@dataclass(frozen=True)
class CellGeometry:
    """The places of a map's cells in the scene.

    Attributes:
        stride: pixels per cell.
        offset: pixel position of the centre of cell 0, along both axes.
        shape: (height, width) of the scene in pixels.
        valid: the scene's valid pixels, None where all are.
        reach: how far in pixels a cell sees beyond itself.
    """

    stride: int
    offset: float
    shape: tuple[int, int]
    valid: ValidPixels | None = None
    reach: int = 0

    def seen_cells(self, cells: Window) -> NDArray[np.bool_] | None:
        """Mark the cells (cells.height, cells.width) with a valid pixel, None where all have one."""
        if self.valid is None:
            return None
        return self.valid.cells(cells, self.stride, self._start)

    @property
    def _start(self) -> int:
        """Row and column in pixels at which cell 0 begins; beyond the scene where it is centred on a corner."""
        return math.floor(self.offset - self.stride / 2)

    def near_cells(self, cells: Window) -> NDArray[np.bool_] | None:
        """Mark the cells (cells.height, cells.width) with a valid pixel within reach, None where all have one.

        What a network says of the others is not looked at, nor computed everywhere: there it sees nothing. What it says
        of those near the border is: an object there whose middle is masked is none of the border's cells'. Cells are
        near only where every tile sees the valid pixel: of a tile that sees none there is no map.
        """
        around = max(0, self.reach + min(0, self._start)) // self.stride
        seen = self.seen_cells(cells.grown(around))
        if seen is None:
            return None
        near = maximum_filter(seen, 2 * around + 1)
        return np.asarray(near[around : around + cells.height, around : around + cells.width], np.bool_)

    def seen(self, xy: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Mark the points (N, 2), in pixels of the scene, that lie on a valid pixel."""
        return np.ones(len(xy), np.bool_) if self.valid is None else self.valid.at(xy)


def to_file_pixels(found: Detections, scene: Scene) -> Detections:
    """Return detections in pixels of the scene's file instead of resampled ones."""
    if scene.zoom is None:
        return found
    x, y = scene.factor_xy
    back = found.scaled(1 / x, 1 / y)
    return replace(back, xy=clamp_far_edges(back.xy, (scene.shape[0] / y, scene.shape[1] / x)))

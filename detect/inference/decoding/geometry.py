"""The places of a map's cells in a scene, and of detections in the file's pixels."""

from dataclasses import dataclass, replace

import numpy as np

from detect.imagery.scenes import Scene
from detect.imagery.windows import clamp_far_edges
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
    """

    stride: int
    offset: float
    shape: tuple[int, int]


def to_file_pixels(found: Detections, scene: Scene) -> Detections:
    """Return detections in pixels of the scene's file instead of resampled ones."""
    if scene.zoom is None:
        return found
    x, y = scene.factor_xy
    back = found.scaled(1 / x, 1 / y)
    return replace(back, xy=clamp_far_edges(back.xy, (scene.shape[0] / y, scene.shape[1] / x)))

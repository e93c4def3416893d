"""Where the cells of a map lie in a scene, and places taken back to the file's pixels."""

from dataclasses import dataclass, replace

import numpy as np

from detect.imagery.scenes import Scene
from detect.imagery.windows import clamp_far_edges
from detect.labels.detections import Detections

Turn = tuple[bool, bool, bool]
"""Transpose, then flip rows, then flip columns."""

LEVELS = np.float32(1024)
"""Steps of log odds that are told apart when a peak is looked for, per unit."""


@dataclass(frozen=True)
class CellGeometry:
    """Where the cells of a map lie in the scene.

    Attributes:
        stride: pixels per cell.
        offset: pixel position of the centre of cell 0, along both axes.
        shape: (height, width) of the scene in pixels.
    """

    stride: int
    offset: float
    shape: tuple[int, int]


def to_file_pixels(found: Detections, scene: Scene) -> Detections:
    """Take what was found in a scene to pixels of its file: from the resampled size back to the original's."""
    if scene.zoom is None:
        return found
    x, y = scene.factor_xy
    back = found.scaled(1 / x, 1 / y)
    return replace(back, xy=clamp_far_edges(back.xy, (scene.shape[0] / y, scene.shape[1] / x)))

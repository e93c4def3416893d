"""Whether places of an image can be seen: the validity of the pixels under points, read where they are alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene
from detect.imagery.windows import Window

BLOCK_PX = 512
"""Side of the squares of a scene whose points are looked at together."""


def seen_points(scene: Scene, bands: Sequence[int], xy: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Mark the points (N, 2) of a scene, in its pixels, whose pixel is valid; one beyond the edge is the nearest one.

    Args:
        scene: the image.
        bands: band numbers from 1 of the network, by whose values a pixel is valid.
        xy: the points.

    Raises:
        SceneError: the file is damaged, or holds infinite pixels.
    """
    seen = np.ones(len(xy), np.bool_)
    if not scene.masked or not len(xy):
        return seen
    at = np.clip(np.floor(xy), 0, np.array(scene.shape[::-1]) - 1).astype(int)
    _, block = np.unique(at // BLOCK_PX, axis=0, return_inverse=True)
    with SceneReader(scene, bands) as reader:
        if not scene.windowed:
            reader.hold()
        for number in range(block.max() + 1):
            chosen = np.flatnonzero(block.ravel() == number)
            (left, top), (right, bottom) = at[chosen].min(axis=0), at[chosen].max(axis=0)
            window = Window(int(top), int(left), int(bottom - top) + 1, int(right - left) + 1)
            _, valid = reader.read_valid(window)
            seen[chosen] = valid[at[chosen, 1] - top, at[chosen, 0] - left]
    return seen

"""Pixels of a scene on a sparse grid, gathered from the windows that are read for another purpose."""

import math

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window

MOST_NUMBERS = 1 << 17
"""Most numbers of all bands together that are gathered of a scene, or somewhat more of a very narrow one."""


class SparsePixels:
    """The pixels of every n-th row and column of a scene, n odd, so that no pattern of pairs or blocks hides from it.

    Which pixels these are depends on the scene's shape and number of bands alone, not on the windows.

    Args:
        bands: number of bands.
        shape: (height, width) of the scene in pixels.
    """

    def __init__(self, bands: int, shape: tuple[int, int]) -> None:
        self.bands = bands
        self.step = math.ceil(math.sqrt(shape[0] * shape[1] * bands / MOST_NUMBERS)) | 1
        self._first = [min(self.step, side) // 2 for side in shape]
        self._parts: list[NDArray[np.generic]] = []

    def add(self, window: Window, pixels: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> None:
        """Add the pixels of a window inside the scene that was not added before.

        Args:
            window: pixels of the scene.
            pixels: (bands, window.height, window.width).
            valid: (window.height, window.width), which of them belong to the image; None for all.
        """
        rows, cols = (
            slice((first - start) % self.step, None, self.step)
            for first, start in zip(self._first, (window.row, window.col), strict=True)
        )
        chosen = pixels[:, rows, cols]
        part = chosen.reshape(len(chosen), -1) if valid is None else chosen[:, valid[rows, cols]]
        if part.size:
            self._parts.append(np.array(part))

    def finished(self) -> NDArray[np.generic]:
        """Return what was gathered, (bands, n), in the order of the windows; n may be 0."""
        return np.concatenate(self._parts, axis=1) if self._parts else np.empty((self.bands, 0), np.float32)

"""Small pictures of large scenes, made of the windows that are read for another purpose."""

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window


class Preview:
    """A scene reduced by a whole factor; each pixel is the average of a square of the scene's pixels.

    Of large squares every second, third, ... row and column is sampled: at least 4 of each and fewer than 8.

    Args:
        bands: number of bands.
        shape: (height, width) of the scene in pixels.
        longest_side: bound for the preview's height and width in pixels.
        dtype: numpy name of the pixels' type.
    """

    def __init__(self, bands: int, shape: tuple[int, int], longest_side: int, dtype: str) -> None:
        self.shape = shape
        self.factor = -(-max(shape) // longest_side)
        self.step = max(1, self.factor // 4)
        self.dtype = np.dtype(dtype)
        height, width = (-(-side // self.factor) for side in shape)
        self._sums = np.zeros((bands, height, width), np.float32)

    def add(self, window: Window, pixels: NDArray[np.generic]) -> None:
        """Add the pixels (bands, h, w) of a window inside the scene that was not added before."""
        rows, cols = self._sampled(window.row, window.row_stop), self._sampled(window.col, window.col_stop)
        if not (len(rows) and len(cols)):
            return
        (row_bins, row_starts), (col_bins, col_starts) = (
            np.unique(positions // self.factor, return_index=True) for positions in (rows, cols)
        )
        for total, band in zip(self._sums, pixels, strict=True):
            sampled = band[rows - window.row][:, cols - window.col]
            sums = np.add.reduceat(np.add.reduceat(sampled, row_starts, axis=0, dtype=np.float32), col_starts, axis=1)
            total[row_bins[0] : row_bins[-1] + 1, col_bins[0] : col_bins[-1] + 1] += sums

    def _sampled(self, start: int, stop: int) -> NDArray[np.intp]:
        """List the rows or columns of start..stop-1 that are sampled; the first of every square always is."""
        positions = np.arange(start, stop)
        return positions[positions % self.factor % self.step == 0]

    def finished(self) -> NDArray[np.generic]:
        """Return the averages, (bands, h, w) in the scene's dtype; integers are rounded."""
        counts = [np.bincount(self._sampled(0, side) // self.factor) for side in self.shape]
        means = self._sums / (counts[0][:, None] * counts[1][None, :]).astype(np.float32)
        return (means if self.dtype.kind == "f" else np.rint(means)).astype(self.dtype)

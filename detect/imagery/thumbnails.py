"""Small pictures of large scenes, put together from windows that are read anyway."""

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window


class Preview:
    """A scene reduced by a whole factor, each of its pixels the average of a square of the scene's.

    Of large squares every second, third, ... row and column is looked at, so that there are at least 4 and less than 8.

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
        """Add the pixels (bands, h, w) of a window that lies in the scene and was not added before."""
        rows, cols = self._seen(window.row, window.row_stop), self._seen(window.col, window.col_stop)
        if not (len(rows) and len(cols)):
            return
        (row_bins, row_starts), (col_bins, col_starts) = (
            np.unique(places // self.factor, return_index=True) for places in (rows, cols)
        )
        for total, band in zip(self._sums, pixels, strict=True):
            seen = band[rows - window.row][:, cols - window.col]
            sums = np.add.reduceat(np.add.reduceat(seen, row_starts, axis=0, dtype=np.float32), col_starts, axis=1)
            total[row_bins[0] : row_bins[-1] + 1, col_bins[0] : col_bins[-1] + 1] += sums

    def _seen(self, start: int, stop: int) -> NDArray[np.intp]:
        """List the rows or columns of a range that are looked at; the first of every square is."""
        places = np.arange(start, stop)
        return places[places % self.factor % self.step == 0]

    def finished(self) -> NDArray[np.generic]:
        """Give the averages, (bands, h, w) in the scene's dtype; whole numbers are rounded."""
        counts = [np.bincount(self._seen(0, side) // self.factor) for side in self.shape]
        means = self._sums / (counts[0][:, None] * counts[1][None, :]).astype(np.float32)
        return (means if self.dtype.kind == "f" else np.rint(means)).astype(self.dtype)

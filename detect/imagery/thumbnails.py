"""Small pictures of large scenes, made of the windows that are read for another purpose."""

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window

PreviewPiece = tuple[NDArray[np.float32], NDArray[np.float32] | None]
"""Sums of a window's sampled pixels (bands, h, w), and how many are not valid (h, w), None for none, by square."""

LARGEST_LOSS = 0.2
"""Part of the longest side that a preview may lose for being reduced by a whole factor."""


def reduced_shape(shape: tuple[int, int], longest_side: int) -> tuple[int, int]:
    """Return (height, width) of an image reduced to a longest side at most; a smaller one keeps its size.

    It is reduced by a whole factor, of which averages are made four times as fast, where that loses no more than
    `LARGEST_LOSS` of the side; so it is from a factor of 4 on.
    """
    shrink = max(1.0, max(shape) / longest_side)
    factor = whole_factor(shape, longest_side)
    if shrink >= (1 - LARGEST_LOSS) * factor:
        return -(-shape[0] // factor), -(-shape[1] // factor)
    return max(1, round(shape[0] / shrink)), max(1, round(shape[1] / shrink))


def whole_factor(shape: tuple[int, int], longest_side: int) -> int:
    """Return the least whole factor that reduces an image (height, width) to a longest side at most."""
    return max(1, -(-max(shape) // longest_side))


def thumbnail(picture: NDArray[np.uint8], longest_side: int) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) reduced by averages to its `reduced_shape`; one that is no longer than that as it is.

    Args:
        picture: of which a thumbnail is made.
        longest_side: bound for the thumbnail's height and width in pixels.
    """
    import cv2

    height, width = shape = reduced_shape(picture.shape[:2], longest_side)
    if shape == picture.shape[:2]:
        return picture
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


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
        self.factor = whole_factor(shape, longest_side)
        self.step = max(1, self.factor // 4)
        self.dtype = np.dtype(dtype)
        height, width = (-(-side // self.factor) for side in shape)
        self._sums = np.zeros((bands, height, width), np.float32)
        self._missing: NDArray[np.float32] | None = None

    def add(self, window: Window, pixels: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> None:
        """Add the pixels (bands, h, w) of a window inside the scene that was not added before.

        Args:
            window: of the scene.
            pixels: (bands, h, w).
            valid: (h, w), which pixels are; None for all. The others are in no average.
        """
        self.put(window, self.piece(window, pixels, valid))

    def piece(
        self, window: Window, pixels: NDArray[np.generic], valid: NDArray[np.bool_] | None = None
    ) -> PreviewPiece | None:
        """Return what the pixels of a window add, to be `put` here or elsewhere; None where that is nothing."""
        rows, cols = self._sampled(window.row, window.row_stop), self._sampled(window.col, window.col_stop)
        if not (len(rows) and len(cols)):
            return None
        starts = [np.unique(positions // self.factor, return_index=True)[1] for positions in (rows, cols)]
        at = np.ix_(rows - window.row, cols - window.col)
        shown = None if valid is None or valid.all() else valid[at]
        sampled = (band[at] if shown is None else np.where(shown, band[at], 0) for band in pixels)
        sums = np.stack([_sums(band, *starts) for band in sampled])
        return sums, None if shown is None else _sums(~shown, *starts)

    def put(self, window: Window, piece: PreviewPiece | None) -> None:
        """Add the piece of a window; sums of floats depend on the order of the windows in their last digits.

        Raises:
            ValueError: it is of another window.
        """
        if piece is None:
            return
        rows, cols = (
            self._sampled(*sides)[[0, -1]] // self.factor
            for sides in ((window.row, window.row_stop), (window.col, window.col_stop))
        )
        to = slice(rows[0], rows[1] + 1), slice(cols[0], cols[1] + 1)
        sums, hidden = piece
        self._sums[:, *to] += sums
        if hidden is not None:
            if self._missing is None:
                self._missing = np.zeros(self._sums.shape[1:], np.float32)
            self._missing[to] += hidden

    def _sampled(self, start: int, stop: int) -> NDArray[np.intp]:
        """List the rows or columns of start..stop-1 that are sampled; the first of every square always is."""
        positions = np.arange(start, stop)
        return positions[positions % self.factor % self.step == 0]

    def finished(self) -> NDArray[np.generic]:
        """Return the averages, (bands, h, w) in the scene's dtype; integers are rounded.

        Where pixels were not valid, it is a masked array, masked where none of a square's pixels was.
        """
        rows, cols = (np.bincount(self._sampled(0, side) // self.factor) for side in self.shape)
        counts = (rows[:, None] * cols[None, :]).astype(np.float32)
        if self._missing is not None:
            counts -= self._missing
        means = self._sums / np.maximum(counts, 1)
        result = (means if self.dtype.kind == "f" else np.rint(means)).astype(self.dtype)
        if self._missing is None:
            return result
        return np.ma.MaskedArray(result, np.broadcast_to(counts == 0, result.shape).copy())


def _sums(
    values: NDArray[np.generic], row_starts: NDArray[np.intp], col_starts: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Add up values (h, w) in the rectangles that begin at some rows and columns."""
    rows = np.add.reduceat(values, row_starts, axis=0, dtype=np.float32)
    return np.asarray(np.add.reduceat(rows, col_starts, axis=1))

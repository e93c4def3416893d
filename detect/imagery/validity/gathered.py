"""The valid pixels of a whole scene, one bit each, gathered from the windows that are read of it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.scratch import release, scratch_array
from detect.imagery.windows import Window

PIXELS_AT_ONCE = 1 << 22
"""Most pixels of a scene whose bits are looked at together; a row of cells is at least."""


class ValidPixels:
    """Which pixels of a scene are valid; until a window was put, its pixels are not.

    Args:
        shape: (height, width) of the scene in pixels.
        in_memory: most bytes that are kept in memory; more go to a nameless file.
        folder: for such a file; None for the system's folder of temporary files.
        name: of the scene, for the error.

    Attributes:
        by_row: (height,) int64, the number of valid pixels of each row.

    Raises:
        NoRoomError: the folder has no room for it.
    """

    def __init__(self, shape: tuple[int, int], in_memory: int, folder: Path | None, name: str) -> None:
        self.shape = shape
        self.by_row = np.zeros(shape[0], np.int64)
        packed = shape[0], -(-shape[1] // 8)
        if packed[0] * packed[1] <= in_memory:
            self._bits = np.zeros(packed, np.uint8)
        else:
            self._bits = scratch_array(packed, np.uint8, folder, f"the valid pixels of {name}")

    @property
    def nbytes(self) -> int:
        """The bytes in memory; those in a file are not counted."""
        return self.by_row.nbytes + (0 if isinstance(self._bits, np.memmap) else self._bits.nbytes)

    @property
    def number(self) -> int:
        """The number of valid pixels."""
        return int(self.by_row.sum())

    @property
    def whole(self) -> bool:
        """Whether all pixels are valid."""
        return self.number == self.shape[0] * self.shape[1]

    def put(self, window: Window, valid: NDArray[np.bool_]) -> None:
        """Add a window inside the scene, (height, width), which is added once."""
        rows, first, stop = slice(window.row, window.row_stop), window.col // 8, -(-window.col_stop // 8)
        bits = np.unpackbits(self._bits[rows, first:stop], axis=1)
        start = window.col - 8 * first
        bits[:, start : start + window.width] = valid
        self._bits[rows, first:stop] = np.packbits(bits, axis=1)
        self.by_row[rows] += np.count_nonzero(valid, axis=1)
        release(self._bits)

    def at(self, xy: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Mark the points (N, 2) whose pixel is valid; points beyond the edges are those of the nearest pixel."""
        col, row = np.clip(np.floor(xy), 0, np.array(self.shape[::-1]) - 1).astype(np.int64).T
        marks = (self._bits[row, col // 8] >> (7 - col % 8).astype(np.uint8)) & 1
        return np.asarray(marks, np.bool_)

    def cells(self, cells: Window, stride: int, start: int) -> NDArray[np.bool_]:
        """Mark the cells that have a valid pixel.

        Args:
            cells: the cells asked for.
            stride: side of a cell in pixels.
            start: row and column in pixels at which cell 0 begins; it and others may reach beyond the scene.

        Returns:
            (cells.height, cells.width).
        """
        result = np.zeros((cells.height, cells.width), np.bool_)
        left, right = start + cells.col * stride, start + cells.col_stop * stride
        step = max(1, PIXELS_AT_ONCE // (stride * max(1, right - left)))
        for first in range(0, cells.height, step):
            part = result[first : first + step]
            top = start + (cells.row + first) * stride
            box = np.zeros((len(part) * stride, right - left), np.bool_)
            self._copy(box, top, left)
            part[:] = box.reshape(len(part), stride, cells.width, stride).any(axis=(1, 3))
        return result

    def _copy(self, box: NDArray[np.bool_], top: int, left: int) -> None:
        """Write into a box the pixels of the scene that lie under it, from a row and a column on."""
        rows = range(max(0, top), min(self.shape[0], top + box.shape[0]))
        cols = range(max(0, left), min(self.shape[1], left + box.shape[1]))
        if not (rows and cols):
            return
        first = cols.start // 8
        packed = self._bits[rows.start : rows.stop, first : -(-cols.stop // 8)]
        bits = np.unpackbits(packed, axis=1)[:, cols.start - 8 * first :][:, : len(cols)]
        box[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = bits
        release(self._bits)

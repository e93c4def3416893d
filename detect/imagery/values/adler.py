"""The sums of blocks of pixels as a deflated TIFF stores them, of the pixels band by band: nothing is interleaved.

RFC 1950 (Adler-32): a byte counts as often as there are bytes from it to the end. So the sums of rows and of columns of
each band are enough, with the places that these have in the stored block. OpenCV adds several times as fast as zlib.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SUM_BASE = 65_521
"""The greatest prime below 2^16, the modulus of Adler-32."""

COUNTED_BYTES = 1 << 22
"""How many bytes of a band are counted at once, or those of one block; of fewer, calls cost as much as adding."""


@dataclass(frozen=True)
class StoredBlock:
    """How the blocks of a file are stored.

    Attributes:
        rows: of a block.
        cols: of a block.
        differences: whether of each value but the first of a row the difference from the one before it is stored.
        apart: whether each band has blocks of its own; else the values of a pixel stand side by side.
    """

    rows: int
    cols: int
    differences: bool
    apart: bool


def block_sums(pixels: NDArray[np.generic], number: int, stored: StoredBlock) -> NDArray[np.int64]:
    """Return the Adler-32 of blocks that stand side by side; beyond the given pixels they hold zeros.

    Args:
        pixels: (bands, h, w) of whole numbers of one or two bytes: equal parts of `number` blocks.
        number: of blocks.
        stored: how they are stored.

    Returns:
        (bands, number), or (1, number) where bands are not apart.
    """
    bands, height, across = pixels.shape
    most = max(1, COUNTED_BYTES * number // max(1, height * across * pixels.itemsize))
    width, together = across // number, 1 if stored.apart else bands
    length = stored.rows * stored.cols * together * pixels.itemsize
    values = np.empty((height, min(most, number) * width), pixels.dtype)
    every, before = np.zeros((2, bands, number), np.int64)
    for first in range(0, number, most):
        some = slice(first, min(number, first + most))
        for band, plane in enumerate(pixels[:, :, first * width : (first + most) * width]):
            table = _as_stored(plane, width, stored.differences, values[:, : plane.shape[1]])
            place = 0 if stored.apart else band * pixels.itemsize
            sums = _sums(table, width, pixels.itemsize, (stored.cols * together, together), place)
            every[band, some], before[band, some] = sums
    if not stored.apart:
        every, before = every.sum(axis=0, keepdims=True), before.sum(axis=0, keepdims=True)
    return ((length + length * every - before) % SUM_BASE) << 16 | (1 + every) % SUM_BASE


def _as_stored(
    plane: NDArray[np.generic], width: int, differences: bool, into: NDArray[np.generic]
) -> NDArray[np.generic]:
    """Return the values of a band (h, w) as they are stored in blocks of a width, in the order of memory."""
    values = into if into.flags.c_contiguous else np.empty(plane.shape, plane.dtype)
    if not differences:
        values[:] = plane
        return values
    np.subtract(plane[:, 1:], plane[:, :-1], out=values[:, 1:])
    values[:, ::width] = plane[:, ::width]
    return values


def _sums(
    values: NDArray[np.generic], width: int, size: int, pitch: tuple[int, int], place: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sum of the bytes of one band of blocks, and that of each byte times the number of bytes before it.

    Args:
        values: (h, number * width) of a band.
        width: of a block.
        size: bytes of a value.
        pitch: values from a row of the stored block to the next, and from a pixel to the next.
        place: bytes of a pixel before those of this band.
    """
    import cv2

    table = values.view(np.uint8)
    height, across = table.shape
    number = across // (width * size)
    by_col = cv2.reduce(table, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).reshape(number, -1).astype(np.int64)
    by_row = cv2.reduce(table.reshape(-1, width * size), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    cols = (np.arange(width)[:, None] * pitch[1] * size + np.arange(size)).ravel() + place
    rows = np.arange(height) * pitch[0] * size
    return by_col.sum(axis=1), by_col @ cols + rows @ by_row.reshape(height, number).astype(np.int64)

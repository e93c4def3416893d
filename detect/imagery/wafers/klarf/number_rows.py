"""Rows of numbers out of text, many at a time, or nothing where a row is not as the others."""

from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_NUMBERS = b"0123456789+-.eEna \t\r\n;"
_ROWS_AS_LINES = bytes.maketrans(b"\r\n;", b"  \n")


class Rows(NamedTuple):
    """Rows of numbers.

    Attributes:
        values: (rows, columns) float64.
        lines: (rows,) int64, the line at which each ends; of `plain_rows`, from 0 at the beginning of the data.
        images: (rows,) names of images, or none at all.
    """

    values: NDArray[np.float64]
    lines: NDArray[np.int64]
    images: tuple[str, ...] = ()


def plain_rows(data: bytes, columns: int, end: bytes) -> Rows | None:
    """Return rows that are all of as many plain numbers, or nan; None where any is not.

    Args:
        data: the text, of whole rows.
        columns: numbers of a row.
        end: the byte that ends a row; an empty row is none.
    """
    if data.translate(None, _NUMBERS):
        return None
    codes = np.frombuffer(data, np.uint8)
    inside = (codes > ord(" ")) & (codes != ord(";"))
    begins = inside.copy()
    begins[1:] &= ~inside[:-1]
    ends = np.flatnonzero(codes == end[0])
    counts = np.diff(np.cumsum(begins, dtype=np.int64)[ends], prepend=0)
    ends, counts = ends[counts > 0], counts[counts > 0]
    if not len(ends) or (counts != columns).any():
        return None
    values = _numbers(data, end)
    if values is None or values.shape != (len(ends), columns):
        return None
    newlines = np.flatnonzero(codes == ord("\n"))
    return Rows(values, np.searchsorted(newlines, ends).astype(np.int64))


def _numbers(data: bytes, end: bytes) -> NDArray[np.float64] | None:
    """Return the numbers of a text's rows, or None where something is no number."""
    lines = data.replace(b";", b" ") if end == b"\n" else data.translate(_ROWS_AS_LINES)
    try:
        return np.loadtxt(BytesIO(lines), dtype=np.float64, comments=None, ndmin=2)
    except ValueError:
        return None

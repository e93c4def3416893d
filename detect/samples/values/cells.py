"""Cells of a crop: where their middles are, which object is nearest, how many of their pixels are valid."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Squares = NDArray[np.floating]
"""Squared distances."""


@lru_cache(maxsize=64)
def middles(number: int) -> NDArray[np.float64]:
    """Return the middles (number,) of cells in a row, in cells."""
    found: NDArray[np.float64] = np.arange(number, dtype=np.float64) + 0.5
    found.flags.writeable = False
    return found


def nearest_of(across: Squares, down: Squares) -> tuple[NDArray[np.intp], Squares]:
    """Return the nearest object of each cell (h, w), the first of equally near ones, and its squared distance.

    Args:
        across: (N, w) squared distances of the objects from the cells' middles along x.
        down: (N, h) the same along y.
    """
    least = across[0] + down[0, :, None]
    nearest = np.zeros(least.shape, np.intp)
    for number in range(1, len(across)):
        square = across[number] + down[number, :, None]
        np.copyto(nearest, number, where=square < least)
        np.minimum(least, square, out=least)
    return nearest, least


def valid_pixels(valid: NDArray[np.bool_], side: int) -> NDArray[np.int64]:
    """Return how many of the pixels (H, W) of each cell (h, w) of a side are valid."""
    height, width = valid.shape[0] // side, valid.shape[1] // side
    if valid.all():
        return np.full((height, width), side**2)
    by_row = valid.view(np.uint8).reshape(height, side, width * side).sum(axis=1, dtype=np.uint16)
    number = np.zeros((height, width), np.int64)
    for first in range(side):
        number += by_row[:, first::side]
    return number

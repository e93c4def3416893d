"""Maps of any number of channels, worked on in blocks of cells, so that no copy of many channels is large."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from detect.imagery.scratch import release

BLOCK_VALUES = 1 << 20
"""Values of a map, of all channels together, that are worked on at once (a single cell's are, however many)."""

BLOCK_CELLS = 1024
"""Most single cells that are looked up at once: of a map in a file, each brings some pages into memory."""

Slices = tuple[slice, slice]


def blocks(channels: int, shape: tuple[int, int], most: int = BLOCK_VALUES) -> Iterator[Slices]:
    """Yield the rows and columns of blocks that cover a map, from the top, left to right.

    Args:
        channels: of the map.
        shape: (h, w) of the map in cells.
        most: values in a block.
    """
    cells = max(1, most // channels)
    cols = min(shape[1], cells)
    rows = max(1, cells // cols)
    for top in range(0, shape[0], rows):
        for left in range(0, shape[1], cols):
            yield slice(top, min(top + rows, shape[0])), slice(left, min(left + cols, shape[1]))


def planes(
    logits: NDArray[np.float32], function: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return what a function makes of each cell of a map (K, h, w): (h, w), or (C, h, w) with C of its own.

    It gets copies of one order in memory: numpy adds channels that lie side by side, as in a file, in another order
    than planes, and the last digits would depend on where a map is kept.

    Args:
        logits: the map; one in a file is let go of block by block.
        function: of a block (K, rows, cols), cell by cell.
    """
    result: NDArray[np.float32] | None = None
    for rows, cols in blocks(len(logits), logits.shape[1:]):
        made = function(np.ascontiguousarray(logits[:, rows, cols]))
        if result is None:
            result = np.empty((*made.shape[:-2], *logits.shape[1:]), np.float32)
        result[..., rows, cols] = made
        release(logits)
    assert result is not None
    return result


def marked(logits: NDArray[np.float32], function: Callable[[NDArray[np.float32]], NDArray[np.bool_]]) -> int:
    """Return how many cells of a map (K, h, w) a function marks: of a block (K, rows, cols), cell by cell."""
    number = 0
    for rows, cols in blocks(len(logits), logits.shape[1:]):
        number += int(function(np.ascontiguousarray(logits[:, rows, cols])).sum())
        release(logits)
    return number


def likeliest(logits: NDArray[np.float32], cells: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the highest channel of a map (K, h, w), the first of equal ones, in each of (N, 2) cells."""
    result = np.empty(len(cells), np.intp)
    step = max(1, min(BLOCK_VALUES // len(logits), BLOCK_CELLS))
    for part in range(0, len(cells), step):
        row, col = cells[part : part + step].T
        result[part : part + step] = logits[:, row, col].argmax(axis=0)
        release(logits)
    return result

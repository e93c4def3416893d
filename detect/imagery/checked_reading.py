"""Reading windows of deflated TIFFs in rows of blocks, each of which is checked."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from detect.imagery.checksums import DeflateSums
from detect.imagery.description.shown import ShownImage
from detect.imagery.windows import Window

STRIP_BYTES = 1 << 24
"""How many bytes are read before they are checked, or those of one row of blocks where that is more.

Strips of some rows of blocks are read as fast as the whole is; of single rows, reading and checking took 5 % longer.
"""

ASIDE_BYTES = 1 << 20
"""The same where they are read aside, with bands that were not asked for: memory that no plan knows of."""


def read_checked(
    source: ShownImage,
    sums: DeflateSums,
    bands: list[int],
    window: Window,
    into: NDArray[np.generic] | None = None,
) -> tuple[NDArray[np.generic], list[str]]:
    """Read a window and check its blocks.

    Of a file whose bands stand side by side all are read, as they are decoded together, and their sum is of all.

    Args:
        source: an image whose pixels are shown as they are stored.
        sums: of the same file.
        bands: band numbers from 1, in the order wanted.
        window: of the file, inside it.
        into: (bands, window.height, window.width) that is filled; None takes new memory.

    Returns:
        (bands, window.height, window.width), and a sentence for every block that is not what was written.
    """
    every, wrong = sums.told_by(bands), []
    dtype = np.dtype(source.dtypes[bands[0] - 1])
    pixels = np.empty((len(bands), window.height, window.width), dtype) if into is None else into
    row_bytes, most = len(every) * dtype.itemsize * window.width, STRIP_BYTES if every == bands else ASIDE_BYTES
    for part in _strips(window, sums.rows, max(1, most // (sums.rows * row_bytes))):
        rows = slice(part.row - window.row, part.row_stop - window.row)
        box = RasterWindow(part.col, part.row, part.width, part.height)
        if every == bands:
            strip = source.read(bands, window=box, into=pixels[:, rows])
        else:
            strip = source.read(every, window=box)
            for band, plane in zip(bands, pixels[:, rows], strict=True):
                plane[:] = strip[every.index(band)]
        wrong += sums.wrong(part, every, strip)
    return pixels, wrong


def _strips(window: Window, rows: int, number: int) -> Iterator[Window]:
    """Yield a window in strips of a number of rows of blocks, each of some rows of pixels, and end where blocks do."""
    step, top = number * rows, window.row
    while top < window.row_stop:
        stop = min((top // step + 1) * step, window.row_stop)
        yield Window(top, window.col, stop - top, window.width)
        top = stop

"""The marks of a wafer's defects: where in the raster each is drawn, and how large, some ten bytes a defect."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.imagery.wafers.drawn.drawing import Drawing
from detect.imagery.wafers.notches import turned
from detect.imagery.wafers.wafer import Wafer


@dataclass(frozen=True, eq=False)
class Marks:
    """Squares of pixels, a defect each, by their first row.

    Attributes:
        top: (N,) int32, the first row, ascending; one outside of the raster is possible.
        left: (N,) int32, the first column.
        span: (N,) int32, the side; shared memory where all are equal.
    """

    top: NDArray[np.int32]
    left: NDArray[np.int32]
    span: NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of marks."""
        return len(self.top)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.top.nbytes + self.left.nbytes + (self.span.nbytes if self.span.strides != (0,) else 0)

    @property
    def largest(self) -> int:
        """The greatest side, 0 without marks."""
        return int(self.span.max(initial=0)) if self.span.strides != (0,) else int(self.span[0]) if len(self) else 0


def marks_of(parts: Iterable[Wafer], drawing: Drawing) -> Marks:
    """Return the marks of a wafer that comes in parts of its list.

    A place (x, y) in mm, turned where the drawing says so, lies at column (x / diameter + 1/2) side and row
    (1/2 - y / diameter) side of the raster. Of an odd mark its pixel is the middle, of an even one the middle is its
    pixel's lower right corner.
    """
    tops, lefts, spans = [], [], []
    for part in parts:
        top, left, span = _squares(part, drawing)
        tops.append(top)
        lefts.append(left)
        spans.append(span)
    top = np.concatenate([np.zeros(0, np.int32), *tops])
    left = np.concatenate([np.zeros(0, np.int32), *lefts])
    order = np.argsort(top, kind="stable")
    if not drawing.sized:
        return Marks(top[order], left[order], np.broadcast_to(np.int32(drawing.mark), len(top)))
    return Marks(top[order], left[order], np.concatenate([np.zeros(0, np.int32), *spans])[order])


def _squares(wafer: Wafer, drawing: Drawing) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Return the first row, the first column and the side of the square of each of a wafer's defects."""
    share = turned(wafer.xy_mm, wafer.mark, drawing.notch) / wafer.diameter_mm
    col = np.floor((share[:, 0] + 0.5) * drawing.side).astype(np.int32)
    row = np.floor((0.5 - share[:, 1]) * drawing.side).astype(np.int32)
    span = np.full(len(wafer), drawing.mark, np.int32)
    if drawing.sized:
        own = np.ceil(np.nan_to_num(wafer.size_mm) / wafer.diameter_mm * drawing.side)
        span = np.maximum(span, np.minimum(own, drawing.side)).astype(np.int32)
    return row - (span - 1) // 2, col - (span - 1) // 2, span

"""Drawing a wafer's marks: any window of the raster, or of a reduced one, without the pixels in between."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.imagery.resampling import LEAST_VALID_SHARE, Zoom, resample
from detect.imagery.wafers.drawn.defect_marks import Marks
from detect.imagery.wafers.drawn.drawing import WHITE, Drawing
from detect.imagery.wafers.drawn.reduced_axis import ReducedAxis
from detect.imagery.windows import Window

STRIP_PIXELS = 1 << 20
"""Most pixels of the raster that are looked at together when it is reduced; at least one row is."""

MARK_PIXELS = 1 << 18
"""Most pixels of marks that are drawn one by one together, when the raster is reduced."""

OUTLINE_PIXELS = 1 << 17
"""Pixels of rows of the raster and columns of the reduced one whose share of the wafer is computed together."""

SPARSE = 8
"""Pixels of a window for one of its marks from which on marks are drawn one by one."""


@dataclass(frozen=True, eq=False)
class WaferRaster:
    """The image of a wafer, of which a window's pixels are drawn when they are asked for.

    Attributes:
        marks: of its defects.
        diameter_mm: of the wafer.
        drawing: how it is drawn.
    """

    marks: Marks
    diameter_mm: float
    drawing: Drawing

    def draw(self, window: Window) -> NDArray[np.uint8]:
        """Return the pixels (height, width) of a window inside the raster."""
        top, left, span = self._meeting(window)
        if _area(span) > window.height * window.width / SPARSE:
            return self._summed(window, top, left, span)
        pixels = np.zeros((window.height, window.width), np.uint8)
        rows, cols, values = self._each_pixel(window, top, left, span)
        pixels[rows - window.row, cols - window.col] = values
        return pixels

    def _summed(
        self, window: Window, top: NDArray[np.int32], left: NDArray[np.int32], span: NDArray[np.int32]
    ) -> NDArray[np.uint8]:
        """Return the pixels of a window in which there are many marks, or large ones.

        Marks are added as the differences along rows and columns at their corners, which are summed in the end: the
        time is that of the marks and of the window's pixels, however large the marks are.
        """
        first = np.clip(top - window.row, 0, window.height), np.clip(left - window.col, 0, window.width)
        last = np.clip(top + span - window.row, 0, window.height), np.clip(left + span - window.col, 0, window.width)
        steps = np.zeros((window.height + 1, window.width + 1), np.int32)
        for rows, cols, step in ((first[0], first[1], 1), (first[0], last[1], -1), (last[0], first[1], -1), (*last, 1)):
            np.add.at(steps, (rows, cols), step)
        steps.cumsum(axis=0, out=steps)
        steps.cumsum(axis=1, out=steps)
        number = np.minimum(steps[:-1, :-1], WHITE)
        return np.minimum(number * self.drawing.value, WHITE).astype(np.uint8)

    def _each_pixel(
        self, window: Window, top: NDArray[np.int32], left: NDArray[np.int32], span: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return rows, columns and values of the pixels of a window that are not black, each once."""
        area = span.astype(np.int64) ** 2
        place = np.arange(int(area.sum())) - np.repeat(np.cumsum(area) - area, area)
        side = np.repeat(span, area)
        rows, cols = np.repeat(top, area) + place // side, np.repeat(left, area) + place % side
        inside = (window.row <= rows) & (rows < window.row_stop) & (window.col <= cols) & (cols < window.col_stop)
        code = (rows[inside] - window.row) * window.width + cols[inside] - window.col
        code, number = np.unique(code, return_counts=True)
        values = np.minimum(number * self.drawing.value, WHITE)
        return code // window.width + window.row, code % window.width + window.col, values

    def valid(self, window: Window) -> NDArray[np.bool_]:
        """Return which pixels (height, width) of a window have their middle on the wafer, inside the edge exclusion."""
        start, stop = self._outline(window.row, window.row_stop)
        if (start <= window.col).all() and (stop >= window.col_stop).all():
            return np.ones((window.height, window.width), np.bool_)
        cols = np.arange(window.col, window.col_stop)
        return np.asarray((start[:, None] <= cols) & (cols < stop[:, None]))

    def reduced(self, zoom: Zoom, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return a window of the raster resampled to another size, and which of its pixels are valid.

        A pixel is the average of the valid pixels that it covers, by whole numbers: the same whichever window is asked
        for. It is valid where half of what it covers is. Where one of the axes is enlarged, pixels are interpolated.

        Args:
            zoom: of the raster, or of a rectangle of it.
            window: of the resampled image.

        Returns:
            (height, width) each.
        """
        source = zoom.source
        if zoom.shape[0] > source.height or zoom.shape[1] > source.width:
            return self._enlarged(zoom, window)
        sums = np.zeros((window.height, window.width))
        shares = np.zeros((window.height, window.width))
        down = ReducedAxis(source.row, source.height, zoom.shape[0], window.row, window.row_stop)
        along = ReducedAxis(source.col, source.width, zoom.shape[1], window.col, window.col_stop)
        for first, stop in self._strips(*down.source, along):
            self._add_marks(Window(first, along.source[0], stop - first, along.length), down, along, sums)
        self._add_outline(down, along, shares)
        means = np.rint(sums / np.where(shares > 0, shares, 1)).astype(np.uint8)
        return means, shares >= LEAST_VALID_SHARE * (source.height * source.width)

    def _enlarged(self, zoom: Zoom, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return a window of a raster of which an axis at least is enlarged, strip by strip of its rows."""
        rows, cols = zoom.filters(window)
        pixels = np.empty((window.height, window.width), np.uint8)
        valid = np.empty((window.height, window.width), np.bool_)
        height = rows.stop - rows.start
        step = max(
            1, STRIP_PIXELS * window.height // (max(height, window.height) * max(cols.stop - cols.start, window.width))
        )
        for first in range(0, window.height, step):
            strip = rows.part(first, first + step)
            box = Window(strip.start, cols.start, strip.stop - strip.start, cols.stop - cols.start)
            made, seen = resample(
                self.draw(box)[None], strip.shifted(-box.row), cols.shifted(-box.col), self.valid(box)
            )
            pixels[first : first + step] = made[0]
            valid[first : first + step] = True if seen is None else seen
        return pixels, valid

    def _meeting(self, window: Window) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Return the first row, first column and side of the marks that meet a window."""
        start, stop = np.searchsorted(self.marks.top, (window.row - self.marks.largest + 1, window.row_stop))
        top, left, span = (each[start:stop] for each in (self.marks.top, self.marks.left, self.marks.span))
        meeting = (top + span > window.row) & (left + span > window.col) & (left < window.col_stop)
        return top[meeting], left[meeting], span[meeting]

    def _outline(self, row: int, row_stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first valid column of each row, and one more than the last: equal where none is valid."""
        half = self.drawing.side / 2
        radius = half * (1 - 2 * self.drawing.edge_exclusion_mm / self.diameter_mm)
        squared = radius * abs(radius) - (np.arange(row, row_stop) + 0.5 - half) ** 2
        reach = np.sqrt(np.maximum(squared, 0))
        start = np.ceil(half - reach - 0.5).astype(np.int64)
        stop = np.floor(half + reach - 0.5).astype(np.int64) + 1
        return start, np.where(squared >= 0, np.maximum(stop, start), start)

    def _strips(self, row: int, row_stop: int, along: ReducedAxis) -> Iterator[tuple[int, int]]:
        """Yield strips of rows of at most `STRIP_PIXELS` pixels or `MARK_PIXELS` of marks, or one row."""
        begin = int(np.searchsorted(self.marks.top, row - self.marks.largest + 1))
        top = self.marks.top[begin : int(np.searchsorted(self.marks.top, row_stop))]
        area = np.cumsum(self.marks.span[begin : begin + len(top)].astype(np.float64) ** 2)
        while row < row_stop:
            dense = row + max(1, STRIP_PIXELS // along.length)
            first = int(np.searchsorted(top, row - self.marks.largest + 1))
            before = area[first - 1] if first else 0
            last = int(np.searchsorted(area, before + MARK_PIXELS, side="right"))
            sparse = row_stop if last == len(area) else int(top[last])
            stop = min(row_stop, max(dense, sparse))
            yield row, stop
            row = stop

    def _add_marks(self, strip: Window, down: ReducedAxis, along: ReducedAxis, sums: NDArray[np.float64]) -> None:
        """Add the values of the valid pixels of a strip of the raster to the pixels of the reduced one."""
        marks = self._meeting(strip)
        area = _area(marks[2])
        if area > MARK_PIXELS or area > strip.height * strip.width / SPARSE:
            pixels = np.where(self.valid(strip), self._summed(strip, *marks), 0).astype(np.float64)
            for to_rows, part in down.added(np.arange(strip.row, strip.row_stop), pixels):
                for to_cols, each in along.added(np.arange(strip.col, strip.col_stop), part.T):
                    sums[np.ix_(to_rows, to_cols)] += each.T
            return
        rows, cols, values = self._each_pixel(strip, *marks)
        start, stop = self._outline(strip.row, strip.row_stop)
        inside = (start[rows - strip.row] <= cols) & (cols < stop[rows - strip.row])
        rows, cols, values = rows[inside], cols[inside], values[inside]
        for to_row, row_part in down.covered(rows):
            for to_col, col_part in along.covered(cols):
                part = row_part * col_part
                kept = np.flatnonzero(part)
                if len(kept):
                    first = int(to_row[kept[0]])
                    place = (to_row[kept] - first) * sums.shape[1] + to_col[kept]
                    added = np.bincount(place, values[kept] * part[kept])
                    sums[first:].reshape(-1)[: len(added)] += added

    def _add_outline(self, down: ReducedAxis, along: ReducedAxis, shares: NDArray[np.float64]) -> None:
        """Add how much of every pixel of the reduced raster is valid, in parts of a pixel of the raster."""
        step = max(1, OUTLINE_PIXELS // shares.shape[1])
        edge = np.arange(along.first, along.first + shares.shape[1] + 1) * along.full
        for row in range(*down.source, step):
            rows = np.arange(row, min(row + step, down.source[1]))
            start, stop = (each - along.origin for each in self._outline(row, int(rows[-1]) + 1))
            start, stop = (np.clip(each, 0, along.full)[:, None] * along.target for each in (start, stop))
            reach = np.maximum(np.minimum(stop, edge[1:]) - np.maximum(start, edge[:-1]), 0)
            for to_rows, part in down.added(rows, reach):
                shares[to_rows] += part


def _area(span: NDArray[np.int32]) -> float:
    """Return the number of pixels of marks of some sides, those that lie on each other counted again."""
    return float((span.astype(np.float64) ** 2).sum())

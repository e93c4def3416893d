"""Pixels beyond a scene's edges: the scene mirrored there, copied in blocks, as often as it takes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window

COPIED_AS = {1: np.uint8, 2: np.uint16, 4: np.int32, 8: np.float64}
"""Types of OpenCV, which looks at no value while it flips, for pixels of so many bytes."""

REMEMBERED = 64
"""Sides of windows whose pieces are remembered."""


@dataclass(frozen=True)
class _Run:
    """Places of a window, [start, stop), that are the scene's [first, last + 1), in this order or turned round."""

    start: int
    stop: int
    first: int
    last: int
    turned: bool


def mirrored(
    pixels: NDArray[np.generic],
    inner: Window,
    rows: NDArray[np.intp],
    cols: NDArray[np.intp],
    into: NDArray[np.generic] | None = None,
) -> NDArray[np.generic]:
    """Fill a window from the pixels of `inner`, the part of the scene that it needs, mirrored beyond the scene.

    Args:
        pixels: (bands, inner.height, inner.width).
        inner: a window inside the scene that holds all `rows` and `cols`.
        rows: (h,) the scene's row of each row of the window, by `reflect`.
        cols: (w,) the scene's column of each column of the window, by `reflect`.
        into: (bands, h, w) that is filled; None takes new memory. Where `pixels` are the part of it that shows them
            as they are, only the others are filled.

    Returns:
        What was filled.
    """
    result = np.empty((len(pixels), len(rows), len(cols)), pixels.dtype) if into is None else into
    across, every = _runs(cols - inner.col), _runs(rows - inner.row)
    plain = max(every, key=lambda run: (not run.turned) * (run.stop - run.start))
    for down in (plain, *(run for run in every if run is not plain)):
        target = result[:, down.start : down.stop]
        if down is not plain and plain.first <= down.first and down.last <= plain.last and not plain.turned:
            first = plain.start + down.first - plain.first
            filled = result[:, first : first + down.last - down.first + 1]
            target[:] = filled[:, ::-1] if down.turned else filled
        else:
            _fill(pixels[:, down.first : down.last + 1], target, across, down.turned)
    return result


def _fill(pixels: NDArray[np.generic], rows: NDArray[np.generic], across: tuple[_Run, ...], turned: bool) -> None:
    """Fill rows (bands, h, w) from pixels (bands, h, inner.width), piece by piece across, in turned order or not."""
    for over in across:
        source, target = pixels[:, :, over.first : over.last + 1], rows[:, :, over.start : over.stop]
        if _same(source, target):
            continue
        if over.turned:
            _flip(source, target, turned)
        else:
            target[:] = source[:, ::-1] if turned else source


def _flip(source: NDArray[np.generic], target: NDArray[np.generic], rows: bool) -> None:
    """Copy (bands, h, w) to other memory with the columns turned round, and the rows too where that is asked for."""
    import cv2

    kind = COPIED_AS.get(source.dtype.itemsize)
    if kind is None or source.strides[2] != source.itemsize:
        target[:] = source[:, ::-1, ::-1] if rows else source[..., ::-1]
        return
    for one, other in zip(source.view(kind), target.view(kind), strict=True):
        cv2.flip(one, -1 if rows else 1, dst=other)


def _same(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    """Return whether two arrays of one shape are the same memory."""
    return one.ctypes.data == other.ctypes.data and one.strides == other.strides


def _runs(places: NDArray[np.intp]) -> tuple[_Run, ...]:
    """Return the longest pieces of places that rise or fall by one; of a side of one pixel each is a piece."""
    return _runs_of(places.tobytes())


@lru_cache(REMEMBERED)
def _runs_of(content: bytes) -> tuple[_Run, ...]:
    """Return the pieces of places by their bytes: images of one size have the same ones."""
    places, runs, start = np.frombuffer(content, np.intp), [], 0
    steps = np.diff(places)
    while start < len(places):
        step = int(steps[start]) if start < len(steps) else 1
        along = 0 if step == 0 else _first(steps[start:] != step)
        stop = start + along + 1
        ends = int(places[start]), int(places[stop - 1])
        runs.append(_Run(start, stop, min(ends), max(ends), along > 0 and step < 0))
        start = stop
    return tuple(runs)


def _first(marks: NDArray[np.bool_]) -> int:
    """Return the position of the first mark, or the number of them all where none is set."""
    return int(marks.argmax()) if marks.any() else len(marks)

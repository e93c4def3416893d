"""Marks: the connected pixels in which a dotted picture differs from its plain copy, or from its own background.

A picture is read in tiles, so that one of any size is read in the same memory; a mark belongs to the tile whose core
holds its middle, and marks do not depend on the tiles.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Tiling, Window

LARGEST_MARK_PX = 128
"""Longest side in pixels of a mark; what is larger is no dot, nor some that touch."""

BLACK, LIT = 24, 40
"""A pixel whose brightest band is at most BLACK is black; one of the plain copy of LIT or more shows something."""

BLACKED_OUT_PX = 41
"""Side of the smallest square that is taken for blacked out."""

BLOCK_PX = 32
"""Side of the squares of which blacked out regions are made."""

MOST_MARKS = 200_000
"""Most marks of one picture."""

UNLIKE = 45
"""A picture is no copy of another where half of its pixels differ by more, summed over the bands."""

_RIM_PX = 8
"""How far from what is blacked out JPEG changes pixels."""

_SPECK_PX = 4
"""Fewer pixels than these are no mark on a photograph, but what compression leaves."""

_NEAR_PX = 7
_COLOURFUL = 80
_LIT_LEAST = 100
_CORE = (512, 4096)
_QUIET, _NOISE_TIMES, _LEAST, _MOST = 95, 2.5, 40.0, 150.0


class MarksError(ValueError):
    """A picture that is no dotted copy, with the reason."""


@dataclass(frozen=True)
class Mark:
    """A connected region of marked pixels.

    Attributes:
        row: of the first row of its bounding box, in the picture.
        col: of the first column.
        mask: (h, w) bool, the marked pixels of the box.
        rgb: (h, w, 3) uint8, the dotted picture there.
    """

    row: int
    col: int
    mask: NDArray[np.bool_]
    rgb: NDArray[np.uint8]

    @property
    def area(self) -> int:
        """Number of marked pixels."""
        return int(self.mask.sum())


@dataclass
class Marked:
    """The marks of one picture.

    Attributes:
        marks: from the top, then from the left.
        too_large: bounding boxes xmin, ymin, xmax, ymax in pixels of what is too large for dots.
        blacked: (rows, cols) bool, squares of `BLOCK_PX` that are blacked out.
        vivid_only: whether dots of other colours than vivid ones cannot be among the marks.
    """

    marks: list[Mark] = field(default_factory=list)
    too_large: list[tuple[float, float, float, float]] = field(default_factory=list)
    blacked: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), bool))
    vivid_only: bool = False


def marks_of_pair(dotted: Any, plain: Any, shape: tuple[int, int]) -> Marked:
    """Find where a dotted photograph differs from its plain copy by more than JPEG changes pixels.

    Args:
        dotted: returns the pixels (3, h, w) uint8 of a window.
        plain: returns those of the plain copy.
        shape: (height, width) of both.

    Raises:
        MarksError: they are no copies of each other, or there are more marks than `MOST_MARKS`.
    """
    least = _least_difference(dotted, plain, shape)
    found = Marked(blacked=np.zeros((-(-shape[0] // BLOCK_PX), -(-shape[1] // BLOCK_PX)), bool))
    for core, window in _tiles(shape):
        rgb, other = dotted(window), plain(window)
        black = _blacked_out(rgb, other)
        changed = _difference(rgb, other)
        marked = _painted(changed, least) & ~_widened(black, _RIM_PX)
        _add_marks(found, marked, rgb, core, window, _SPECK_PX)
        _add_black(found, black, core, window)
    return found


def marks_on_background(picture: Any, shape: tuple[int, int], background: NDArray[np.integer]) -> Marked:
    """Find the dots of a picture that is of one colour but for them, such as white dots on black.

    Args:
        picture: returns the pixels (3, h, w) uint8 of a window.
        shape: its (height, width).
        background: (3,) its colour.
    """
    brightest = 0
    for core, _ in _tiles(shape):
        brightest = max(brightest, int(_distance(picture(core), background).max()))
    found = Marked()
    for core, window in _tiles(shape):
        rgb = picture(window)
        marked = _distance(rgb, background) > brightest / 2
        if brightest < _LIT_LEAST and not background.any():
            rgb = (rgb.astype(np.float64) * (255 / max(brightest, 1))).astype(np.uint8)
        _add_marks(found, marked, rgb, core, window, 1)
    return found


def marks_of_vivid(picture: Any, shape: tuple[int, int]) -> Marked:
    """Find what is of a vivid colour in a dotted photograph without a plain copy.

    Args:
        picture: returns the pixels (3, h, w) uint8 of a window.
        shape: its (height, width).
    """
    import cv2

    found = Marked(vivid_only=True)
    for core, window in _tiles(shape):
        rgb = picture(window)
        smooth = [cv2.blur(band, (3, 3)).astype(np.int32) for band in rgb]
        colourful = np.maximum.reduce(smooth) - np.minimum.reduce(smooth)
        _add_marks(found, _painted(colourful, _COLOURFUL), rgb, core, window, _SPECK_PX)
    return found


def _tiles(shape: tuple[int, int]) -> Iterator[tuple[Window, Window]]:
    """Yield the core of each tile, and the window around it, cut at the picture's edge."""
    for core in Tiling(shape, _CORE):
        wide = core.grown(LARGEST_MARK_PX)
        top, left = max(0, wide.row), max(0, wide.col)
        yield core, Window(top, left, min(shape[0], wide.row_stop) - top, min(shape[1], wide.col_stop) - left)


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the sum over the bands of absolute differences, (h, w), each averaged over 3 x 3 pixels against grain."""
    import cv2

    signed = [cv2.blur(a.astype(np.int16) - b, (3, 3)) for a, b in zip(one, other, strict=True)]
    return np.abs(np.stack(signed)).sum(axis=0, dtype=np.int32)


def _distance(rgb: NDArray[np.uint8], colour: NDArray[np.integer]) -> NDArray[np.int16]:
    """Return the greatest difference of a band from a colour, (h, w)."""
    return np.asarray(np.abs(rgb.astype(np.int16) - colour.astype(np.int16)[:, None, None]).max(axis=0))


def _least_difference(dotted: Any, plain: Any, shape: tuple[int, int]) -> float:
    """Return the difference above which a pixel was painted: several times what compression makes of most pixels."""
    counts = np.zeros(766, np.int64)
    for core, _ in _tiles(shape):
        rgb, other = dotted(core), plain(core)
        seen = rgb.max(axis=0) > BLACK
        counts += np.bincount(_difference(rgb, other)[seen], minlength=766)
    if not counts.any():
        return _MOST
    half, quiet = (int(np.searchsorted(counts.cumsum(), counts.sum() * part / 100)) for part in (50, _QUIET))
    if half > UNLIKE:
        raise MarksError(
            f"half of its pixels differ by {half} or more, summed over the bands, from the plain photograph of its "
            "name; is it a copy of another one?"
        )
    return min(max(_NOISE_TIMES * quiet, _LEAST), _MOST)


def _painted(changed: NDArray[np.int32], least: float) -> NDArray[np.bool_]:
    """Return the pixels that differ by more than `least`, and by half of what the most different one near does.

    Compression smears the colour of a dot over the pixels around it, the further the more vivid it is.
    """
    from scipy import ndimage

    return np.asarray((changed > least) & (changed > ndimage.maximum_filter(changed, _NEAR_PX) / 2))


def _widened(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return a mask grown by a number of pixels along rows and columns."""
    from scipy import ndimage

    return np.asarray(ndimage.maximum_filter(mask, 2 * pixels + 1, mode="constant"))


def _blacked_out(rgb: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark what is in a wholly black square of `BLACKED_OUT_PX`, most of which the plain copy shows."""
    from scipy import ndimage

    black = rgb.max(axis=0) <= BLACK
    if not black.any():
        return black
    middles = ndimage.minimum_filter(black, BLACKED_OUT_PX, mode="nearest")
    lit = ndimage.uniform_filter((other.max(axis=0) > LIT).astype(np.float32), BLACKED_OUT_PX, mode="nearest")
    return _widened(middles & (lit > 0.5), BLACKED_OUT_PX // 2) & black


def _add_marks(
    found: Marked, marked: NDArray[np.bool_], rgb: NDArray[np.uint8], core: Window, window: Window, least: int
) -> None:
    """Add the marks of at least some pixels whose middle is in the core."""
    from scipy import ndimage

    labels, _ = ndimage.label(marked)
    areas = np.bincount(labels.ravel())
    boxes = ndimage.find_objects(labels)
    for number in (np.flatnonzero(areas[1:] >= least) + 1).tolist():
        box = boxes[number - 1]
        rows, cols = box
        middle = np.array([[window.col + (cols.start + cols.stop) / 2, window.row + (rows.start + rows.stop) / 2]])
        if not core.contains_xy(middle)[0]:
            continue
        top, left = window.row + rows.start, window.col + cols.start
        height, width = rows.stop - rows.start, cols.stop - cols.start
        if max(height, width) > LARGEST_MARK_PX:
            found.too_large.append((left, top, left + width, top + height))
            continue
        if len(found.marks) == MOST_MARKS:
            raise MarksError(f"more than {MOST_MARKS:,} marks; is it a dotted copy of this very photograph?")
        pixels = np.ascontiguousarray(rgb[:, rows, cols].transpose(1, 2, 0))
        found.marks.append(Mark(top, left, labels[box] == number, pixels))


def _add_black(found: Marked, black: NDArray[np.bool_], core: Window, window: Window) -> None:
    """Mark the squares of a core of which at least half is blacked out."""
    inner = black[core.row - window.row :, core.col - window.col :][: core.height, : core.width]
    rows, cols = -(-core.height // BLOCK_PX), -(-core.width // BLOCK_PX)
    padded = np.zeros((rows * BLOCK_PX, cols * BLOCK_PX), bool)
    padded[: core.height, : core.width] = inner
    share = padded.reshape(rows, BLOCK_PX, cols, BLOCK_PX).mean(axis=(1, 3))
    top, left = core.row // BLOCK_PX, core.col // BLOCK_PX
    found.blacked[top : top + rows, left : left + cols] = share >= 0.5

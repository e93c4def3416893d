"""Whether windows cover another, and what of an image they leave."""

from collections.abc import Sequence
from itertools import pairwise

from detect.imagery.windows import Window


def covered(windows: Sequence[Window], wanted: Window) -> bool:
    """Return whether windows together cover another whole."""
    moved = [each.shifted(-wanted.row, -wanted.col) for each in windows]
    return not unseen_parts(moved, (wanted.height, wanted.width))


def unseen_parts(windows: Sequence[Window], shape: tuple[int, int]) -> list[Window]:
    """Return windows that cover each pixel of an image that is in none of some windows, once.

    Args:
        windows: of the image; they may overlap.
        shape: (height, width) of the image in pixels.
    """
    height, width = shape
    inner = [each for each in windows if meet(each, Window(0, 0, height, width))]
    edges = {_between(edge, 0, height) for each in inner for edge in (each.row, each.row_stop)}
    parts: list[Window] = []
    for top, bottom in pairwise(sorted({0, height, *edges})):
        at = 0
        for each in sorted((each for each in inner if each.row <= top < each.row_stop), key=lambda one: one.col):
            if each.col > at:
                parts.append(Window(top, at, bottom - top, each.col - at))
            at = max(at, min(each.col_stop, width))
        if at < width:
            parts.append(Window(top, at, bottom - top, width - at))
    return parts


def meet(one: Window, other: Window) -> bool:
    """Return whether two windows share a pixel."""
    rows = max(one.row, other.row) < min(one.row_stop, other.row_stop)
    return rows and max(one.col, other.col) < min(one.col_stop, other.col_stop)


def _between(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))

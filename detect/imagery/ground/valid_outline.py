"""The part of an image that has data, as a coarse outline: what a masked image shows of the ground."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window

CELLS = 64
"""Cells along the longer side of an image; one is shown where half of its pixels have data."""

MAX_TEXT = 1 << 20
"""Most characters of an outline that is read back."""


def shown_outline(shape: tuple[int, int], valid: Callable[[Window], NDArray[np.bool_]]) -> Any:
    """Return the part of an image that has data as a shapely geometry in its pixels, exact to a cell of `CELLS`.

    Args:
        shape: (height, width) of the image.
        valid: returns which pixels (height, width) of a window have data; called for whole rows, from the top.
    """
    import shapely

    side = -(-max(shape) // CELLS)
    boxes = []
    for row in range(0, shape[0], side):
        high = min(side, shape[0] - row)
        by_column = valid(Window(row, 0, high, shape[1])).sum(axis=0, dtype=np.int64)
        starts = np.arange(0, shape[1], side)
        widths = np.minimum(side, shape[1] - starts)
        full = 2 * np.add.reduceat(by_column, starts) >= high * widths
        edges = np.flatnonzero(np.diff(np.concatenate([[False], full, [False]])))
        boxes += [
            shapely.box(start * side, row, min(stop * side, shape[1]), row + high)
            for start, stop in edges.reshape(-1, 2).tolist()
        ]
    return shapely.union_all(boxes) if boxes else shapely.Polygon()


def outline_text(outline: Any) -> str:
    """Return an outline as text (WKT), to a thousandth of a pixel."""
    import shapely

    return str(shapely.to_wkt(outline, rounding_precision=3))


def outline_of_text(text: str) -> Any:
    """Return an outline from the text that `outline_text` made.

    Raises:
        ValueError: it is no text of polygons, or longer than `MAX_TEXT`.
    """
    import shapely

    if len(text) > MAX_TEXT:
        raise ValueError(f"an outline has {len(text):,} characters, {MAX_TEXT:,} are the most")
    try:
        made = shapely.from_wkt(text)
    except shapely.errors.ShapelyError as error:
        raise ValueError(f"an outline cannot be read ({error})") from error
    if made.geom_type not in ("Polygon", "MultiPolygon") or not np.isfinite(shapely.get_coordinates(made)).all():
        raise ValueError(f"an outline is of polygons, got {made.geom_type}")
    return made if made.is_valid else shapely.make_valid(made)

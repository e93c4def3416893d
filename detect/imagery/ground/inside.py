"""What of an image is inside of outlines: which places, and how many pixels, of which some have no data."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.ground.polygons import polygons_of
from detect.imagery.windows import Window

NEAR_PX = 1e-6
"""A place within this distance in pixels of an outline lies on it: projected coordinates have rounding errors."""

WINDOW_SIDE = 2048
"""Side in pixels of the windows in which valid pixels are counted."""


def places_inside(outlines: Sequence[Any], xy: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Find the places inside of each outline.

    A place in the interior of several is in all of them. One on an outline, such as the common edge of two plots, and
    in the interior of none is in the first that it touches, so that plots side by side add up.

    Args:
        outlines: shapely polygons in pixels.
        xy: (N, 2), in the same pixels.

    Returns:
        The positions of the places in each outline, ascending.
    """
    import shapely

    if not len(outlines) or not len(xy):
        return [np.empty(0, np.intp) for _ in outlines]
    tree = shapely.STRtree(shapely.points(xy))
    polygons = np.array(list(outlines), object)
    within = _pairs(tree.query(polygons, predicate="contains"), len(xy))
    border = _pairs(tree.query(shapely.boundary(polygons), predicate="dwithin", distance=NEAR_PX), len(xy))
    deep = np.setdiff1d(within, border, assume_unique=True)
    touching = border[~np.isin(border % len(xy), deep % len(xy))]
    _, first = np.unique(touching % len(xy), return_index=True)
    inside = np.sort(np.concatenate([deep, touching[first]]))
    return [inside[inside // len(xy) == i] % len(xy) for i in range(len(outlines))]


def _pairs(found: NDArray[np.intp], places: int) -> NDArray[np.intp]:
    """Return (outline, place) pairs (2, M) as one ascending number each: outline * places + place."""
    return np.unique(found[0] * places + found[1])


def on_image(outlines: Sequence[Any], shape: tuple[int, int]) -> list[Any]:
    """Return the part of each outline that is on an image of (height, width): shapely polygons in pixels."""
    import shapely

    frame = shapely.box(0, 0, shape[1], shape[0])
    return [polygons_of(shapely.intersection(outline, frame)) or shapely.Polygon() for outline in outlines]


def valid_shares(
    outlines: Sequence[Any], shape: tuple[int, int], valid: Callable[[Window], NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Count which share (M,) of the pixels in each outline has data; 0 where no pixel's middle is inside.

    Args:
        outlines: shapely polygons in pixels.
        shape: (height, width) of the image.
        valid: returns for a window (height, width) which of its pixels have data; called once a window, from the top.
    """
    import shapely

    counted = np.zeros((2, len(outlines)), np.int64)
    tree = shapely.STRtree(list(outlines))
    for window in _windows(shape):
        box = shapely.box(window.col, window.row, window.col_stop, window.row_stop)
        met = sorted(tree.query(box, predicate="intersects").tolist())
        if not met:
            continue
        has_data = valid(window)
        for number in met:
            covered = _covered(outlines[number], window, box)
            counted[:, number] += np.count_nonzero(covered), np.count_nonzero(covered & has_data)
    return counted[1] / np.maximum(counted[0], 1)


def _windows(shape: tuple[int, int]) -> Iterator[Window]:
    for row in range(0, shape[0], WINDOW_SIDE):
        for col in range(0, shape[1], WINDOW_SIDE):
            yield Window(row, col, min(WINDOW_SIDE, shape[0] - row), min(WINDOW_SIDE, shape[1] - col))


def _covered(outline: Any, window: Window, box: Any) -> NDArray[np.bool_]:
    """Return which pixels (height, width) of a window have their middle inside of an outline."""
    import shapely
    from affine import Affine
    from rasterio.features import rasterize

    if shapely.covers(outline, box):
        return np.ones((window.height, window.width), bool)
    place = Affine.translation(window.col, window.row)
    return np.asarray(rasterize([(outline, 1)], (window.height, window.width), transform=place, dtype="uint8"), bool)

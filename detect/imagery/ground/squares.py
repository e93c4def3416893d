"""Areas of any form as disjoint squares, the form in which ignored regions go through training and scoring."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_GRAINS = 640
"""Squares of the finest kind along an image's longer side, at most: an area's border is kept to half of one."""

LARGEST_SQUARE = 8
"""Side of the largest square in finest ones: a turned square is taken for the box around it, so none may be large."""


def grain_of(shape: tuple[int, int]) -> int:
    """Return the side in pixels of the finest squares of an image (height, width): a power of two, 1 up to 640 pixels.

    A photograph of 4,992 x 3,328 pixels has squares of 8: the border of an area is moved by 4 pixels at most.
    """
    grain = 1
    while max(shape) > grain * MOST_GRAINS:
        grain *= 2
    return grain


def squares_of_outlines(outlines: Sequence[Any], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the squares (M, 4) x1, y1, x2, y2 of shapely polygons in pixels of an image (height, width).

    A finest square belongs to an area where its middle does; polygons may overlap, and reach beyond the image.
    """
    from affine import Affine
    from rasterio.features import rasterize

    grain = grain_of(shape)
    cells = (-(-shape[0] // grain), -(-shape[1] // grain))
    drawn = [(outline, 1) for outline in outlines if not outline.is_empty]
    if not drawn:
        return np.empty((0, 4))
    inside = rasterize(drawn, out_shape=cells, transform=Affine.scale(grain), fill=0, dtype=np.uint8)
    return squares_of_mask(inside > 0, shape)


def squares_of_mask(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the squares (M, 4) x1, y1, x2, y2 of a mask that is stretched over an image.

    Args:
        mask: (rows, columns), of any size; a finest square is taken where the mask's pixel at its middle is True.
        shape: (height, width) of the image in pixels.

    Returns:
        Disjoint squares in pixels, in reading order, large ones first; those at the far edges end at the image's.
    """
    grain = grain_of(shape)
    height, width = shape
    rows, cols = -(-height // grain), -(-width // grain)
    row = np.minimum((np.arange(rows) + 0.5) * grain, height - 0.5) * mask.shape[0] / height
    col = np.minimum((np.arange(cols) + 0.5) * grain, width - 0.5) * mask.shape[1] / width
    taken = mask[np.ix_(row.astype(np.intp), col.astype(np.intp))]
    padded = np.zeros((-(-rows // LARGEST_SQUARE) * LARGEST_SQUARE, -(-cols // LARGEST_SQUARE) * LARGEST_SQUARE), bool)
    padded[:rows, :cols] = taken
    found = []
    side = LARGEST_SQUARE
    while side >= 1:
        blocks = padded.reshape(padded.shape[0] // side, side, padded.shape[1] // side, side)
        whole = np.asarray(blocks.all(axis=(1, 3)))
        blocks[np.broadcast_to(whole[:, None, :, None], blocks.shape)] = False
        top, left = (values * side for values in np.nonzero(whole))
        found.append(np.stack([left, top, left + side, top + side], axis=1))
        side //= 2
    squares = np.concatenate(found).astype(np.float64) * grain
    return np.minimum(squares, (width, height, width, height))

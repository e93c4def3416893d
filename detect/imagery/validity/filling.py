"""What pixels that are not valid are filled with for the network: the nearest valid ones, along rows and columns.

A filled pixel follows from the valid ones around it, at most `MARGIN` away along each axis, so that tiles which are
read with that margin are filled as the whole scene would be.
"""

import numpy as np
from numpy.typing import NDArray

REACH = 32
"""How far in pixels, along a row or a column, a pixel is filled from."""

PASSES = 2
"""How often pixels are filled from their row and column: corners that no valid pixel is beside need the second time."""

MARGIN = PASSES * REACH
"""How far a valid pixel can lie from what is filled by it."""


def filled(
    pixels: NDArray[np.generic], valid: NDArray[np.bool_], beyond: NDArray[np.generic] | None = None
) -> NDArray[np.generic]:
    """Return pixels with each that is not valid replaced by the nearest valid one of its row or its column.

    Of two equally near ones, that of the row comes first, then the one before.

    Args:
        pixels: (C, H, W).
        valid: (H, W).
        beyond: (C,) values of what has no valid pixel in reach; None takes zeros.

    Returns:
        (C, H, W) in the dtype of `pixels`.
    """
    result = pixels.copy()
    rest = np.zeros(len(pixels), pixels.dtype) if beyond is None else beyond
    np.copyto(result, rest[:, None, None], where=~valid)
    known = valid
    for _ in range(PASSES):
        if known.all() or not known.any():
            break
        known = _filled_once(result, known)
    return result


def _filled_once(pixels: NDArray[np.generic], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill what is in reach of known pixels, in place, and return what is known then."""
    (across, far_across), (down, far_down) = _nearest(known), (each.T for each in _nearest(known.T))
    row, col = np.nonzero(~known & (np.minimum(far_across, far_down) <= REACH))
    beside = far_across[row, col] <= far_down[row, col]
    from_row = np.where(beside, row, down[row, col])
    from_col = np.where(beside, across[row, col], col)
    pixels[:, row, col] = pixels[:, from_row, from_col]
    now = known.copy()
    now[row, col] = True
    return now


def _nearest(known: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the column of the nearest known pixel of each pixel's row, and how far it is; far beyond any for none."""
    width = known.shape[1]
    none = 4 * (width + REACH)
    here = np.arange(width, dtype=np.int32)[None, :]
    before = np.maximum.accumulate(np.where(known, here, np.int32(-none)), axis=1)
    after = np.minimum.accumulate(np.where(known, here, np.int32(none))[:, ::-1], axis=1)[:, ::-1]
    first = here - before <= after - here
    return np.where(first, before, after), np.where(first, here - before, after - here)

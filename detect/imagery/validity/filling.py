"""What pixels that are not valid are filled with for the network: in each band what its normalisation makes 0 of.

Of what was tried (`tools/bench_borders.py`) it disturbs counts beside a border least, and no pixel depends on another.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Fill = tuple[tuple[int, float], ...]
"""(band, value) of the pixels that are not valid; of a band that is not named it is 0."""


def filled(
    pixels: NDArray[np.generic], valid: NDArray[np.bool_], bands: Sequence[int], fill: Fill
) -> NDArray[np.generic]:
    """Return pixels with each that is not valid replaced by its band's value, in their dtype, rounded.

    Args:
        pixels: (C, H, W).
        valid: (H, W).
        bands: their C numbers.
        fill: the values.
    """
    known = dict(fill)
    values = np.array([known.get(band, 0.0) for band in bands])
    if pixels.dtype.kind in "iu":
        limits = np.iinfo(str(pixels.dtype))
        values = np.clip(np.rint(values), limits.min, limits.max)
    return np.where(valid, pixels, values.astype(pixels.dtype)[:, None, None])

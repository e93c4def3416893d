"""Bands whose values of a pixel lie side by side in memory, as OpenCV and networks in channels-last take them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MERGED = ("uint8", "uint16", "float32")
"""Types that OpenCV puts side by side."""


def interleaved(planes: NDArray[Any]) -> NDArray[Any]:
    """Return the image (H, W, C) of bands (C, H, W); without a copy where they lie so already."""
    image = planes.transpose(1, 2, 0)
    if image.flags.c_contiguous:
        return image
    if len(planes) in (2, 3, 4) and planes.dtype in MERGED:
        import cv2

        return np.asarray(cv2.merge(list(planes)))
    return np.ascontiguousarray(image)


def planes_of(image: NDArray[Any]) -> NDArray[Any]:
    """Return the bands (C, H, W) of an image (H, W, C), which lie side by side."""
    return image.transpose(2, 0, 1)

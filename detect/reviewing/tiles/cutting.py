"""Cutting a tile from a picture that is in memory or in a mapped file."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detect.imagery.windows import Window

Picture = NDArray[np.uint8]
"""(H, W, 3)."""


def cut(picture: Picture, scale_xy: tuple[float, float], window: Window, shape: tuple[int, int]) -> Picture:
    """Return a window of an image, resized to a shape, from a smaller picture of all of it.

    Args:
        picture: (H, W, 3).
        scale_xy: pixels of the picture per pixel of the image.
        window: of the image.
        shape: (height, width) of the result.
    """
    x, y = scale_xy
    left, top = window.col * x, window.row * y
    right, bottom = min(window.col_stop * x, picture.shape[1]), min(window.row_stop * y, picture.shape[0])
    first_row, first_col = int(top), int(left)
    part = picture[first_row : math.ceil(bottom), first_col : math.ceil(right)]
    box = (left - first_col, top - first_row, right - first_col, bottom - first_row)
    how = Image.Resampling.BOX if right - left >= shape[1] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(part).resize(shape[::-1], how, box=box))

"""A small picture of a large image, made once in the background and kept in memory: coarse tiles are cut from it."""

import logging
import math
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detect.imagery.scenes import SceneError
from detect.imagery.windows import Window
from detect.reviewing.pyramid import reduced_shape

logger = logging.getLogger(__name__)

FACTOR = 8
"""Pixels of the image that make one of the overview, along each axis."""

CELL_PX = 2048
"""Side of the squares of the image that are read one after the other, a multiple of `FACTOR`."""

Picture = NDArray[np.uint8]
"""(H, W, 3)."""


class Overview:
    """An image reduced by `FACTOR`, filled square by square by a thread of its own.

    Args:
        shape: (height, width) of the image.
        read: returns a window of the image reduced to a shape, as a picture; called in the thread alone.
        done: called in the thread when nothing more is read.
        name: of the image, for the log.

    Attributes:
        ready: whether all of it is there.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        read: Callable[[Window, tuple[int, int]], Picture],
        done: Callable[[], None],
        name: str,
    ) -> None:
        self.shape = shape
        self.ready = False
        self._pixels = np.zeros((*reduced_shape(Window(0, 0, *shape), FACTOR), 3), np.uint8)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(read, done, name), daemon=True)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self._pixels.nbytes

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the reading, and wait until the thread has left the file alone."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def cut(self, window: Window, shape: tuple[int, int]) -> Picture:
        """Return a window of the image reduced to a shape."""
        return cut(self._pixels, (1 / FACTOR, 1 / FACTOR), window, shape)

    def _fill(self, read: Callable[[Window, tuple[int, int]], Picture], done: Callable[[], None], name: str) -> None:
        try:
            for row in range(0, self.shape[0], CELL_PX):
                for col in range(0, self.shape[1], CELL_PX):
                    if self._stopped.is_set():
                        return
                    cell = Window(row, col, CELL_PX, CELL_PX).within(self.shape)
                    high, wide = reduced_shape(cell, FACTOR)
                    top, left = row // FACTOR, col // FACTOR
                    self._pixels[top : top + high, left : left + wide] = read(cell, (high, wide))
            self.ready = True
        except (SceneError, OSError) as error:
            logger.warning("%s: no overview can be made of it: %s", name, error)
        finally:
            done()


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

"""A small picture of a large image, made once in the background and kept in memory: coarse tiles are cut from it.

Of an image of which any part takes long to read, all of its pixels are kept on the way.
"""

import logging
import threading
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from detect.imagery.scenes import SceneError
from detect.imagery.windows import Window
from detect.reviewing.tiles.cutting import Picture, cut
from detect.reviewing.tiles.decoded_copy import DecodedCopy
from detect.reviewing.tiles.pyramid import reduced_shape

logger = logging.getLogger(__name__)

FINE, COARSE = 4, 8
"""Pixels of the image that make one of the overview, along each axis: where that takes little memory, and else."""

CELL_PX = 2048
"""Side of the squares of the image that are read one after the other, a multiple of both."""


class Overview:
    """An image reduced by a factor, filled part by part by a thread of its own.

    Args:
        shape: (height, width) of the image.
        factor: see below.
        read: returns a window of the image reduced to a shape, as a picture; called in the thread alone.
        done: called in the thread when nothing more is read.
        name: of the image, for the log.
        cell: (height, width) of the parts that are read one after the other, multiples of the factor.
        copy: where all pixels are kept on the way, in parts as wide as the image; None keeps none.

    Attributes:
        factor: pixels of the image that make one of the overview, along each axis.
        ready: whether all of it is there.
        share: of the image that was read, in [0, 1].
        error: why it cannot be made, empty where it can.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        factor: int,
        read: Callable[[Window, tuple[int, int]], Picture],
        done: Callable[[], None],
        name: str,
        cell: tuple[int, int] = (CELL_PX, CELL_PX),
        copy: DecodedCopy | None = None,
    ) -> None:
        self.shape, self.factor = shape, factor
        self.ready, self.share, self.error = False, 0.0, ""
        self._cell, self._copy = cell, copy
        self._pixels = np.zeros((*reduced_shape(Window(0, 0, *shape), factor), 3), np.uint8)
        self._coarse = self._pixels
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
        """Return a window of the image reduced to a shape, once it is ready."""
        coarse = window.width >= self.factor**2 * shape[1] and window.height >= self.factor**2 * shape[0]
        picture = self._coarse if coarse else self._pixels
        y, x = (
            part / whole / self.factor for part, whole in zip(picture.shape[:2], self._pixels.shape[:2], strict=True)
        )
        return cut(picture, (x, y), window, shape)

    def _fill(self, read: Callable[[Window, tuple[int, int]], Picture], done: Callable[[], None], name: str) -> None:
        try:
            for cell in self._parts():
                if self._stopped.is_set():
                    return
                self._take(cell, read)
                self.share += cell.height * cell.width / (self.shape[0] * self.shape[1])
            self._coarse = self._reduced()
            self.ready = True
        except (SceneError, OSError) as error:
            self.error = f"no overview can be made of it: {error}"
            logger.warning("%s: %s", name, self.error)
        finally:
            if self._copy is not None:
                self._copy.end()
            done()

    def _reduced(self) -> Picture:
        """Return the overview reduced by `self.factor` once more."""
        height, width = reduced_shape(Window(0, 0, *self.shape), self.factor**2)
        return np.asarray(Image.fromarray(self._pixels).resize((width, height), Image.Resampling.BOX))

    def _parts(self) -> Iterator[Window]:
        """Yield the parts to read: from the top, but for those that are waited for."""
        high, wide = self._cell
        corners = ((row, col) for row in range(0, self.shape[0], high) for col in range(0, self.shape[1], wide))
        left = dict.fromkeys(Window(row, col, high, wide).within(self.shape) for row, col in corners)
        while left:
            cell = next(iter(left)) if self._copy is None else self._copy.first_of(left)
            del left[cell]
            yield cell

    def _take(self, cell: Window, read: Callable[[Window, tuple[int, int]], Picture]) -> None:
        """Read a part of the image."""
        shape = reduced_shape(cell, self.factor)
        if self._copy is None:
            small = read(cell, shape)
        else:
            part = read(cell, (cell.height, cell.width))
            self._copy.put(cell, part)
            small = np.asarray(Image.fromarray(part).resize(shape[::-1], Image.Resampling.BOX))
        top, left = cell.row // self.factor, cell.col // self.factor
        self._pixels[top : top + shape[0], left : left + shape[1]] = small

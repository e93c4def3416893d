"""`DecodedCopy`: the decoded pixels of an image in a nameless file, filled in the background."""

import threading
from collections.abc import Iterable

import numpy as np

from detect.imagery.windows import Window
from detect.reviewing.tiles.cutting import Picture, cut

WAIT_S = 10.0
"""How long a tile waits for its pixels before another picture stands in."""


class DecodedCopy:
    """The decoded pixels of an image, filled in parts that are as wide as it; those that are waited for come first.

    Args:
        pixels: (H, W, 3) to fill.
        jumps: whether any part can be read as fast as any other; else they come from the top, and none waits.
    """

    def __init__(self, pixels: Picture, jumps: bool) -> None:
        self._pixels = pixels
        self._jumps = jumps
        self._there = np.zeros(len(pixels), bool)
        self._wanted: list[Window] = []
        self._ended = False
        self._news = threading.Condition()

    @property
    def nbytes(self) -> int:
        """Bytes of the file."""
        return self._pixels.nbytes

    def cut(self, window: Window, shape: tuple[int, int]) -> Picture | None:
        """Return a window of the image reduced to a shape, once its pixels are there; None where they are not yet."""
        with self._news:
            if self._jumps and not self._has(window):
                self._wanted.append(window)
                self._news.wait_for(lambda: self._ended or self._has(window), WAIT_S)
                self._wanted.remove(window)
            if not self._has(window):
                return None
        return cut(self._pixels, (1, 1), window, shape)

    def _has(self, window: Window) -> bool:
        return bool(self._there[window.row : window.row_stop].all())

    def first_of(self, left: Iterable[Window]) -> Window:
        """Return the part to fill next of those that are left: the first of what was asked for first, else the first.

        Args:
            left: parts, one at least.
        """
        with self._news:
            wanted = [*self._wanted]
        parts = list(left)
        for window in wanted:
            for part in parts:
                if part.row < window.row_stop and window.row < part.row_stop:
                    return part
        return parts[0]

    def put(self, part: Window, pixels: Picture) -> None:
        """Fill a part that is as wide as the image."""
        self._pixels[part.row : part.row_stop] = pixels
        with self._news:
            self._there[part.row : part.row_stop] = True
            self._news.notify_all()

    def end(self) -> None:
        """Wake those that wait: nothing more is filled."""
        with self._news:
            self._ended = True
            self._news.notify_all()

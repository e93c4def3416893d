"""One axis of a raster that is reduced, by whole numbers, so that a sum does not depend on its order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ReducedAxis:
    """One axis of a reduced raster: which of its pixels start..stop-1 a pixel of the raster is part of, and how much.

    Parts are whole numbers: a pixel of the raster has `target` of them, one of the reduced raster `full`.

    Attributes:
        origin, full: where the rectangle that is reduced begins, and its length.
        target: to how many pixels it is reduced.
        first, stop: those that are wanted.
    """

    origin: int
    full: int
    target: int
    first: int
    stop: int

    @property
    def source(self) -> tuple[int, int]:
        """The pixels of the raster that are needed, half-open."""
        return self.origin + self.first * self.full // self.target, self.origin - (
            -self.stop * self.full // self.target
        )

    @property
    def length(self) -> int:
        """How many they are."""
        return self.source[1] - self.source[0]

    def covered(self, places: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the reduced pixels of pixels of the raster, from 0 at `first`, and the part that lies in them.

        A pixel lies in two of them at most, each is yielded once; the part is 0 where it does not, or is not wanted.
        """
        low = (places - self.origin) * self.target
        into = low // self.full
        over = np.maximum(low + self.target - (into + 1) * self.full, 0)
        for pixel, part in ((into, self.target - over), (into + 1, over)):
            wanted = (self.first <= pixel) & (pixel < self.stop)
            yield np.where(wanted, pixel - self.first, 0), np.where(wanted, part, 0)

    def added(
        self, places: NDArray[np.int64], values: NDArray[Any]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
        """Yield reduced pixels and the sums of rows of values in them, each by the part that lies there.

        Args:
            places: (n,) neighbouring pixels of the raster, ascending.
            values: (n, k) of each.
        """
        for pixel, part in self.covered(places):
            kept = np.flatnonzero(part)
            if len(kept):
                to, begin = np.unique(pixel[kept], return_index=True)
                yield to, np.add.reduceat(values[kept] * part[kept, None], begin, axis=0)

"""The sample of an image on which it is settled how it is met: windows whose places follow from its shape alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.imagery.reading import SceneReader
from detect.imagery.windows import Window

LEAST_VALID = 0.5
"""Share of a window's pixels that must be valid for it to be a part of the sample."""


@dataclass(frozen=True)
class SampleGrid:
    """Windows spread evenly over an image.

    Attributes:
        side: of a window in pixels.
        number: of windows, about, of an image that is large enough.
    """

    side: int
    number: int

    def windows(self, shape: tuple[int, int], align: int = 1) -> list[Window]:
        """Return the windows of a scene of (height, width) pixels, row by row.

        Their sides are multiples of `align`; those of a smaller scene reach beyond it, by less than `align`.
        """
        height, width = (min(_up(self.side, align), _up(side, align)) for side in shape)
        across = max(1, round((self.number * shape[0] / shape[1]) ** 0.5))
        rows = _starts(shape[0], height, across)
        cols = _starts(shape[1], width, max(1, self.number // len(rows)))
        return [Window(row, col, height, width) for row in rows for col in cols]


@dataclass(frozen=True, eq=False)
class Sample:
    """Windows of an image: pixels (n, bands, h, w), and which of them (n, h, w) are valid; n may be 0."""

    pixels: NDArray[np.generic]
    valid: NDArray[np.bool_]

    @classmethod
    def of(cls, reader: SceneReader, grid: SampleGrid, align: int = 1) -> "Sample":
        """Read the windows of an image of which enough is valid.

        Raises:
            SceneError: the file is damaged, or holds infinite pixels.
        """
        read = [reader.read_valid(window) for window in grid.windows(reader.scene.shape, align)]
        kept = [(pixels, valid) for pixels, valid in read if valid.mean() >= LEAST_VALID]
        if not kept:
            empty = read[0][0]
            return cls(empty[None][:0], np.ones((0, *empty.shape[1:]), np.bool_))
        return cls(np.stack([pixels for pixels, _ in kept]), np.stack([valid for _, valid in kept]))

    def values(self, step: int) -> NDArray[np.generic]:
        """Return the valid pixels (bands, n) of every n-th row and column of each window."""
        pixels = np.moveaxis(self.pixels[..., ::step, ::step], 1, 0)
        return pixels[:, self.valid[:, ::step, ::step]]


def _up(number: int, align: int) -> int:
    return -(-number // align) * align


def _starts(length: int, side: int, number: int) -> list[int]:
    """Return where windows of a side begin, each in the middle of its part of a length; fewer where they would meet."""
    number = min(number, -(-length // side))
    middles = (np.arange(number) + 0.5) * length / number
    return np.clip(np.round(middles - side / 2), 0, max(0, length - side)).astype(int).tolist()

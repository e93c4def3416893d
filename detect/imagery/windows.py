"""Integer window geometry: the windows of a scene, and the tiling of cores and halos that covers it.

Windows are (row, col), points are (x, y); all are half-open, in pixels; pixel i spans [i, i + 1).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

REMEMBERED = 16
"""Sides of windows of which the mirrored positions are remembered."""


@dataclass(frozen=True, order=True)
class Window:
    """A half-open rectangle of pixels: rows [row, row + height), columns [col, col + width).

    `row` and `col` may be negative (a tile's halo reaches beyond the image's edge).

    Raises:
        ValueError: `height` or `width` is less than 1.
    """

    row: int
    col: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a window needs a height and width of 1 or more, got {self.height} x {self.width}")

    @property
    def row_stop(self) -> int:
        """The first row below the window."""
        return self.row + self.height

    @property
    def col_stop(self) -> int:
        """The first column right of the window."""
        return self.col + self.width

    def shifted(self, row: int, col: int) -> "Window":
        """Move the window by `row` and `col` pixels."""
        return Window(self.row + row, self.col + col, self.height, self.width)

    def grown(self, before: int, after: int | None = None) -> "Window":
        """Add `before` pixels above and to the left, `after` (default: as many) below and to the right."""
        after = before if after is None else after
        return Window(self.row - before, self.col - before, self.height + before + after, self.width + before + after)

    def within(self, shape: tuple[int, int]) -> "Window":
        """Return the part of the window that is in a scene of `shape` (height, width).

        Raises:
            ValueError: none of it is.
        """
        row, col = max(0, self.row), max(0, self.col)
        return Window(row, col, min(self.row_stop, shape[0]) - row, min(self.col_stop, shape[1]) - col)

    def inside(self, shape: tuple[int, int]) -> bool:
        """Return whether the whole window is in a scene of `shape` (height, width)."""
        return self.row >= 0 and self.col >= 0 and self.row_stop <= shape[0] and self.col_stop <= shape[1]

    def contains_xy(self, xy: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Mark the points `xy` (N, 2), x to the right and y down in pixels, that are in the window."""
        x, y = xy[:, 0], xy[:, 1]
        return (x >= self.col) & (x < self.col_stop) & (y >= self.row) & (y < self.row_stop)


@dataclass(frozen=True)
class Tiling:
    """The tiles of a scene: cores that cover every pixel once, each with a halo of context around it.

    All tiles have one size, `tile_hw`, so that a network is compiled for one shape; those at the right and lower edge
    reach beyond the scene.

    Args:
        shape: (height, width) of the scene in pixels.
        core: side of a core in pixels, or (height, width), multiples of `stride`; the last row and column of cores are
            cut to the scene.
        halo: context in pixels on every side, a multiple of `stride`, so that a tile starts at a cell's edge.
        stride: the net's input pixels per output cell; 1 for plain tiles.

    Raises:
        ValueError: for sizes that are not positive or not multiples of `stride`.
    """

    shape: tuple[int, int]
    core: int | tuple[int, int]
    halo: int = 0
    stride: int = 1

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise ValueError(f"a scene needs a height and width of 1 or more, got {self.shape}")
        if self.stride < 1:
            raise ValueError(f"stride must be 1 or more, got {self.stride}")
        if min(self.core_hw) < 1 or any(side % self.stride for side in self.core_hw):
            raise ValueError(f"core must be a positive multiple of the stride {self.stride}, got {self.core}")
        if self.halo < 0 or self.halo % self.stride:
            raise ValueError(f"halo must be a multiple of the stride {self.stride} and not negative, got {self.halo}")

    def __iter__(self) -> Iterator[Window]:
        """Yield the cores, row by row from the top left; every pixel of the scene is in exactly one."""
        height, width = self.shape
        for row in range(0, height, self.core_hw[0]):
            for col in range(0, width, self.core_hw[1]):
                yield Window(row, col, min(self.core_hw[0], height - row), min(self.core_hw[1], width - col))

    def __len__(self) -> int:
        return -(-self.shape[0] // self.core_hw[0]) * -(-self.shape[1] // self.core_hw[1])

    @property
    def core_hw(self) -> tuple[int, int]:
        """(height, width) in pixels of a whole core."""
        return (self.core, self.core) if isinstance(self.core, int) else self.core

    @property
    def tile_hw(self) -> tuple[int, int]:
        """(height, width) in pixels of every tile: a whole core and its halo."""
        return self.core_hw[0] + 2 * self.halo, self.core_hw[1] + 2 * self.halo

    @property
    def map_shape(self) -> tuple[int, int]:
        """(height, width) in cells of the stitched map; a cell at the edge may reach beyond the scene."""
        return -(-self.shape[0] // self.stride), -(-self.shape[1] // self.stride)

    def cells(self, core: Window) -> Window:
        """Return the window of map cells that `core` fills."""
        row, col = core.row // self.stride, core.col // self.stride
        return Window(row, col, -(-core.row_stop // self.stride) - row, -(-core.col_stop // self.stride) - col)

    def tile(self, core: Window) -> Window:
        """Return the window to read for `core`: a whole core and the halo; it may reach beyond the scene's edges.

        Its corner and size are multiples of the stride, so that strided layers with 'same' padding sample the same
        pixels in every tile as in the whole image.
        """
        return Window(core.row, core.col, *self.core_hw).grown(self.halo)


@lru_cache(REMEMBERED)
def reflect(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """Map the positions start..stop-1 into [0, length) by mirroring at the ends without repeating the edge.

    The pattern repeats for any distance (numpy's `reflect` padding); a length of 1 repeats its one pixel. The result
    cannot be written to: images of one size share it.
    """
    if length == 1:
        places = np.zeros(stop - start, dtype=np.intp)
    else:
        period = 2 * (length - 1)
        position = np.abs(np.arange(start, stop)) % period
        places = np.where(position < length, position, period - position).astype(np.intp)
    places.flags.writeable = False
    return places


def clamp_far_edges(xy: NDArray[np.floating], shape: tuple[float, float]) -> NDArray[np.float64]:
    """Move points on or beyond the right and lower edges of a scene to the last float64 before those edges.

    Edges are half-open, so that a point on the right or lower edge, which annotations may hold, is in no window.

    Args:
        xy: (N, 2), in pixels.
        shape: (height, width) of the scene in the same pixels; a resampled scene's may be fractions of file pixels.

    Returns:
        (N, 2) float64; coordinates inside the scene, and negative ones, are unchanged.
    """
    height, width = shape
    return np.minimum(xy, np.nextafter((width, height), 0.0))

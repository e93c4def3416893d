"""Resampling: which pixels of a file make a pixel of a resampled scene, and with what weight.

The source of a pixel follows from its own position by integer arithmetic, so that the pixels of a window are those of
the whole resampled image, whichever window is read.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window

LARGEST_FACTOR = 32.0
"""Greatest factor by which images are enlarged or reduced; a greater one means that a unit is wrong."""

LEAST_VALID_SHARE = 0.5 - 1e-6
"""Share of a resampled pixel, by weight, that is valid, from which on it is valid itself: a half, but for rounding."""

ALL_VALID_SHARE = 1 - 1e-5
"""A share above it is all, but for rounding."""


@dataclass(frozen=True)
class Zoom:
    """A rectangle of a file resampled to another size; the edges of both coincide.

    Attributes:
        source: the rectangle, in the file's pixels.
        shape: (height, width) in pixels of the resampled image.

    Raises:
        ValueError: a side of `shape` is less than 1.
    """

    source: Window
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise ValueError(f"a resampled image needs a height and width of 1 or more, got {self.shape}")

    @property
    def factor_xy(self) -> tuple[float, float]:
        """Pixels of the resampled image per pixel of the file, along x and along y."""
        return self.shape[1] / self.source.width, self.shape[0] / self.source.height

    def filters(self, window: Window) -> tuple["ResampleFilter", "ResampleFilter"]:
        """Return the filters of the rows and of the columns of a window inside the resampled image."""
        rows = axis_filter(window.row, window.row_stop, self.source.height, self.shape[0])
        cols = axis_filter(window.col, window.col_stop, self.source.width, self.shape[1])
        return rows.shifted(self.source.row), cols.shifted(self.source.col)


@dataclass(frozen=True, eq=False)
class ResampleFilter:
    """The filter of the pixels along one axis: each is a weighted sum of k pixels of the source.

    Attributes:
        index: (n, k) int64, positions in the source.
        weight: (n, k) float64, rows adding up to 1.
    """

    index: NDArray[np.int64]
    weight: NDArray[np.float64]

    @property
    def start(self) -> int:
        """The first source position that is read."""
        return int(self.index.min())

    @property
    def stop(self) -> int:
        """One more than the last source position that is read."""
        return int(self.index.max()) + 1

    def shifted(self, by: int) -> "ResampleFilter":
        """Move the source positions by `by`."""
        return ResampleFilter(self.index + by, self.weight)

    def part(self, start: int, stop: int) -> "ResampleFilter":
        """Return the filter of the pixels start..stop-1."""
        return ResampleFilter(self.index[start:stop], self.weight[start:stop])

    def __call__(self, pixels: NDArray[np.generic], axis: int) -> NDArray[np.floating]:
        """Compute the weighted sums along an axis, in float32, or in float64 for dtypes that need it."""
        number = np.result_type(pixels.dtype, np.float32)
        shape = [-1 if i == axis % pixels.ndim else 1 for i in range(pixels.ndim)]
        total: NDArray[np.floating] | None = None
        for index, weight in zip(self.index.T, self.weight.T, strict=True):
            if weight.any():
                part = np.take(pixels, index, axis=axis) * weight.astype(number).reshape(shape)
                total = part if total is None else np.add(total, part, out=total)
        assert total is not None
        return total


def axis_filter(start: int, stop: int, length: int, target: int) -> ResampleFilter:
    """Return the filter of the pixels start..stop-1 of an axis resampled from `length` to `target` pixels.

    Where the axis is reduced, a pixel is the average of the source pixels that it covers, each weighted by the part
    covered. Where it is enlarged, a pixel is interpolated linearly between the two source pixels with the nearest
    centres; beyond the centres of the first and the last one it equals that one.

    Args:
        start: in [0, target).
        stop: in (start, target].
        length: number of pixels of the source.
        target: number of pixels of the resampled axis.
    """
    position = np.arange(start, stop, dtype=np.int64)
    if target < length:
        low = position * length
        index = (low // target)[:, None] + np.arange(-(-length // target) + 1)
        covered = np.minimum((low + length)[:, None], (index + 1) * target) - np.maximum(low[:, None], index * target)
        weight = np.maximum(covered, 0) / length
    else:
        middle = (2 * position + 1) * length - target
        first = middle // (2 * target)
        index = np.stack([first, first + 1], axis=1)
        share = (middle - first * 2 * target) / (2 * target)
        weight = np.stack([1 - share, share], axis=1)
    return ResampleFilter(np.clip(index, 0, length - 1), weight)


def resample(
    pixels: NDArray[np.generic], rows: ResampleFilter, cols: ResampleFilter, valid: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
    """Resample pixels along both axes; integers are rounded.

    A result is made of valid pixels alone. It is valid itself where these are half of what contributes to it, or more.

    Args:
        pixels: (C, H, W), the source of `rows` and `cols`.
        rows: the filter of the rows, h of them.
        cols: the filter of the columns, w of them.
        valid: (H, W), which pixels are valid; None where all are.

    Returns:
        (C, h, w) in the dtype of `pixels`, and which of them are valid (h, w), None where all are.
    """
    if valid is None:
        return _as(cols(rows(pixels, 1), 2), pixels.dtype), None
    share = cols(rows(valid.astype(np.float32), 0), 1)
    share[share > ALL_VALID_SHARE] = 1  # the value is that of a window in which all are valid, to the last digit
    means = cols(rows(np.where(valid, pixels, 0).astype(pixels.dtype), 1), 2) / np.where(share > 0, share, 1)
    return _as(means, pixels.dtype), share >= LEAST_VALID_SHARE


def _as(values: NDArray[np.floating], dtype: np.dtype[Any]) -> NDArray[np.generic]:
    """Return sums of pixels in the pixels' dtype."""
    return (values if dtype.kind == "f" else np.rint(values)).astype(dtype)

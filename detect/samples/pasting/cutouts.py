"""Cut-outs of scenes and patches: cut out with a soft rim, turned, resized, and pasted onto other pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

MIN_CONTRAST_SHARE = 0.5
"""Least contrast of an object with new ground, relative to that with its own."""


MAX_BAYS, BAY_DEPTH = 5, 0.7
"""Greatest number of bays around a patch of ground, and how deep they are relative to its radius."""

DIRECTIONS = 2049
"""Directions, all around, in which the depth of the bays is known: of ground of 600 pixels one more at every pixel."""


@dataclass(frozen=True, eq=False)
class CutOut:
    """A part of a scene that can be pasted.

    Attributes:
        pixels: (C, h, w).
        cover: (h, w) float32 in [0, 1], the opacity of each pixel.
        xy: (2,) centre of the object, in pixels of the cut-out.
        wh: (2,) its width and height in pixels.
        contrast: mean absolute difference from its own ground, in values of the pixels; 0 for ground.
    """

    pixels: NDArray[Any]
    cover: NDArray[np.float32]
    xy: NDArray[np.float64]
    wh: NDArray[np.float64]
    contrast: float = 0.0

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of the cut-out in pixels."""
        return self.cover.shape[0], self.cover.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels and their cover."""
        return self.pixels.nbytes + self.cover.nbytes

    @property
    def fill(self) -> float:
        """Covered area relative to that of the object's box."""
        return float(self.cover.sum() / self.wh.prod())

    def cropped(self) -> "CutOut":
        """Return the cut-out without the outer rows and columns that cover nothing."""
        rows, cols = (np.flatnonzero(self.cover.any(axis=axis)) for axis in (1, 0))
        row, col = int(rows[0]), int(cols[0])
        own = slice(row, int(rows[-1]) + 1), slice(col, int(cols[-1]) + 1)
        return replace(self, pixels=self.pixels[:, *own].copy(), cover=self.cover[own].copy(), xy=self.xy - (col, row))

    def turned(self, swap: bool, rows: bool, cols: bool) -> "CutOut":
        """Return the cut-out with rows and columns exchanged, then each mirrored: a symmetry of the square."""
        pixels, cover, xy, wh = self.pixels, self.cover, self.xy, self.wh
        if swap:
            pixels, cover, xy, wh = pixels.transpose(0, 2, 1), cover.T, xy[::-1], wh[::-1]
        down, across = (slice(None, None, -1 if mirrored else 1) for mirrored in (rows, cols))
        length = np.array(cover.shape[::-1], np.float64)
        xy = np.where((cols, rows), length - xy, xy)
        return replace(self, pixels=pixels[:, down, across], cover=cover[down, across], xy=xy, wh=wh)

    def resized(self, factor: float) -> "CutOut":
        """Return the cut-out resized linearly by a factor, to the nearest whole number of pixels."""
        import cv2

        sides = [max(1, round(side * factor)) for side in self.hw]
        factors = [new / old for new, old in zip(sides, self.hw, strict=True)]
        both = (*self.pixels.astype(np.float32), np.ascontiguousarray(self.cover))
        resized = [cv2.resize(each, sides[::-1], interpolation=cv2.INTER_LINEAR) for each in both]
        xy, wh = self.xy * factors[::-1], self.wh * factors[::-1]
        return replace(self, pixels=np.stack(resized[:-1]), cover=resized[-1], xy=xy, wh=wh)

    def contrasts_with(self, pixels: NDArray[Any], place: tuple[int, int]) -> bool:
        """Return whether `MIN_CONTRAST_SHARE` of the contrast remains at (row, column) of pixels (C, H, W)."""
        if not self.contrast:
            return True
        return difference(self.pixels, self._under(pixels, place), self.cover) >= MIN_CONTRAST_SHARE * self.contrast

    def pasted_on(self, pixels: NDArray[Any], place: tuple[int, int], gain: float = 1.0) -> NDArray[Any]:
        """Return a copy of pixels (C, H, W) with the cut-out pasted at (row, column), its values times a gain."""
        under = self._under(pixels, place)
        mixed = under + (self.pixels * gain - under) * self.cover
        if pixels.dtype.kind in "iu":
            limits = np.iinfo(pixels.dtype)
            mixed = np.clip(np.rint(mixed), limits.min, limits.max)
        pasted = pixels.copy(order="K")
        pasted[:, place[0] : place[0] + self.hw[0], place[1] : place[1] + self.hw[1]] = mixed
        return pasted

    def _under(self, pixels: NDArray[Any], place: tuple[int, int]) -> NDArray[np.float64]:
        """Return the pixels (C, h, w) that the cut-out would cover."""
        (row, col), (height, width) = place, self.hw
        return pixels[:, row : row + height, col : col + width].astype(np.float64)


def cut_box(pixels: NDArray[Any], xy: NDArray[np.float64], wh: NDArray[np.float64], feather: float) -> CutOut:
    """Return a box cut out of pixels with the ground in it.

    Args:
        pixels: (C, h, w), the box and its rim.
        xy: the box's centre, in these pixels.
        wh: its width and height.
        feather: width of the soft rim relative to the half sides.
    """
    return with_contrast(pixels, soft_box(pixels, xy, wh, feather).astype(np.float32), xy, wh)


def cut_ground(pixels: NDArray[Any], feather: float, rng: Generator) -> CutOut:
    """Return ground cut out of pixels (C, h, w): a round patch with random bays, whose soft rim ends inside them."""
    wh = np.array(pixels.shape[:0:-1], np.float64)
    rows, cols = (np.arange(side) + 0.5 - side / 2 for side in pixels.shape[1:])
    directions = np.linspace(-np.pi, np.pi, DIRECTIONS)[:, None]
    waves = np.cos(np.arange(1, MAX_BAYS + 1) * directions + rng.uniform(0, 2 * np.pi, MAX_BAYS)) @ rng.uniform(
        0, 1, MAX_BAYS
    )
    around = np.arctan2(rows[:, None], cols[None, :]) * ((DIRECTIONS - 1) / (2 * np.pi)) + (DIRECTIONS - 1) / 2
    bays = (1 + BAY_DEPTH * (waves - waves.min()) / np.ptp(waves))[np.rint(around).astype(np.intp)]
    radius = 2 * np.hypot(*relative_offsets(pixels.shape[1:], wh / 2, wh))
    cover = 1 - _step(radius * bays, 1 / (1 + feather), 1)
    return CutOut(pixels, cover.astype(np.float32), wh / 2, wh)


def soft_box(
    pixels: NDArray[Any], xy: NDArray[np.float64], wh: NDArray[np.float64], feather: float
) -> NDArray[np.float64]:
    """Return the opacity (h, w) of a box: 1 inside, falling to 0 at the end of its rim."""
    rows, cols = relative_offsets(pixels.shape[1:], xy, wh)
    return 1 - _step(2 * np.maximum(abs(rows), abs(cols)), 1, 1 + feather)


def relative_offsets(
    shape: Sequence[int], xy: NDArray[np.float64], wh: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the offsets of the middles of rows (h, 1) and columns (1, w) from a centre, relative to its sides.

    Args:
        shape: number of rows and columns.
        xy: the centre.
        wh: width and height.
    """
    rows, cols = (
        (np.arange(side) + 0.5 - middle) / length
        for side, middle, length in zip(shape, xy[::-1], wh[::-1], strict=True)
    )
    return rows[:, None], cols[None, :]


def _step(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Return a smooth step: 0 up to `low`, 1 from `high`."""
    part = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(part * part * (3 - 2 * part))


def with_contrast(
    pixels: NDArray[Any], cover: NDArray[np.float32], xy: NDArray[np.float64], wh: NDArray[np.float64]
) -> CutOut:
    """Return a cut-out with its contrast: the difference from the median of each band around it."""
    around = cover == 0 if (cover == 0).any() else cover <= cover.min()
    ground = np.median(pixels[:, around], axis=1)[:, None, None]
    return CutOut(pixels, cover, xy, wh, difference(pixels, ground, cover))


def difference(pixels: NDArray[Any], other: NDArray[np.float64], cover: NDArray[Any]) -> float:
    """Return the mean absolute difference of pixels (C, h, w) from others, weighted by their cover (h, w)."""
    return float((np.abs(pixels - other).mean(axis=0) * cover).sum() / cover.sum())

"""Pieces of scenes and patches that are cut out with a soft rim, varied, and laid onto other pixels."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, label, zoom

UNLIKE = (1.5, 3.0)
"""From and up to this many spreads from the ground's colour, a pixel passes from ground to object."""

CORE = (0.2, 0.5)
"""An object is laid whole within the first of these parts of its radius, as far as it is no ground from the second."""

SHOWN = 0.5
"""Part of its contrast with its own ground that an object must have with another."""

WAVES, DEPTH = 5, 0.7
"""Bays around a piece of ground, at most, and how far they reach in."""

SURE, LIKELY, FAR = 0.1, 0.5, 0.9
"""How far an object reaches from the middle of a patch, in its size: surely, likely, and never beyond the third."""

ROUNDS = 4
"""Rounds of GrabCut."""

DETAIL = 52
"""Pixels across an object, at most, in which it is told from its ground; larger ones are reduced for that."""

RIM = 1.2
"""Standard deviation of the soft rim, in those pixels."""


@dataclass(frozen=True, eq=False)
class CutOut:
    """A piece of a scene.

    Attributes:
        pixels: (C, h, w).
        cover: (h, w) float32, how much of each pixel is laid, from 0 to 1.
        xy: the middle of what is in it, in pixels of the piece.
        wh: its width and height in pixels.
        contrast: mean difference in value from the ground that it came from; 0 for ground.
    """

    pixels: NDArray[Any]
    cover: NDArray[np.float32]
    xy: NDArray[np.float64]
    wh: NDArray[np.float64]
    contrast: float = 0.0

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of the piece."""
        return self.cover.shape[0], self.cover.shape[1]

    @property
    def area(self) -> float:
        """Pixels that the piece covers."""
        return float(self.cover.sum())

    def cropped(self) -> "tuple[CutOut, tuple[int, int]]":
        """Leave out the rows and columns that cover nothing; the second is the (row, column) of what is left."""
        rows, cols = (np.flatnonzero(self.cover.any(axis=axis)) for axis in (1, 0))
        row, col = int(rows[0]), int(cols[0])
        own = slice(row, int(rows[-1]) + 1), slice(col, int(cols[-1]) + 1)
        pixels, cover = self.pixels[:, *own].copy(), self.cover[own].copy()
        return replace(self, pixels=pixels, cover=cover, xy=self.xy - (col, row)), (row, col)

    def turned(self, swap: bool, rows: bool, cols: bool) -> "CutOut":
        """Exchange rows and columns, then mirror each: one of the eight symmetries of a square."""
        pixels, cover, xy, wh = self.pixels, self.cover, self.xy, self.wh
        if swap:
            pixels, cover, xy, wh = pixels.transpose(0, 2, 1), cover.T, xy[::-1], wh[::-1]
        down, across = (slice(None, None, -1 if mirrored else 1) for mirrored in (rows, cols))
        length = np.array(cover.shape[::-1], np.float64)
        xy = np.where((cols, rows), length - xy, xy)
        return replace(self, pixels=pixels[:, down, across], cover=cover[down, across], xy=xy, wh=wh)

    def resized(self, factor: float) -> "CutOut":
        """Resize to the nearest whole number of pixels, linearly."""
        sides = [max(1, round(side * factor)) for side in self.hw]
        factors = [new / old for new, old in zip(sides, self.hw, strict=True)]
        both = np.concatenate([self.pixels.astype(np.float32), self.cover[None]])
        both = zoom(both, (1, *factors), order=1, mode="nearest", grid_mode=True)
        xy, wh = self.xy * factors[::-1], self.wh * factors[::-1]
        return replace(self, pixels=both[:-1], cover=both[-1], xy=xy, wh=wh)

    def shows_on(self, pixels: NDArray[Any], place: tuple[int, int]) -> bool:
        """Say whether the piece would stand out at (row, column) of (C, H, W), by `SHOWN` of its contrast or more."""
        if not self.contrast:
            return True
        return difference(self.pixels, self._under(pixels, place), self.cover) >= SHOWN * self.contrast

    def laid_on(self, pixels: NDArray[Any], place: tuple[int, int], gain: float = 1.0) -> NDArray[Any]:
        """Lay the piece onto a copy of pixels (C, H, W) at (row, column), its values times a gain."""
        under = self._under(pixels, place)
        mixed = under + (self.pixels * gain - under) * self.cover
        if pixels.dtype.kind in "iu":
            limits = np.iinfo(pixels.dtype)
            mixed = np.clip(np.rint(mixed), limits.min, limits.max)
        laid = pixels.copy()
        laid[:, place[0] : place[0] + self.hw[0], place[1] : place[1] + self.hw[1]] = mixed
        return laid

    def _under(self, pixels: NDArray[Any], place: tuple[int, int]) -> NDArray[np.float64]:
        (row, col), (height, width) = place, self.hw
        return pixels[:, row : row + height, col : col + width].astype(np.float64)


def cut_object(pixels: NDArray[Any], xy: NDArray[np.float64], wh: NDArray[np.float64], feather: float) -> CutOut:
    """Cut an object out of a piece that holds it and its rim.

    The cover is an ellipse with a soft rim, and within it what is unlike the ground: of the rim's pixels, the median of
    each band and the spread about it say what the ground looks like. So the object comes without a patch of its ground.

    Args:
        pixels: (C, h, w).
        xy: the object's middle, in pixels of the piece.
        wh: its width and height.
        feather: width of the rim as a part of the half sides.
    """
    radius = _radius(pixels.shape[1:], xy, wh)
    rim = (radius > 1) & (radius < 1 + feather)
    middle, spread = _ground(pixels[:, rim if rim.any() else radius >= radius.max()])
    away = np.sqrt((((pixels - middle) / spread) ** 2).mean(axis=0))
    unlike = _step(gaussian_filter(np.minimum(away, 2 * UNLIKE[1]), 1.0), *UNLIKE)
    cover = (1 - _step(radius, 1, 1 + feather)) * _connected(np.maximum(1 - _step(radius, *CORE), unlike), radius)
    return CutOut(pixels, cover.astype(np.float32), xy, wh, difference(pixels, middle, cover))


def cut_middle(pixels: NDArray[Any], size: float) -> CutOut | None:
    """Cut out what stands in the middle of a patch, by its colours (GrabCut: Rother, Kolmogorov and Blake 2004).

    Args:
        pixels: (C, H, W); the first three bands, or the first where there are fewer, tell it from its ground.
        size: its side in pixels, about.

    Returns:
        A piece of the patch's height and width; None where only the very middle differs from the ground, or everything
        does, and where pixels are not finite.
    """
    if not np.isfinite(pixels).all():
        return None
    high, wide = pixels.shape[1:]
    factor = min(1.0, DETAIL / size)
    image = cv2.resize(_eight_bits(pixels), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    rows, cols = (np.arange(side) - (side - 1) / 2 for side in image.shape[:2])
    away = np.hypot(rows[:, None], cols[None, :]) / (size * factor)
    mask = np.select(
        [away <= SURE, away <= LIKELY, away <= FAR],
        [cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_PR_BGD],
        default=cv2.GC_BGD,
    ).astype(np.uint8)
    if (away <= FAR).all() or not (away <= SURE).any():
        return None
    cv2.setRNGSeed(0)
    cv2.grabCut(image, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    object_ = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts = cv2.connectedComponents(object_)
    whole = (parts == parts[np.unravel_index(away.argmin(), away.shape)]) & (object_ > 0)
    if whole.sum() < 2 * (away <= SURE).sum():
        return None
    soft = cv2.GaussianBlur(cv2.dilate(whole.astype(np.float32), np.ones((3, 3), np.uint8)), (0, 0), RIM)
    cover = np.clip(cv2.resize(soft, (wide, high), interpolation=cv2.INTER_LINEAR), 0, 1).astype(np.float32)
    if not (cover == 0).any():
        return None
    ground = np.median(pixels[:, cover == 0], axis=1)[:, None, None]
    middle, sides = np.array([wide / 2, high / 2]), np.array([size, size])
    return CutOut(pixels, cover, middle, sides, difference(pixels, ground, cover))


def cut_ground(pixels: NDArray[Any], feather: float, rng: Generator) -> CutOut:
    """Cut ground out of a piece (C, h, w): a patch with random bays, whose soft rim ends within the piece."""
    wh = np.array(pixels.shape[:0:-1], np.float64)
    rows, cols = (np.arange(side) + 0.5 - side / 2 for side in pixels.shape[1:])
    angle = np.arctan2(rows[:, None], cols[None, :])[..., None]
    waves = np.cos(np.arange(1, WAVES + 1) * angle + rng.uniform(0, 2 * np.pi, WAVES)) @ rng.uniform(0, 1, WAVES)
    bays = 1 + DEPTH * (waves - waves.min()) / (waves.max() - waves.min())
    cover = 1 - _step(_radius(pixels.shape[1:], wh / 2, wh) * bays, 1 / (1 + feather), 1)
    return CutOut(pixels, cover.astype(np.float32), wh / 2, wh)


def _radius(shape: tuple[int, ...], xy: NDArray[np.float64], wh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give (h, w) the distance from the middle of an ellipse, 1 on it."""
    rows, cols = (
        (np.arange(side) + 0.5 - middle) / (length / 2)
        for side, middle, length in zip(shape, xy[::-1], wh[::-1], strict=True)
    )
    return np.asarray(np.hypot(rows[:, None], cols[None, :]))


def _step(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    part = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(part * part * (3 - 2 * part))


def _ground(rim: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the median (C, 1, 1) of each band of pixels (C, n), and the spread about it, at least 2 % of it."""
    middle = np.median(rim, axis=1)
    spread = 1.4826 * np.median(np.abs(rim - middle[:, None]), axis=1)
    least = np.maximum(0.02 * np.abs(middle), 1e-9)
    return middle[:, None, None], np.maximum(spread, least)[:, None, None]


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Give (H, W, 3) of a patch (C, H, W); of another dtype, all but 1 % at either end of each band is stretched."""
    shown = pixels[:3] if len(pixels) >= 3 else pixels[:1].repeat(3, axis=0)
    if shown.dtype != np.uint8:
        low, high = np.percentile(shown.astype(np.float64), (1, 99), axis=(1, 2), keepdims=True)
        shown = np.rint(np.clip((shown - low) / np.maximum(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(shown, 0, -1))


def difference(pixels: NDArray[Any], other: NDArray[np.float64], cover: NDArray[Any]) -> float:
    """Give the mean absolute difference of pixels (C, h, w) from others, by their cover (h, w)."""
    return float((np.abs(pixels - other).mean(axis=0) * cover).sum() / cover.sum())


def _connected(cover: NDArray[np.float64], radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out what does not hang together with the middle: stones and shadows of the ground."""
    number, _ = label(cover > 0.5)
    here = number == number[np.unravel_index(radius.argmin(), radius.shape)]
    return cover * binary_dilation(here, iterations=2)

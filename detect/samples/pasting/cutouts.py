"""ObjectCutouts of scenes and patches that are cut out with a soft rim, varied, and laid onto other pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import zoom

from detect.imagery.scenes import display_bands

SHOWN = 0.5
"""Part of its contrast with its own ground that an object must have with another."""


WAVES, DEPTH = 5, 0.7
"""Bays around a piece of ground, at most, and how far they reach in."""


SURE, LIKELY, FAR = 0.1, 0.5, 0.9
"""How far an object reaches from its middle, in its sides: surely, likely, and never beyond the third."""


SPAN = 0.6
"""Part of its box's width and height that an object must have that is cut out."""


ROUNDS = 4
"""Rounds of GrabCut."""


DETAIL = 52
"""Pixels across an object, at most, in which it is told from its ground; larger ones are reduced for that."""


RIM = 0.023
"""Softness of the rim (a standard deviation) as a part of an object's shorter side."""


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
    def fill(self) -> float:
        """Pixels that the piece covers, as a part of its sides' product."""
        return float(self.cover.sum() / self.wh.prod())

    def cropped(self) -> "CutOut":
        """Leave out the rows and columns at the sides that cover nothing."""
        rows, cols = (np.flatnonzero(self.cover.any(axis=axis)) for axis in (1, 0))
        row, col = int(rows[0]), int(cols[0])
        own = slice(row, int(rows[-1]) + 1), slice(col, int(cols[-1]) + 1)
        return replace(self, pixels=self.pixels[:, *own].copy(), cover=self.cover[own].copy(), xy=self.xy - (col, row))

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


def cut_object(
    pixels: NDArray[Any],
    xy: NDArray[np.float64],
    wh: NDArray[np.float64],
    *,
    feather: float | None = None,
    others: Sequence[Any] = (),
) -> CutOut | None:
    """Cut an object out of its ground by their colours (GrabCut: Rother, Kolmogorov and Blake 2004).

    Args:
        pixels: (C, h, w); the first three bands, or the first where there are fewer, tell it from its ground.
        xy: the object's middle, in pixels of the piece.
        wh: its width and height.
        feather: of a box that the object fills, width of its soft rim as a part of the half sides, at most; None where
            the sides are about the object's length, and it may be thin.
        others: middles of others of its size; what is nearer to them is not of it.

    Returns:
        A piece with the height and width of the pixels; None where the object cannot be told from its ground, reaches
        the edge of the pixels or does not fill its box, and where pixels are not finite.
    """
    if not np.isfinite(pixels).all():
        return None
    seen = [max(1, round(n * min(1.0, DETAIL / side))) for n, side in zip(pixels.shape[1:], wh[::-1], strict=True)]
    scale = np.array(seen[::-1]) / pixels.shape[:0:-1]
    image = cv2.resize(_eight_bits(pixels), seen[::-1], interpolation=cv2.INTER_AREA)
    rows, cols = _offsets(seen, xy * scale, wh * scale)
    away = np.hypot(rows, cols)
    sure = away <= max(SURE, away.min())
    never = away > FAR if feather is None else np.maximum(abs(rows), abs(cols)) > 0.5
    for other in others:
        never |= np.hypot(*_offsets(seen, other * scale, wh * scale)) < away
    never &= ~sure
    if not never.any():
        return None
    kinds = [cv2.GC_FGD, cv2.GC_BGD, cv2.GC_PR_FGD]
    mask = np.select([sure, never, away <= LIKELY], kinds, default=cv2.GC_PR_BGD).astype(np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(image, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    object_ = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts = cv2.connectedComponents(object_)
    whole = (parts == parts[np.unravel_index(away.argmin(), away.shape)]) & (object_ > 0)
    if whole[[0, -1]].any() or whole[:, [0, -1]].any():
        return None
    spans = [whole.any(axis=axis).sum() for axis in (0, 1)] / (wh * scale)
    if whole.sum() < 2 * sure.sum() if feather is None else (spans < SPAN).any():
        return None
    across, down = RIM * wh.min() * scale
    soft = np.minimum(2 * cv2.GaussianBlur(whole.astype(np.float32), (0, 0), across, sigmaY=down), 1)
    cover = cv2.resize(soft, pixels.shape[:0:-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)
    if feather is not None:
        cover = cover * _tapered(pixels, xy, wh, feather)
    return _from_its_ground(pixels, cover.astype(np.float32), xy, wh)


def cut_box(pixels: NDArray[Any], xy: NDArray[np.float64], wh: NDArray[np.float64], feather: float) -> CutOut:
    """Cut a box with the ground in it out of a piece that holds it and its rim.

    Args:
        pixels: (C, h, w).
        xy: the box's middle, in pixels of the piece.
        wh: its width and height.
        feather: width of the soft rim as a part of the half sides.
    """
    return _from_its_ground(pixels, _tapered(pixels, xy, wh, feather).astype(np.float32), xy, wh)


def cut_ground(pixels: NDArray[Any], feather: float, rng: Generator) -> CutOut:
    """Cut ground out of a piece (C, h, w): a patch with random bays, whose soft rim ends within the piece."""
    wh = np.array(pixels.shape[:0:-1], np.float64)
    rows, cols = (np.arange(side) + 0.5 - side / 2 for side in pixels.shape[1:])
    angle = np.arctan2(rows[:, None], cols[None, :])[..., None]
    waves = np.cos(np.arange(1, WAVES + 1) * angle + rng.uniform(0, 2 * np.pi, WAVES)) @ rng.uniform(0, 1, WAVES)
    bays = 1 + DEPTH * (waves - waves.min()) / (waves.max() - waves.min())
    radius = 2 * np.hypot(*_offsets(pixels.shape[1:], wh / 2, wh))
    cover = 1 - _step(radius * bays, 1 / (1 + feather), 1)
    return CutOut(pixels, cover.astype(np.float32), wh / 2, wh)


def _tapered(
    pixels: NDArray[Any], xy: NDArray[np.float64], wh: NDArray[np.float64], feather: float
) -> NDArray[np.float64]:
    """Give (h, w) 1 in a box, falling to 0 at the end of its rim."""
    rows, cols = _offsets(pixels.shape[1:], xy, wh)
    return 1 - _step(2 * np.maximum(abs(rows), abs(cols)), 1, 1 + feather)


def _offsets(
    shape: Sequence[int], xy: NDArray[np.float64], wh: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give how far the middles of rows (h, 1) and columns (1, w) lie from a middle, in its sides."""
    rows, cols = (
        (np.arange(side) + 0.5 - middle) / length
        for side, middle, length in zip(shape, xy[::-1], wh[::-1], strict=True)
    )
    return rows[:, None], cols[None, :]


def _step(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    part = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(part * part * (3 - 2 * part))


def _from_its_ground(
    pixels: NDArray[Any], cover: NDArray[np.float32], xy: NDArray[np.float64], wh: NDArray[np.float64]
) -> CutOut:
    """Add how much the piece differs from the median of each band around it."""
    around = cover == 0 if (cover == 0).any() else cover <= cover.min()
    ground = np.median(pixels[:, around], axis=1)[:, None, None]
    return CutOut(pixels, cover, xy, wh, difference(pixels, ground, cover))


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Give (H, W, 3) of a patch (C, H, W); of another dtype, all but 1 % at either end of each band is stretched."""
    shown = np.broadcast_to(pixels[: len(display_bands(len(pixels)))], (3, *pixels.shape[1:]))
    if shown.dtype != np.uint8:
        low, high = np.percentile(shown.astype(np.float64), (1, 99), axis=(1, 2), keepdims=True)
        shown = np.rint(np.clip((shown - low) / np.maximum(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(shown, 0, -1))


def difference(pixels: NDArray[Any], other: NDArray[np.float64], cover: NDArray[Any]) -> float:
    """Give the mean absolute difference of pixels (C, h, w) from others, by their cover (h, w)."""
    return float((np.abs(pixels - other).mean(axis=0) * cover).sum() / cover.sum())

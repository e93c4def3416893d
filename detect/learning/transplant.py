"""Transplants: what stands in the middle of a patch, cut out of its ground and laid onto an empty patch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from detect.learning.cutouts import CutOut, difference
from detect.learning.superimpose import GAIN

TRIES = 5
"""Empty patches looked at for one that the object shows on."""

SALT = 0x7A9
"""Keeps the draws apart from those of other augmentation with the same seed."""

CORE, LIKELY, FAR = 0.1, 0.5, 0.9
"""Distances from the middle in sizes: up to the first it is object, to the second likely, beyond the third never."""

ROUNDS = 4
"""Rounds of GrabCut."""

DETAIL = 52
"""Pixels across an object, at most, in which it is told from its ground; larger ones are reduced for that."""

RIM = 1.2
"""Standard deviation of the soft rim, in those pixels."""


@dataclass(frozen=True)
class Transplant:
    """Lays the objects of some patches onto empty patches (Dwibedi et al., Cut, Paste and Learn, 2017).

    So that a class that was photographed on one kind of ground is not told by it. The empty patch is mirrored and
    turned by quarters, and photographs (uint8, 1 or 3 bands) are brightened by `GAIN`. An object that cannot be told
    from its ground, or that shows on none of `TRIES` empty patches, stays where it is.

    Attributes:
        p: share of the patches with an object.
        size: side in pixels of what stands in the middle of a patch, about.
    """

    p: float
    size: float

    def __call__(
        self,
        pixels: NDArray[Any],
        cut: Callable[[], CutOut | None],
        empty: Callable[[Generator], NDArray[Any]],
        seed: int,
    ) -> NDArray[Any]:
        """Lay a patch's object onto other ground, or leave it.

        Args:
            pixels: (C, H, W), the patch.
            cut: gives the object, of the patch's height and width; None where it cannot be told from its ground.
            empty: draws the pixels (C, H, W) of a patch without an object.
            seed: the same seed gives the same result.
        """
        rng = default_rng((seed, SALT))
        piece = cut() if rng.random() < self.p else None
        if piece is None:
            return pixels
        gain = float(rng.uniform(*GAIN)) if pixels.dtype == np.uint8 and len(pixels) in (1, 3) else 1.0
        for _ in range(TRIES):
            ground = _turned(empty(rng), *rng.random(3) < 0.5)
            if piece.shows_on(ground, (0, 0)):
                return piece.laid_on(ground, (0, 0), gain)
        return pixels


def cut_middle(pixels: NDArray[Any], size: float) -> CutOut | None:
    """Cut out what stands in the middle of a patch, by its colours (GrabCut: Rother, Kolmogorov and Blake 2004).

    Args:
        pixels: (C, H, W); the first three bands, or the only one, tell it from its ground.
        size: its side in pixels, about.

    Returns:
        A piece of the patch's height and width; None where only the very middle differs from the ground.
    """
    high, wide = pixels.shape[1:]
    factor = min(1.0, DETAIL / size)
    image = cv2.resize(_eight_bits(pixels), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    rows, cols = (np.arange(side) - (side - 1) / 2 for side in image.shape[:2])
    away = np.hypot(rows[:, None], cols[None, :]) / (size * factor)
    mask = np.select(
        [away <= CORE, away <= LIKELY, away <= FAR],
        [cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_PR_BGD],
        default=cv2.GC_BGD,
    ).astype(np.uint8)
    if (away <= FAR).all() or not (away <= CORE).any():
        return None
    cv2.setRNGSeed(0)
    cv2.grabCut(image, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    object_ = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts = cv2.connectedComponents(object_)
    whole = (parts == parts[np.unravel_index(away.argmin(), away.shape)]) & (object_ > 0)
    if whole.sum() < 2 * (away <= CORE).sum():
        return None
    soft = cv2.GaussianBlur(cv2.dilate(whole.astype(np.float32), np.ones((3, 3), np.uint8)), (0, 0), RIM)
    cover = np.clip(cv2.resize(soft, (wide, high), interpolation=cv2.INTER_LINEAR), 0, 1).astype(np.float32)
    ground = np.median(pixels[:, cover == 0], axis=1)[:, None, None]
    middle, sides = np.array([wide / 2, high / 2]), np.array([size, size])
    return CutOut(pixels, cover, middle, sides, difference(pixels, ground, cover))


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Give (H, W, 3) of a patch (C, H, W), each band of another dtype stretched from its least to its greatest."""
    shown = pixels[:3] if len(pixels) >= 3 else pixels[:1].repeat(3, axis=0)
    if shown.dtype != np.uint8:
        low, high = (limit(shown, axis=(1, 2), keepdims=True).astype(np.float64) for limit in (np.min, np.max))
        shown = np.rint((shown - low) * (255 / np.maximum(high - low, 1e-9))).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(shown, 0, -1))


def _turned(pixels: NDArray[Any], swap: bool, rows: bool, cols: bool) -> NDArray[Any]:
    pixels = pixels.transpose(0, 2, 1) if swap else pixels
    return pixels[:, :: -1 if rows else 1, :: -1 if cols else 1]

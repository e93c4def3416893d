"""Patterns of defects varied: two maps of a class laid over each other, defects removed and added."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GOOD_LEVEL = 0.25
"""Part of a map's range of brightness above which pixels are places where a defect could be, and not its outside."""

FEW_PLACES = 4
"""Fewer good or bad pixels than this tell no value of theirs."""


@dataclass(frozen=True)
class PatternSettings:
    """How maps of patterns are varied: `augment.patterns`.

    Attributes:
        superpose: share of the maps onto which another is laid, in [0, 1].
        drop: greatest share of a map's defects that is removed, in [0, 1].
        add: greatest share of its good places at which a defect is added, in [0, 1].
        level: part of a map's range of brightness above which a pixel is a defect, in (0, 1).

    Raises:
        ValueError: a number out of its range.
    """

    superpose: float
    drop: float
    add: float
    level: float

    def __post_init__(self) -> None:
        for name in ("superpose", "drop", "add"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"augment.patterns.{name} must be in [0, 1], got {getattr(self, name)}")
        if not 0 < self.level < 1:
            raise ValueError(f"augment.patterns.level must be in (0, 1), got {self.level}")

    @property
    def p(self) -> float:
        """Whether anything is varied: the greatest of the shares."""
        return max(self.superpose, self.drop, self.add)


def brightness(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return the mean of the bands: (C, H, W) to (H, W)."""
    return np.asarray(pixels.mean(axis=0, dtype=np.float32))


def superposed(first: NDArray[np.generic], second: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return two maps (C, H, W) laid over each other: of each place the brighter pixel.

    Codes rise from outside (0) over good (1) to bad (2), and so does the brightness of what draws them, so that a place
    is bad where it is in one of the two.
    """
    return np.where(brightness(second) > brightness(first), second, first)


def with_other_defects(
    pixels: NDArray[np.generic], settings: PatternSettings, die: int, rng: np.random.Generator
) -> NDArray[np.generic]:
    """Return a map with some defects removed and some added, at random places; others stay as they are.

    A removed defect gets the median of the good pixels, an added one that of the bad ones. A map without a few of both
    does not change.

    Args:
        pixels: (C, H, W).
        settings: how much.
        die: side in pixels of a place that is good or bad as a whole.
        rng: draws the shares and the places.
    """
    bright = brightness(pixels)
    low, high = float(bright.min()), float(bright.max())
    bad = bright > low + settings.level * (high - low)
    good = ~bad & (bright > low + GOOD_LEVEL * (high - low))
    if not good.any():  # points on ground of one value
        good = ~bad
    if min(good.sum(), bad.sum()) < FEW_PLACES:
        return pixels
    drop, add = rng.random() * settings.drop, rng.random() * settings.add
    drawn = _by_die(bright.shape, die, rng)
    varied = pixels.copy()
    for chosen, of in ((bad & (drawn < drop), good), (good & (drawn < add), bad)):
        varied[:, chosen] = np.median(np.asarray(pixels[:, of], np.float64), axis=1).astype(pixels.dtype)[:, None]
    return varied


def _by_die(shape: tuple[int, ...], die: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return numbers in [0, 1) of a shape (H, W), the same within a die."""
    height, width = shape
    numbers = rng.random((-(-height // die), -(-width // die)))
    return numbers.repeat(die, axis=0)[:height].repeat(die, axis=1)[:, :width]

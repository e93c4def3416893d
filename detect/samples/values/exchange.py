"""Statistics exchanged between training images: a sample in the light of another one, or of none that there is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from detect.samples.varying.photometry import VALUES, looked_up

EXCHANGE_SEED = 0xE8C4
"""Makes the draws independent of other augmentation with the same seed."""

GREATEST_GAIN = 3.0
"""Greatest factor, and the inverse of the least, by which contrast changes: beyond it, noise would become content."""

LEAST_DEVIATION = 1e-6
"""Least deviation of a band, as a part of the training images' own: a band of one value is shifted alone."""


@dataclass(frozen=True)
class ExchangeSettings:
    """How often and how far samples take the statistics of other training images.

    Attributes:
        p: share of the samples, in [0, 1].
        share: least and most of the way to the other image's statistics, in [0, 1].
        jitter: how much these are varied: the deviation of the mean, in deviations of the training images, and of the
            logarithm of the contrast; 0 or more.

    Raises:
        ValueError: a number out of its range.
    """

    p: float
    share: tuple[float, float]
    jitter: float

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"p must be in [0, 1], got {self.p}")
        if not 0 <= self.share[0] <= self.share[1] <= 1:
            raise ValueError(f"share must be the least and the most, in [0, 1], got {list(self.share)}")
        if not 0 <= self.jitter < float("inf"):
            raise ValueError(f"jitter must be 0 or more, got {self.jitter}")


class Exchange:
    """Brings samples to the mean and deviation of another training image, band by band (Reinhard et al. 2001).

    Each band is mapped by a straight line, the one that takes its whole image's statistics to the others; so no pixel
    moves, and what is brighter than its surroundings stays so. The statistics are those of an image that is drawn, all
    as likely, and varied where `jitter` is not 0: half of that variance is of all bands together, half of each.

    Args:
        settings: how often and how far.
        mean, deviation: (images, bands) of the training images' valid pixels.
    """

    def __init__(self, settings: ExchangeSettings, mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> None:
        self.settings = settings
        self.mean = mean
        self.usual = np.maximum(np.sqrt((deviation**2).mean(axis=0)), np.finfo(np.float32).tiny)
        self.deviation = np.maximum(deviation, LEAST_DEVIATION * self.usual)

    @classmethod
    def of(cls, settings: ExchangeSettings, values: list[NDArray[np.generic]]) -> "Exchange":
        """Measure training images: of each some valid pixels (bands, n); one without any is as all others together.

        Raises:
            ValueError: no image has a valid pixel.
        """
        known = [each.astype(np.float64) for each in values if each.size]
        if not known:
            raise ValueError("the training images have no valid pixels")
        together = np.concatenate(known, axis=1)
        measured = [each.astype(np.float64) if each.size else together for each in values]
        mean = np.array([each.mean(axis=1) for each in measured])
        return cls(settings, mean, np.array([each.std(axis=1) for each in measured]))

    def __call__(self, pixels: NDArray[np.generic], image: int, seed: int) -> NDArray[np.generic]:
        """Return pixels (bands, H, W) in their dtype; whole numbers are rounded, and kept within their type.

        Args:
            pixels: of a sample.
            image: the number of the training image that it is from.
            seed: the same seed gives the same result.
        """
        rng = default_rng((seed, EXCHANGE_SEED))
        if rng.random() >= self.settings.p:
            return pixels
        gain, mean = self._line(image, rng)
        if pixels.dtype == np.uint8:
            tables = self._changed(np.broadcast_to(VALUES, (len(pixels), 1, 256)), image, gain, mean)
            return np.stack([looked_up(plane, table[0]) for plane, table in zip(pixels, tables, strict=True)])
        return self._changed(pixels, image, gain, mean)

    def _changed(
        self, pixels: NDArray[Any], image: int, gain: NDArray[np.float64], mean: NDArray[np.float64]
    ) -> NDArray[Any]:
        """Return pixels (bands, H, W) with their distance from the image's mean times a gain, around another mean."""
        own = self.mean[image][:, None, None]
        changed = (pixels.astype(np.float64) - own) * gain[:, None, None] + mean[:, None, None]
        if pixels.dtype.kind == "f":
            return np.asarray(changed, pixels.dtype)
        bounds = np.iinfo(str(pixels.dtype))
        return np.clip(np.rint(changed), bounds.min, bounds.max).astype(pixels.dtype)

    def _line(self, image: int, rng: Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw the gain of each band, and what its image's mean becomes."""
        other = int(rng.integers(len(self.mean)))
        jitter, bands = self.settings.jitter / np.sqrt(2), len(self.usual)
        shift = jitter * (rng.standard_normal() + rng.standard_normal(bands))
        stretch = jitter * (rng.standard_normal() + rng.standard_normal(bands))
        share = rng.uniform(*self.settings.share)
        mean = (1 - share) * self.mean[image] + share * (self.mean[other] + shift * self.usual)
        limit = np.log(GREATEST_GAIN)
        wanted = np.log(self.deviation[other] / self.deviation[image]) + stretch
        return np.exp(share * np.clip(wanted, -limit, limit)), mean

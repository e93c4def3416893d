"""Light, colour, noise and sharpness of images of any bands and type, varied in units of the training images' range.

Photographs of 8 bits in 1 or 3 bands are varied by albumentations. Its transforms cut other images off at the ends of
a range that theirs do not have, or refuse their number of bands; so the same settings are followed here.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from detect.samples.values.normalisation import ValueRange

LIGHT_SEED = 0x11647
"""Makes the draws independent of the geometric transforms with the same seed."""

Values = NDArray[np.float32]
"""Pixels (bands, H, W) in which 0 and 1 are the ends of the training images' range; some are beyond."""

Change = Callable[[Values, Any, Generator], Values]
"""Returns changed values; takes the values, albumentations' transform of that name for its arguments, and draws."""


class Light:
    """A seeded chain that changes the values of an image, and moves no pixel.

    Args:
        transforms: albumentations' transforms by name, for their arguments; those that are not in `CHANGES` are left
            out.
        values: the training images' range, a number a band.

    Attributes:
        followed, left_out: names of the transforms.
    """

    def __init__(self, transforms: Mapping[str, Any], values: ValueRange) -> None:
        several = len(values.low) > 1
        self.followed = tuple(name for name in transforms if name in CHANGES and (several or name not in OF_COLOUR))
        self.left_out = tuple(name for name in transforms if name not in CHANGES)
        self._transforms = [(CHANGES[name], transforms[name]) for name in self.followed]
        self._low = np.array(values.low, np.float32)[:, None, None]
        self._extent = np.maximum(values.extent, np.finfo(np.float32).tiny).astype(np.float32)[:, None, None]

    def __call__(self, pixels: NDArray[np.generic], seed: int) -> NDArray[np.generic]:
        """Return changed pixels (bands, H, W) in their dtype; whole numbers are rounded, and kept within their type."""
        scaled: Values | None = None
        for position, (change, arguments) in enumerate(self._transforms):
            rng = default_rng((seed, LIGHT_SEED, position))
            if rng.random() < arguments.p:
                if scaled is None:
                    scaled = (pixels.astype(np.float32) - self._low) / self._extent
                scaled = change(scaled, arguments, rng)
        if scaled is None:
            return pixels
        changed = scaled * self._extent + self._low
        if pixels.dtype.kind == "f":
            return changed.astype(pixels.dtype)
        bounds = np.iinfo(str(pixels.dtype))
        return np.clip(np.rint(changed.astype(np.float64)), bounds.min, bounds.max).astype(pixels.dtype)


def _brightness_contrast(values: Values, to: Any, rng: Generator) -> Values:
    contrast, brightness = rng.uniform(*to.contrast_limit), rng.uniform(*to.brightness_limit)
    return values * np.float32(1 + contrast) + np.float32(brightness)


def _gamma(values: Values, to: Any, rng: Generator) -> Values:
    """Return values to a power; below the range they stay, above it they go on straight."""
    gamma = np.float32(rng.uniform(*to.gamma_limit) / 100)
    inside = np.clip(values, 0, 1) ** gamma
    return np.asarray(inside + np.minimum(values, 0) + np.maximum(values - 1, 0) * gamma, np.float32)


def _gain_of_bands(values: Values, to: Any, rng: Generator) -> Values:
    """Return each band with a gain of its own, up to the limit of the saturation: bands have no hue."""
    limit = max(map(abs, to.sat_shift_limit)) / 255
    return values * rng.uniform(1 - limit, 1 + limit, (len(values), 1, 1)).astype(np.float32)


def _gain(values: Values, to: Any, rng: Generator) -> Values:
    number = len(values) if to.per_channel else 1
    low, high = to.multiplier
    return values * rng.uniform(low, high, (number, 1, 1)).astype(np.float32)


def _noise(values: Values, to: Any, rng: Generator) -> Values:
    spread = np.float32(rng.uniform(*to.std_range))
    return values + spread * rng.standard_normal(values.shape, np.float32)


def _blur(values: Values, to: Any, rng: Generator) -> Values:
    from scipy.ndimage import gaussian_filter

    sigma = rng.uniform(*to.sigma_limit)
    return np.asarray(gaussian_filter(values, (0, sigma, sigma), mode="mirror"), np.float32)


CHANGES: dict[str, Change] = {
    "RandomBrightnessContrast": _brightness_contrast,
    "RandomGamma": _gamma,
    "HueSaturationValue": _gain_of_bands,
    "MultiplicativeNoise": _gain,
    "GaussNoise": _noise,
    "GaussianBlur": _blur,
}
"""What is done for a transform of albumentations, by its name."""

OF_COLOUR = ("HueSaturationValue",)
"""Those that need several bands."""

"""Augmentation over albumentations, the only module that imports it; for training alone."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for its newest version on import

import albumentations as A

GEOMETRIC = (
    "D4",
    "SquareSymmetry",
    "HorizontalFlip",
    "VerticalFlip",
    "Transpose",
    "RandomRotate90",
    "Rotate",
    "ShiftScaleRotate",
    "Affine",
    "Perspective",
)
"""Transforms that move pixels, and points with them; the others change values alone."""


COLOURED = ("HueSaturationValue", "ColorJitter", "ISONoise", "RGBShift", "ChannelShuffle", "ChannelDropout", "ToGray")
"""Transforms that need three bands; an image of one band does without them."""


MOST = 64
"""Transforms of a chain, at most, whose seeds do not meet those of the next sample."""


LIGHT_SEEDS = 1 << 48
"""Seeds of the photometric transforms lie this far from those of the geometric ones."""


class Augment:
    """A seeded chain of albumentations transforms that moves pixels and points together.

    The geometric transforms come first, then the photometric ones, each in the order that they are given in.

    Args:
        transforms: name of a transform in albumentations -> its arguments.

    Raises:
        ValueError: an unknown transform or argument, or a transform that labels cannot follow.
    """

    def __init__(self, transforms: Mapping[str, Mapping[str, Any]]) -> None:
        self.transforms = {name: dict(arguments or {}) for name, arguments in transforms.items()}
        built = {name: _built(name, arguments) for name, arguments in self.transforms.items()}
        plain = [
            _built(name, _without_mirrors(arguments))
            for name, arguments in self.transforms.items()
            if name in GEOMETRIC
        ]
        photometric = {name: transform for name, transform in built.items() if name not in GEOMETRIC}
        self._geometry = A.Compose([transform for name, transform in built.items() if name in GEOMETRIC])
        points = A.KeypointParams(format="xy", remove_invisible=False)
        self._points = A.Compose(plain, keypoint_params=points) if plain else None
        self._light = {
            3: A.Compose(list(photometric.values())),
            1: A.Compose([transform for name, transform in photometric.items() if name not in COLOURED]),
        }

    def __call__(
        self, pixels: NDArray[np.generic], xy: NDArray[np.floating], seed: int
    ) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
        """Vary an image and move its points along.

        Photometric transforms are for uint8 images of 1 or 3 bands; any other image gets the geometric ones.

        Args:
            pixels: (C, H, W).
            xy: (N, 2) points in pixels, pixel i spanning [i, i + 1).
            seed: the same seed gives the same result.

        Returns:
            The image in its dtype, and the N points in their order; a point may have left the image.
        """
        varied, points, _ = self.vary(pixels, xy, None, seed)
        return varied, points

    def vary(
        self, pixels: NDArray[np.generic], xy: NDArray[np.floating], valid: NDArray[np.bool_] | None, seed: int
    ) -> tuple[NDArray[np.generic], NDArray[np.float64], NDArray[np.bool_]]:
        """Vary an image, and move its points and a mask along; what comes in from beyond its border is not valid.

        Args:
            pixels: (C, H, W).
            xy: (N, 2) points in pixels.
            valid: (H, W); None if nobody asks, which saves time where there are no points either.
            seed: the same seed gives the same result.

        Returns:
            The image in its dtype, the N points in their order, and the mask.
        """
        bands = pixels.shape[0]
        image = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
        if image.dtype not in (np.uint8, np.float32):
            image = image.astype(np.float32)
        varied = _run(self._geometry, image, seed)
        if pixels.dtype == np.uint8 and bands in self._light:
            varied = _run(self._light[bands], varied, seed + LIGHT_SEEDS)
        points, mask = self._moved(pixels.shape[1:], np.asarray(xy, np.float64).reshape(-1, 2), valid, seed)
        return np.ascontiguousarray(np.moveaxis(varied, -1, 0)).astype(pixels.dtype, copy=False), points, mask

    def _moved(
        self, shape: tuple[int, ...], xy: NDArray[np.float64], valid: NDArray[np.bool_] | None, seed: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Move points and a mask as the same seed moves the pixels."""
        everything = np.ones(shape, bool) if valid is None else valid
        if self._points is None or (valid is None and not len(xy)):
            return xy, everything
        _seed_each(self._points, seed)
        flat = everything.astype(np.uint8)
        moved = self._points(image=flat[..., None], mask=flat, keypoints=xy - 0.5)
        return np.asarray(moved["keypoints"], np.float64).reshape(-1, 2) + 0.5, moved["mask"] > 0


def _run(chain: A.Compose, image: NDArray[np.generic], seed: int) -> NDArray[np.generic]:
    """Run a chain.

    Raises:
        ValueError: it changes the image's size or kind of number.
    """
    _seed_each(chain, seed)
    varied = np.asarray(chain(image=image)["image"])
    varied = varied.reshape(*varied.shape[:2], image.shape[2])
    if sorted(varied.shape) != sorted(image.shape) or varied.dtype != image.dtype:
        names = ", ".join(type(transform).__name__ for transform in chain.transforms)
        raise ValueError(
            f"augment.transforms must keep an image's size and kind of number, {names} make {varied.dtype} of "
            f"{varied.shape[:2]} from {image.dtype} of {image.shape[:2]}; look at their arguments"
        )
    return varied


def _seed_each(chain: A.Compose, seed: int) -> None:
    """Give every transform a seed of its own; `Compose.set_random_seed` gives all the same, so that all draw alike."""
    for place, transform in enumerate(chain.transforms):
        transform.set_random_seed(seed * MOST + place)


def _built(name: str, arguments: Mapping[str, Any]) -> A.BasicTransform:
    if not hasattr(A, name):
        raise ValueError(f"augment.transforms.{name} is not a transform of albumentations")
    try:
        transform = getattr(A, name)(strict=True, **arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"augment.transforms.{name}: {error}") from error
    if isinstance(transform, A.DualTransform) and name not in GEOMETRIC:
        raise ValueError(
            f"augment.transforms.{name} moves or removes pixels in a way that labels do not follow; "
            f"those that they follow are {', '.join(GEOMETRIC)}"
        )
    return transform


def _without_mirrors(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Leave a mirrored border out: it moves no point, and albumentations adds a point for every mirror image of one.

    What comes in from beyond the border is no part of the image, whatever the mask is filled with.
    """
    return {name: value for name, value in arguments.items() if name not in ("border_mode", "fill_mask")}

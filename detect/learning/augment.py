"""Augmentation over albumentations, the only module that imports it; for training alone."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for its newest version on import

import albumentations as A

GEOMETRIC = ("D4", "SquareSymmetry", "HorizontalFlip", "VerticalFlip", "Transpose", "Affine", "Perspective")


class Augment:
    """A seeded chain of albumentations transforms that moves pixels and points together.

    Args:
        transforms: name of a transform in albumentations -> its arguments, applied in order.

    Raises:
        ValueError: an unknown transform or argument.
    """

    def __init__(self, transforms: Mapping[str, Mapping[str, Any]]) -> None:
        self.transforms = {name: dict(arguments or {}) for name, arguments in transforms.items()}
        plain = {name: _without_mirrors(arguments) for name, arguments in self.transforms.items()}
        every = GEOMETRIC + tuple(self.transforms)
        self._chains = {True: _compose(self.transforms, every), False: _compose(self.transforms, GEOMETRIC)}
        self._point_chains = {True: _compose(plain, every), False: _compose(plain, GEOMETRIC)}

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
        ordinary = pixels.dtype == np.uint8 and pixels.shape[0] in (1, 3)
        image = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
        if image.dtype not in (np.uint8, np.float32):
            image = image.astype(np.float32)
        chain = self._chains[ordinary]
        chain.set_random_seed(seed)
        varied = chain(image=image)["image"]
        varied = varied.reshape(*varied.shape[:2], pixels.shape[0])
        points, mask = self._moved(image, np.asarray(xy, np.float64).reshape(-1, 2), valid, seed, ordinary)
        return np.ascontiguousarray(np.moveaxis(varied, -1, 0)).astype(pixels.dtype), points, mask

    def _moved(
        self,
        image: NDArray[np.generic],
        xy: NDArray[np.float64],
        valid: NDArray[np.bool_] | None,
        seed: int,
        ordinary: bool,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Move points and a mask as the same seed moves the pixels."""
        everything = np.ones(image.shape[:2], bool) if valid is None else valid
        if valid is None and not len(xy):
            return xy, everything
        chain = self._point_chains[ordinary]
        chain.set_random_seed(seed)
        moved = chain(image=image, mask=everything.astype(np.uint8), keypoints=xy - 0.5)
        return np.asarray(moved["keypoints"], np.float64).reshape(-1, 2) + 0.5, moved["mask"] > 0


def _without_mirrors(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Leave a mirrored border out: it moves no point, and albumentations adds a point for every mirror image of one."""
    return {name: value for name, value in arguments.items() if name != "border_mode"}


def _compose(transforms: Mapping[str, Mapping[str, Any]], allowed: Sequence[str]) -> A.Compose:
    chain = []
    for name, arguments in transforms.items():
        if not hasattr(A, name):
            raise ValueError(f"augment.transforms.{name} is not a transform of albumentations")
        try:
            transform = getattr(A, name)(strict=True, **arguments)
        except (TypeError, ValueError) as error:
            raise ValueError(f"augment.transforms.{name}: {error}") from error
        if name in allowed:
            chain.append(transform)
    return A.Compose(chain, keypoint_params=A.KeypointParams(format="xy", remove_invisible=False))

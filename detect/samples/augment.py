"""Augmentation over albumentations, the only module that imports it; for training alone."""

import copy
import difflib
import inspect
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for its newest version on import

import albumentations as A

from detect.samples.values.light import Light

if TYPE_CHECKING:
    from detect.samples.targets import Objects
    from detect.samples.values.exchange import Exchange
    from detect.samples.values.normalisation import ValueRange

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


COLOUR_TRANSFORMS = (
    "HueSaturationValue",
    "ColorJitter",
    "ISONoise",
    "RGBShift",
    "ChannelShuffle",
    "ChannelDropout",
    "ToGray",
)
"""Transforms that need three bands; they are left out for an image of one band."""


SEEDS_PER_SAMPLE = 64
"""Longest chain whose transforms' seeds differ from those of the next sample."""


PHOTOMETRIC_SEEDS = 1 << 48
"""Added to a sample's seed for the photometric transforms, so that they draw independently of the geometric ones."""


class Augment:
    """A seeded chain of albumentations transforms that moves pixels and points together.

    The geometric transforms come first, then the photometric ones, each in the order that they are given in.

    Args:
        transforms: name of a transform in albumentations -> its arguments.

    Attributes:
        light: changes the values of images that are no photographs; None changes none, since their range is not known.
        exchange: gives samples of any kind the statistics of other training images, before their light is varied; None
            for none.

    Raises:
        ValueError: an unknown transform or argument, or a transform whose effect on points is not known.
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
        self.light: Light | None = None
        self.exchange: Exchange | None = None
        self._of_light = photometric
        self._geometry = A.Compose([transform for name, transform in built.items() if name in GEOMETRIC])
        points = A.KeypointParams(format="xy", remove_invisible=False)
        self._points = A.Compose(plain, keypoint_params=points) if plain else None
        self._photometric = {
            3: A.Compose(list(photometric.values())),
            1: A.Compose([transform for name, transform in photometric.items() if name not in COLOUR_TRANSFORMS]),
        }

    def within(self, values: "ValueRange") -> "Augment":
        """Return the same chain for images whose values have a range, a number a band."""
        made = copy.copy(self)
        made.light = Light(self._of_light, values)
        return made

    def exchanging(self, exchange: "Exchange") -> "Augment":
        """Return the same chain with statistics exchanged between the training images, by their numbers."""
        made = copy.copy(self)
        made.exchange = exchange
        return made

    def __call__(
        self, pixels: NDArray[np.generic], xy: NDArray[np.floating], seed: int, image: int | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
        """Return an augmented image, with its points moved alike.

        Photometric transforms of albumentations are for photographs; any other image gets the geometric ones, and those
        of `light`.

        Args:
            pixels: (C, H, W).
            xy: (N, 2) points in pixels, pixel i spanning [i, i + 1).
            seed: the same seed gives the same result.
            image: number of the training image that it is from, for `exchange`; None exchanges nothing.

        Returns:
            The image in its dtype, and the N points in their order; a point may have left the image.
        """
        varied, points, _ = self.vary(pixels, xy, None, seed, image)
        return varied, points

    def vary(
        self,
        pixels: NDArray[np.generic],
        xy: NDArray[np.floating],
        valid: NDArray[np.bool_] | None,
        seed: int,
        image: int | None = None,
    ) -> tuple[NDArray[np.generic], NDArray[np.float64], NDArray[np.bool_]]:
        """Return an augmented image, with its points and a mask moved alike.

        Args:
            pixels: (C, H, W).
            xy: (N, 2) points in pixels, pixel i spanning [i, i + 1).
            valid: (H, W) mask of the pixels that belong to the image; None for all, which is faster without points.
            seed: the same seed gives the same result.
            image: number of the training image that it is from, for `exchange`; None exchanges nothing.

        Returns:
            The image in its dtype, the N points in their order, and the mask (H, W); pixels that were moved in from
            outside the image are False.
        """
        bands = pixels.shape[0]
        if self.exchange is not None and image is not None:
            pixels = self.exchange(pixels, image, seed)
        last = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
        if last.dtype not in (np.uint8, np.float32):
            last = last.astype(np.float32)
        varied = _run(self._geometry, last, seed)
        if is_photograph(pixels.dtype, bands):
            varied = _run(self._photometric[bands], varied, seed + PHOTOMETRIC_SEEDS)
        points, mask = self._moved(pixels.shape[1:], np.asarray(xy, np.float64).reshape(-1, 2), valid, seed)
        moved = np.ascontiguousarray(np.moveaxis(varied, -1, 0)).astype(pixels.dtype, copy=False)
        if self.light is not None and not is_photograph(pixels.dtype, bands):
            moved = self.light(moved, seed)
        return moved, points, mask

    def moved_mask(self, mask: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
        """Return a mask (H, W) moved as the same seed moves the pixels; False for what came from outside."""
        return self._moved(mask.shape, np.empty((0, 2)), mask, seed)[1]

    def _moved(
        self, shape: tuple[int, ...], xy: NDArray[np.float64], valid: NDArray[np.bool_] | None, seed: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return points and a mask, moved as the same seed moves the pixels."""
        everything = np.ones(shape, bool) if valid is None else valid
        if self._points is None or (valid is None and not len(xy)):
            return xy, everything
        _seed_each(self._points, seed)
        flat = everything.astype(np.uint8)
        moved = self._points(image=flat[..., None], mask=flat, keypoints=xy - 0.5)
        return np.asarray(moved["keypoints"], np.float64).reshape(-1, 2) + 0.5, moved["mask"] > 0


def is_photograph(dtype: DTypeLike, bands: int) -> bool:
    """Return whether images are photographs: 8 bits in 1 or 3 bands."""
    return np.dtype(dtype) == np.uint8 and bands in (1, 3)


def augmented_crop(
    pixels: NDArray[np.generic],
    objects: "Objects",
    valid: NDArray[np.bool_],
    augment: Augment,
    seed: int,
    image: int | None = None,
) -> tuple[NDArray[np.generic], "Objects", NDArray[np.bool_]]:
    """Return an augmented crop, with its objects and the mask of its valid pixels moved alike.

    A box is moved by the middles of its edges; its new sides are those of the ellipse that they span, so that quarter
    turns and mirrorings are exact and a round object keeps its size when it is turned. An ignored box becomes the box
    around its moved corners.

    Args:
        pixels: (C, H, W).
        objects: in pixels of the crop.
        valid: (H, W), which pixels belong to the image.
        augment: the transforms.
        seed: the same seed gives the same result.
        image: number of the training image that it is from, for an exchange of statistics.
    """
    number, ignored = len(objects.xy), objects.ignored
    points = [objects.xy]
    if objects.wh is not None:
        half = objects.wh / 2
        points += [objects.xy + half * (1, 0), objects.xy + half * (0, 1)]
    corners = ignored[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    pixels, moved, valid = augment.vary(pixels, np.concatenate([*points, corners]), valid, seed, image)
    xy, wh = moved[:number], None
    if objects.wh is not None:
        right, down = moved[number : 2 * number] - xy, moved[2 * number : 3 * number] - xy
        wh = 2 * np.hypot(right, down)
    if len(ignored):
        four = moved[len(moved) - len(corners) :].reshape(-1, 4, 2)
        ignored = np.concatenate([four.min(axis=1), four.max(axis=1)], axis=1)
    return pixels, replace(objects, xy=xy, wh=wh, ignored=ignored), valid


def _run(chain: A.Compose, image: NDArray[np.generic], seed: int) -> NDArray[np.generic]:
    """Return what a chain makes of an image (H, W, C).

    Raises:
        ValueError: the chain changes the image's size or dtype.
    """
    _seed_each(chain, seed)
    varied = np.asarray(chain(image=image)["image"])
    varied = varied.reshape(*varied.shape[:2], image.shape[2])
    if sorted(varied.shape) != sorted(image.shape) or varied.dtype != image.dtype:
        names = ", ".join(type(transform).__name__ for transform in chain.transforms)
        raise ValueError(
            f"augment.transforms must keep an image's size and dtype, {names} make {varied.dtype} of "
            f"{varied.shape[:2]} from {image.dtype} of {image.shape[:2]}; change their arguments or remove them"
        )
    return varied


def _seed_each(chain: A.Compose, seed: int) -> None:
    """Set a different seed on every transform; `Compose.set_random_seed` sets one for all, whose draws then agree."""
    for position, transform in enumerate(chain.transforms):
        transform.set_random_seed(seed * SEEDS_PER_SAMPLE + position)


def _built(name: str, arguments: Mapping[str, Any]) -> A.BasicTransform:
    """Return a transform of albumentations, checked."""
    transforms = _transforms()
    if name not in transforms:
        raise ValueError(f"augment.transforms.{name} is not a transform of albumentations{_near(name, transforms)}")
    kind = transforms[name]
    known = inspect.signature(kind).parameters
    for argument in arguments:
        if argument not in known:
            raise ValueError(
                f"augment.transforms.{name}.{argument}: no such argument{_near(argument, known)}; "
                f"{name} takes {', '.join(known)}"
            )
    try:
        transform: A.BasicTransform = kind(strict=True, **arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"augment.transforms.{name}: {error}") from error
    if isinstance(transform, A.DualTransform) and name not in GEOMETRIC:
        raise ValueError(
            f"augment.transforms.{name} moves or removes pixels, and cannot move labels with them here; "
            f"the geometric transforms are {', '.join(GEOMETRIC)}"
        )
    return transform


def _transforms() -> dict[str, type[A.BasicTransform]]:
    """Return albumentations' transforms by name: of all else that it has, such as what reads files, none is called."""
    return {
        name: kind for name, kind in vars(A).items() if isinstance(kind, type) and issubclass(kind, A.BasicTransform)
    }


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 2, 0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _without_mirrors(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a transform's arguments without its border, for points and masks.

    With a mirrored border albumentations adds a point for every mirror image of one; and pixels moved in from outside
    the image are not part of it, whatever the mask would be filled with.
    """
    return {name: value for name, value in arguments.items() if name not in ("border_mode", "fill_mask")}

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
from detect.samples.varying.photometry import Photometry
from detect.samples.varying.plane_maps import Geometry

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


_TRIED = np.zeros((48, 64, 3), np.uint8)
"""An image by which a transform is tried."""


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
        photometric = {name: transform for name, transform in built.items() if name not in GEOMETRIC}
        self.light: Light | None = None
        self.exchange: Exchange | None = None
        self._of_light = photometric
        self._geometry = Geometry(
            (name, _built(name, _without_mirrors(arguments)), built[name])
            for name, arguments in self.transforms.items()
            if name in GEOMETRIC
        )
        self._photometry = {
            3: Photometry(list(photometric.items())),
            1: Photometry([(name, each) for name, each in photometric.items() if name not in COLOUR_TRANSFORMS]),
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
        if self.exchange is not None and image is not None:
            pixels = self.exchange(pixels, image, seed)
        moves = self._geometry.moves(pixels.shape[1:], seed)
        varied: NDArray[Any] = pixels if pixels.dtype in (np.uint8, np.float32) else pixels.astype(np.float32)
        for move in moves:
            varied = move.planes(varied)
        varied = varied.astype(pixels.dtype, copy=False)
        if is_photograph(pixels.dtype, len(pixels)):
            varied = self._photometry[len(pixels)](np.asarray(varied, np.uint8), seed)
        elif self.light is not None:
            varied = self.light(varied, seed)
        points, mask = np.asarray(xy, np.float64).reshape(-1, 2), valid
        if mask is None:
            mask = np.ones(pixels.shape[1:], bool)
            moves = moves if len(points) else []
        for move in moves:
            points, mask = move.points(points), move.mask(mask)
        return varied, points, mask

    def moved_mask(self, mask: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
        """Return a mask (H, W) moved as the same seed moves the pixels; False for what came from outside."""
        for move in self._geometry.moves(mask.shape, seed):
            mask = move.mask(mask)
        return mask


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
    if name in GEOMETRIC and sorted(transform(image=_TRIED, force_apply=True)["image"].shape) != sorted(_TRIED.shape):
        raise ValueError(
            f"augment.transforms must keep an image's size, {name} does not; change its arguments or remove it"
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

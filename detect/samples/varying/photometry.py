"""The photometric transforms of photographs of 8 bits; what changes values alone becomes one table of values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detect.samples.varying.interleaved import interleaved, planes_of
from detect.samples.varying.plane_maps import SEEDS_PER_SAMPLE, check_number, drawn

if TYPE_CHECKING:
    from albumentations import BasicTransform

BY_VALUE = frozenset(("RandomBrightnessContrast", "RandomGamma", "InvertImg"))
"""Transforms that make one value of another, whatever its place and its band."""

SEEDS_APART = 1 << 48
"""Added to a sample's seed, so that these transforms draw independently of the geometric ones."""

VALUES = np.arange(256, dtype=np.uint8)
"""All values of 8 bits."""

Table = NDArray[np.uint8]
"""What each value of 8 bits becomes, (256,)."""


class Photometry:
    """A seeded chain of albumentations' transforms that change values and move no pixel.

    Args:
        transforms: with their names.

    Raises:
        ValueError: more of them than a sample has seeds.
    """

    def __init__(self, transforms: Sequence[tuple[str, "BasicTransform"]]) -> None:
        check_number([name for name, _ in transforms])
        self._transforms = list(transforms)

    def __call__(self, planes: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """Return a photograph (C, H, W) of one or three bands, varied.

        Raises:
            ValueError: a transform changes the image's size or dtype.
        """
        table: Table | None = None
        image: NDArray[np.uint8] | None = None
        for position, (name, transform) in enumerate(self._transforms):
            if not drawn(transform, (seed + SEEDS_APART) * SEEDS_PER_SAMPLE + position):
                continue
            if name in BY_VALUE and getattr(transform, "brightness_by_max", True):
                become = _table_of(transform)
                table = become if table is None else become[table]
                continue
            image = interleaved(planes) if image is None else image
            image = image if table is None else looked_up(image, table)
            shift = name == "HueSaturationValue" and len(planes) == 3
            table, image = None, _shifted(transform, image) if shift else _varied(name, transform, image)
        if table is not None:
            image = looked_up(interleaved(planes) if image is None else image, table)
        return planes if image is None else planes_of(image)


def looked_up(pixels: NDArray[np.uint8], table: Table) -> NDArray[np.uint8]:
    """Return pixels with every value replaced by that in a table (256,)."""
    import cv2

    flat = np.ascontiguousarray(pixels).reshape(1, -1)
    return np.asarray(cv2.LUT(flat, table), np.uint8).reshape(pixels.shape)


def _table_of(transform: "BasicTransform") -> Table:
    """Return what a transform that was drawn makes of every value."""
    ramp = VALUES.reshape(16, 16, 1)
    params = transform.update_transform_params(transform.get_params(), {"image": ramp})
    params.update(transform.get_params_dependent_on_data(params, {"image": ramp}))
    return np.asarray(transform.apply(ramp, **params), np.uint8).reshape(256)


def _shifted(transform: "BasicTransform", image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) with hue, saturation and value shifted, as drawn; what is grey stays so."""
    import cv2

    shift = transform.get_params()
    values = VALUES.astype(np.float64)
    hue = np.mod(values + shift["hue_shift"], 180).astype(np.uint8)
    saturation, value = (
        np.rint(values + shift[f"{name}_shift"]).clip(0, 255).astype(np.uint8) for name in ("sat", "val")
    )
    saturation[0] = 0
    tables = np.stack([hue, saturation, value], axis=1)[None]
    shifted = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), tables)
    return np.asarray(cv2.cvtColor(shifted, cv2.COLOR_HSV2RGB), np.uint8)


def _varied(name: str, transform: "BasicTransform", image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what a transform that was drawn makes of an image (H, W, C)."""
    varied = np.asarray(transform(image=image, force_apply=True)["image"])
    if varied.size != image.size or varied.dtype != image.dtype:
        raise ValueError(
            f"augment.transforms must keep an image's size and dtype, {name} makes {varied.dtype} of "
            f"{varied.shape[:2]} from {image.dtype} of {image.shape[:2]}; change its arguments or remove it"
        )
    return varied.reshape(image.shape)

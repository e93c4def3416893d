"""The photometric transforms of photographs of 8 bits; what changes values alone becomes one table of values."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detect.samples.varying.draws import Draws
from detect.samples.varying.interleaved import interleaved, planes_of

if TYPE_CHECKING:
    from albumentations import BasicTransform

VALUES = np.arange(256, dtype=np.uint8)
"""All values of 8 bits."""

RAMP = VALUES.reshape(16, 16, 1)
"""An image of them."""

BY_VALUE: dict[str, Callable[[dict[str, Any]], NDArray[np.floating]]] = {
    "RandomBrightnessContrast": lambda drawn: VALUES.astype(np.float32) * float(drawn["alpha"]) + float(drawn["beta"]),
    "RandomGamma": lambda drawn: np.arange(0, 256.0 / 255, 1.0 / 255) ** drawn["gamma"] * 255,
    "InvertImg": lambda _: 255.0 - VALUES,
}
"""What transforms that see neither a value's place nor its band make of each, before it is a whole number again."""

SEEDS_APART = 1 << 48
"""Added to a sample's seed, so that these transforms draw independently of the geometric ones."""

Table = NDArray[np.uint8]
"""What each value of 8 bits becomes, (256,)."""


class Photometry:
    """A seeded chain of albumentations' transforms that change values and move no pixel.

    Args:
        transforms: with their names.
    """

    def __init__(self, transforms: Sequence[tuple[str, "BasicTransform"]]) -> None:
        self._transforms = list(transforms)

    def __call__(self, planes: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        """Return a photograph (C, H, W) of one or three bands, varied.

        Raises:
            ValueError: a transform changes the image's size or dtype.
        """
        table: Table | None = None
        image: NDArray[np.uint8] | None = None
        draws = Draws(seed + SEEDS_APART)
        for name, transform in self._transforms:
            if not draws.applies(transform):
                continue
            if name in BY_VALUE and getattr(transform, "brightness_by_max", True):
                become = _table_of(name, transform)
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
    """Return pixels with every value replaced by that in a table (256,), several times as fast as by OpenCV.

    (StringZilla's, which comes with albumentations.)
    """
    from albucore.functions import sz_lut

    return np.asarray(sz_lut(np.ascontiguousarray(pixels), np.ascontiguousarray(table), inplace=False))


def _table_of(name: str, transform: "BasicTransform") -> Table:
    """Return what a transform that was drawn makes of every value."""
    params = transform.update_transform_params(transform.get_params(), {"image": RAMP})
    params.update(transform.get_params_dependent_on_data(params, {"image": RAMP}))
    return BY_VALUE[name](params).clip(0, 255).astype(np.uint8)


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
    planes = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
    tables = (hue, saturation, value)
    shifted = cv2.merge([looked_up(np.asarray(each), table) for each, table in zip(planes, tables, strict=True)])
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

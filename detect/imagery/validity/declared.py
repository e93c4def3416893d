"""What an image file says of its pixels that are not there: alpha, masks, and values that mean `no data`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags

from detect.imagery.description.shown import ShownImage
from detect.imagery.validity.sidecar import sidecar_of

GREATEST_MEASURED = 65_535
"""A value above this, or below 0, is no camera's: one band that has it as nodata is enough."""


@dataclass(frozen=True)
class Validity:
    """Where the pixels of an image file are said to be valid.

    Attributes:
        alpha: number of the band of opacity, None without one. A pixel of opacity 0 is not valid, one that is partly
            transparent is.
        mask: whether the file has a mask of all bands.
        masked_bands: bands with a mask of their own in the file.
        beside: the file of the mask beside the image.
        nodata: (band, value) of the values that mean `no data`.
    """

    alpha: int | None = None
    mask: bool = False
    masked_bands: tuple[int, ...] = ()
    beside: Path | None = None
    nodata: tuple[tuple[int, float], ...] = ()

    @property
    def declared(self) -> bool:
        """Whether the file says of any pixel that it may not be valid."""
        return self != ALL_VALID

    def beside_file(self, path: Path) -> "Validity":
        """Return the same of a file of the image at another place, the mask beside it with it."""
        return self if self.beside is None else replace(self, beside=path.with_name(self.beside.name))


ALL_VALID = Validity()
"""Of a file that says nothing of pixels that are not there."""


def declared_validity(source: ShownImage, path: Path) -> Validity:
    """Return what an open image, and a mask beside it, say of its pixels.

    Args:
        source: the image, opened without the files beside it, since GDAL would take any of its formats
            for a mask.
        path: its file.

    Raises:
        SceneError: the mask beside the image is not a GeoTIFF of its size.
    """
    beside = sidecar_of(path, source.stored.shape)
    colours = zip(source.indexes, source.colorinterp, strict=True)
    alphas = [band for band, colour in colours if colour is ColorInterp.alpha]
    flags = dict(zip(source.indexes, source.mask_flag_enums, strict=True))
    masked = [band for band in source.indexes if _has_mask(flags[band])]
    shared = bool(masked) and MaskFlags.per_dataset in flags[masked[0]]
    nodata = [
        (band, float(value))
        for band, value, dtype in zip(source.indexes, source.nodatavals, source.dtypes, strict=True)
        if value is not None and _representable(float(value), np.dtype(dtype))
    ]
    return Validity(alphas[0] if alphas else None, shared, () if shared else tuple(masked), beside, tuple(nodata))


def _has_mask(flags: Sequence[MaskFlags]) -> bool:
    """Return whether a band's mask is pixels in the file, not made of alpha or of one band's nodata."""
    if MaskFlags.all_valid in flags or MaskFlags.alpha in flags:
        return False
    return MaskFlags.nodata not in flags or MaskFlags.per_dataset in flags


def _representable(value: float, dtype: np.dtype[Any]) -> bool:
    """Return whether a pixel of a type can have a value at all."""
    if dtype.kind == "f":
        return True
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    return limits is not None and value == np.rint(value) and limits.min <= value <= limits.max


def with_data(
    pixels: NDArray[np.generic], bands: Sequence[int], nodata: Sequence[tuple[int, float]]
) -> NDArray[np.bool_] | None:
    """Mark the pixels that hold data, by their values.

    NaN in any of the bands is no data. So is a declared value in any of them where no camera measures it: below 0,
    above `GREATEST_MEASURED`, or infinite. Another one (0, 255, 65535) may be a dark or a bright pixel's in one band:
    there a pixel holds no data where every band that is read has the value declared for it.

    Args:
        pixels: (C, H, W).
        bands: their C numbers.
        nodata: (band, value) as declared.

    Returns:
        (H, W), or None where all of them do.

    Raises:
        ValueError: infinite values that are not declared.
    """
    values = dict(nodata)
    known = [np.asarray(values[band]).astype(pixels.dtype) if band in values else None for band in bands]
    empty = np.zeros(pixels.shape[1:], np.bool_)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        infinite = np.isinf(pixels)
        for i, value in enumerate(known):
            if value is not None and np.isinf(value):
                infinite[i] &= pixels[i] != value
        if infinite.any():
            raise ValueError("pixels are infinite; declare them as nodata, or fill them, as gdal_fillnodata does")
        empty |= np.isnan(pixels).any(axis=0)
    for plane, value in zip(pixels, known, strict=True):
        if value is not None and not 0 <= value <= GREATEST_MEASURED:
            empty |= plane == value
    if known and all(value is not None and 0 <= value <= GREATEST_MEASURED for value in known):
        empty |= np.logical_and.reduce([plane == value for plane, value in zip(pixels, known, strict=True)])
    return ~empty if empty.any() else None

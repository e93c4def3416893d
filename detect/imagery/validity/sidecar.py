"""Masks beside images: `photo.jpg.msk`, a GeoTIFF of one band whose pixels of 0 are not valid.

Format: https://gdal.org/en/stable/development/rfc/rfc15_nodatabitmask.html. GDAL opens such a file by any of its
drivers, and with all that it names; here it is opened as a GeoTIFF, or not at all.
"""

import os
from pathlib import Path
from typing import Any

from detect.imagery.claims import check_claim
from detect.imagery.gdal.drivers import SceneError, driver_of, image_errors, open_with

ENDINGS = (".msk", ".MSK")
"""What is added to an image's name."""


def sidecar_of(path: Path, shape: tuple[int, int]) -> Path | None:
    """Return the file of the mask beside an image of `shape` (height, width), None where there is none.

    Raises:
        SceneError: it is no GeoTIFF of one band and of the image's size.
    """
    for beside in beside_of(path):
        open_sidecar(beside, shape).close()
        return beside
    return None


def beside_of(path: Path) -> list[Path]:
    """Return what has the name of an image's mask, whatever it is; the first one is used."""
    whole = str(path)
    return [Path(whole + ending) for ending in ENDINGS if os.path.lexists(whole + ending)][:1]


def open_sidecar(beside: Path, shape: tuple[int, int]) -> Any:
    """Open a mask beside an image of `shape` (height, width) as a rasterio dataset.

    Raises:
        SceneError: it is no GeoTIFF of one band and of the image's size.
    """
    try:
        driver = driver_of(beside)
        if driver != "GTiff":
            raise SceneError(f"it must be a GeoTIFF and is {driver}")
        with image_errors(beside):
            source = open_with(beside, driver)
        check_claim(beside, source.shape, driver, beside.stat().st_size)
        wrong = _wrong(source, shape)
        if wrong is None:
            return source
        source.close()
        raise SceneError(wrong)
    except SceneError as error:
        raise SceneError(
            f"{beside}: the mask beside the image cannot be used ({error}); mend it, or remove it to count all pixels"
        ) from error


def _wrong(source: Any, shape: tuple[int, int]) -> str | None:
    """Return what of a mask does not fit its image."""
    if source.shape != shape:
        return f"it is {source.width} x {source.height} pixels, the image {shape[1]} x {shape[0]}"
    if source.count != 1 or source.dtypes[0] != "uint8":
        return f"it has {source.count} bands of {source.dtypes[0]}, and one of uint8 is needed"
    return None

"""Datasets of GDAL: this program's own, and images of others as a viewer shows them."""

from pathlib import Path
from typing import Any

import rasterio

from detect.imagery.description.shown import ShownImage
from detect.imagery.gdal.drivers import MOSAIC, driver_of, no_georeference_needed, open_with
from detect.imagery.mosaics import MosaicRule, mosaic_bytes, plain_mosaic


def open_dataset(path: Path, mode: str = "r", **profile: Any) -> Any:
    """Open a rasterio dataset of this program's own, without the warning that it has no georeference."""
    with no_georeference_needed():
        return rasterio.open(path, mode, **profile)


def open_image(path: Path, rule: MosaicRule, driver: str | None = None) -> ShownImage:
    """Open an image of others as a viewer shows it: by the driver of what it is, and nothing that it names.

    Args:
        path: the image.
        rule: which VRTs are opened.
        driver: what `driver_of` says of it, where it was asked already; a file that is another one now is an error.

    Raises:
        SceneError: no file, not an image, or a VRT that the rule refuses.
    """
    driver = driver or driver_of(path)
    target = path if driver != MOSAIC or rule.trusts(driver) else plain_mosaic(path, rule)
    return ShownImage(path, open_with(target, driver))


def bytes_of(path: Path, driver: str, rule: MosaicRule) -> int | None:
    """Return the bytes in which an image's pixels are: its own, or those of a VRT's files; None of a trusted VRT."""
    if rule.trusts(driver):
        return None
    return mosaic_bytes(path, rule) if driver == MOSAIC else path.stat().st_size

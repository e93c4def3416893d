"""Colours that are no plain numbers: palettes and grey of few bits made plain, other spaces refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.gdal.drivers import SceneError

BY_PALETTE = "palette"
"""rasterio's name of a band whose values are places in a table of colours."""

OTHER_SPACES = {
    "cyan": "CMYK",
    "magenta": "CMYK",
    "hue": "HSL",
    "saturation": "HSL",
    "lightness": "HSL",
    "Y": "YCbCr",
    "Cb": "YCbCr",
    "Cr": "YCbCr",
}
"""Spaces of colour by rasterio's name of one of their bands, where GDAL does not convert them."""

PRINTED = ("CMYK", "YCCK", "CIELAB", "ICCLAB", "ITULAB")
"""Names that GDAL gives to spaces of colour that it converts by a formula without regard to inks and light."""

PHOTOMETRIC = {8: "CIELAB", 9: "ICCLAB", 10: "ITULAB", 32803: "raw colour filter", 32844: "LogL", 32845: "LogLuv"}
"""Names of the numbers of TIFF's PhotometricInterpretation whose pixels are no plain brightness."""


def check_colours(path: Path, source: Any, photometric: int | None) -> None:
    """Check that the numbers of an image are brightness, or can be made so without loss.

    Args:
        path: the image.
        source: its rasterio dataset.
        photometric: TIFF's PhotometricInterpretation, None of other formats.

    Raises:
        SceneError: its pixels are complex, or its colours are of another space than red, green and blue.
    """
    if any(dtype.startswith("complex") for dtype in source.dtypes):
        raise SceneError(f"{path}: its pixels are complex numbers; take their amplitude first, with gdal_calc or numpy")
    stated = source.tags(ns="IMAGE_STRUCTURE").get("SOURCE_COLOR_SPACE", "")
    found = (
        [stated] if stated in PRINTED else [OTHER_SPACES[c.name] for c in source.colorinterp if c.name in OTHER_SPACES]
    )
    if photometric in PHOTOMETRIC:
        found.append(PHOTOMETRIC[photometric])
    if found:
        raise SceneError(
            f"{path}: its colours are {found[0]}, which has no one way to red, green and blue; convert it to RGB with "
            "a program that knows the file's colour profile (magick in.tif -colorspace sRGB out.png)"
        )
    if len(source.colorinterp) > 1 and source.driver != "GIF" and _palette(source):
        raise SceneError(f"{path}: a palette of colours beside other bands; convert the image to RGB first")
    if len(source.colorinterp) > 1 and _bits(source) < 8:
        raise SceneError(f"{path}: {len(source.colorinterp)} bands of {_bits(source)} bits; convert it to 8 bits first")


def _palette(source: Any) -> bool:
    return any(each.name == BY_PALETTE for each in source.colorinterp)


def _bits(source: Any) -> int:
    """Return the bits of a value of the first band, where they are fewer than its type has, else 8 or more."""
    text = source.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", "")
    return int(text) if text.isdecimal() and len(text) < 3 else 8 * np.dtype(source.dtypes[0]).itemsize


def colour_table(source: Any) -> NDArray[np.generic] | None:
    """Return what each value of an image's one stored band means, as viewers show it.

    Format: PNG, GIF, BMP and TIFF 6.0 palettes; grey of 1, 2 or 4 bits is spread over 0 to 255; grey of TIFF that
    counts down from white is turned round.

    Args:
        source: a rasterio dataset whose colours were checked, or will be.

    Returns:
        (bands, values): grey (1), red, green and blue (3), or either with transparency as the last (2, 4), of 8 bits
        (turned grey is of the band's type). None of an image whose values are brightness.
    """
    several = source.count > 1 and source.driver != "GIF"
    if several or source.dtypes[0] not in ("uint8", "uint16"):
        return None
    if source.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES" and _bits(source) >= 8:
        most = 2 ** _bits(source) - 1
        return np.arange(most, -1, -1, dtype=source.dtypes[0])[None]
    if _palette(source):
        return _from_palette(source)
    bits = _bits(source)
    if bits >= 8:
        return None
    values = np.minimum(np.arange(256) * 255 // (2**bits - 1), 255).astype(np.uint8)
    return values[None]


def _from_palette(source: Any) -> NDArray[np.uint8]:
    """Return the table of a palette; values beyond it are black, as viewers show them."""
    table = np.zeros((4, np.iinfo(source.dtypes[0]).max + 1), np.uint8)
    table[3] = 255
    for value, colour in source.colormap(1).items():
        table[:, value] = colour
    if source.nodata is not None and 0 <= source.nodata < table.shape[1]:
        table[3, int(source.nodata)] = 0
    grey = bool((table[0] == table[1]).all() and (table[1] == table[2]).all())
    opaque = bool((table[3] == 255).all())
    return table[[*([0] if grey else [0, 1, 2]), *([] if opaque else [3])]]

"""Colours: of the classes, of probabilities, and of image bands turned into a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detect.imagery.scenes import display_bands

Colour = tuple[int, int, int]
"""Red, green and blue from 0 to 255."""

Span = tuple[float, float] | None
"""The values of a band that become black and white; None of bytes, which stay as they are."""


PALETTE: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (204, 121, 167),
    (240, 228, 66),
    (0, 158, 115),
    (213, 94, 0),
    (255, 255, 255),
    (0, 114, 178),
)
"""Colours that differ for people with any colour vision (Okabe and Ito 2008, with white for black)."""


DARK: Colour = (12, 14, 18)
"""The outline of every bright mark, which keeps it visible on a bright background."""


HATCH: tuple[Colour, Colour] = ((238, 238, 238), (214, 214, 214))
"""The ground and the stripes of what is not there."""

HATCH_PX = 12
"""Distance of the stripes along a row, in pixels."""


def class_colours(classes: Sequence[str]) -> dict[str, Colour]:
    """Return the colour of each class, by position; colours repeat after `len(PALETTE)` classes."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(classes)}


def probability_colours(probability: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colour probabilities with matplotlib's `inferno`: perceptually uniform, dark to bright in grey print too.

    Args:
        probability: (H, W) in [0, 1].

    Returns:
        (H, W, 3) uint8.
    """
    from matplotlib import colormaps

    return np.asarray(colormaps["inferno"](probability, bytes=True)[..., :3], np.uint8)


def to_display(
    pixels: NDArray[np.generic],
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    spans: Sequence[Span] | None = None,
) -> NDArray[np.uint8]:
    """Make a picture of the bands of an image.

    Bytes stay as they are. Other types are stretched, band by band, so that the 1st and 99th percentile of the band's
    values become black and white; a band of one value becomes middle grey. NaN, infinity and `nodata` become black.
    What is masked is in no percentile, and is drawn hatched (`hatch`).

    Args:
        pixels: (C, H, W), any real type; a masked array where pixels are not valid.
        bands: one (grey) or three (red, green, blue) band numbers from 1; by default 1, 2, 3, or 1 of fewer than three.
        nodata: the value of pixels without data.
        spans: of each chosen band, what becomes black and white, where that is known of a larger image (`span_of`).

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: `pixels` is not (C, H, W), or the bands are not one or three of its bands.
    """
    import cv2

    if pixels.ndim != 3 or not pixels.size:
        raise ValueError(f"pixels must be (bands, height, width) and not empty, got shape {pixels.shape}")
    chosen = tuple(bands) if bands is not None else display_bands(len(pixels))
    if len(chosen) not in (1, 3) or not all(1 <= band <= len(pixels) for band in chosen):
        raise ValueError(f"bands must be one or three numbers in [1, {len(pixels)}], got {list(chosen)}")
    masked = np.ma.getmask(pixels)
    gone = np.logical_or.reduce(masked) if isinstance(masked, np.ndarray) else None
    data = np.ma.getdata(pixels)
    planes = [
        _to_bytes(data[band - 1], nodata, gone, None if spans is None else spans[i]) for i, band in enumerate(chosen)
    ]
    picture = np.asarray(cv2.merge([np.ascontiguousarray(plane) for plane in planes * (3 // len(planes))]), np.uint8)
    if gone is not None:
        picture[gone] = hatch(gone.shape)[gone]
    return picture


def hatch(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw what stands for pixels that are not there: pale grey with slanted stripes, (H, W, 3) of a shape (H, W)."""
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    return np.where(((rows + cols) % HATCH_PX < HATCH_PX // 4)[..., None], HATCH[1], HATCH[0]).astype(np.uint8)


def span_of(values: NDArray[np.generic], nodata: float | None = None) -> Span:
    """Return what becomes black and white of a band's values, NaN, infinity and `nodata` left out; None of bytes.

    They are the 1st and 99th percentile, of a band of few values the least and the greatest.

    Args:
        values: of any shape and real type.
        nodata: the value of pixels without data.
    """
    if values.dtype == np.uint8:
        return None
    known = values.astype(np.float64).ravel()
    known = known[_with_data(known, nodata)]
    if not known.size:
        return 0.0, 0.0
    low, high = (float(each) for each in np.percentile(known, (1, 99)))
    return (low, high) if low < high else (float(known.min()), float(known.max()))


def _with_data(values: NDArray[np.float64], nodata: float | None) -> NDArray[np.bool_]:
    """Mark the values that are numbers and not `nodata`."""
    valid = np.isfinite(values)
    return valid if nodata is None else valid & (values != nodata)


def _to_bytes(
    plane: NDArray[np.generic], nodata: float | None, gone: NDArray[np.bool_] | None, span: Span
) -> NDArray[np.uint8]:
    """Return one band (H, W) as uint8; see `to_display`."""
    if plane.dtype == np.uint8:
        return np.asarray(plane, np.uint8)
    values = plane.astype(np.float64)
    valid = _with_data(values, nodata)
    if gone is not None:
        valid &= ~gone
    if not valid.any():
        return np.zeros(plane.shape, np.uint8)
    low, high = span or span_of(values[valid]) or (0.0, 0.0)
    if low == high:
        return np.where(valid, 128, 0).astype(np.uint8)
    stretched = (np.clip(values, low, high, where=valid, out=np.full_like(values, low)) - low) / (high - low)
    return np.round(stretched * 255).astype(np.uint8)

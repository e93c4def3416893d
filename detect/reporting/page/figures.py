"""Figures of one image for the page: thumbnail, heatmap and overlay, reduced and embedded in the page."""

import base64
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detect.imagery.files import check_regular, read_regular
from detect.imagery.maps.map_reading import read_heat
from detect.reporting.output.layout import HEATMAPS, OVERLAYS
from detect.reporting.output.predictions import Predictions
from detect.reporting.pictures.overlays import heat_picture

MAX_THUMBNAIL_SIDE = 320
"""Longest side in pixels of the thumbnail and of the heatmap."""


MAX_OVERLAY_SIDE = 900
"""Longest side in pixels of the overlay."""


JPEG_QUALITY = 80
"""Quality, from 1 to 95, of the pictures in the page."""


MAX_PICTURE_BYTES = 64 << 20
"""Most bytes of a picture that is read; `MAX_PREVIEW_SIDE` bounds those that a run writes."""


MAX_PICTURE_PIXELS = 1 << 24
"""Most pixels of it, three times those of the largest that a run writes."""


START_OF_SCAN, MAX_SCANS = b"\xff\xda", 24
"""The mark of a scan in a JPEG, and the most scans: each is decoded over all pixels, a hostile file has thousands."""


MAX_HEATMAP_BYTES = 1 << 40
"""Most bytes of a heatmap, of which an overview is read."""


MAX_RIM_CELLS = 2.0
"""Most cells by which an image begins beside its heatmap, or is wider or higher."""


DECODING_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError),
    *(struct.error, Image.DecompressionBombError),
)
"""What Pillow and GDAL raise for damaged files."""


@dataclass
class Figures:
    """The pictures of one image as `data:` addresses, None for a missing one, and why it is missing.

    Attributes:
        thumbnail: the image itself.
        heat: its heatmap, over the image where that could be read.
        overlay: the image with the detections drawn on it.
        missing: a sentence about each missing picture.
    """

    thumbnail: str | None = None
    heat: str | None = None
    overlay: str | None = None
    missing: list[str] = field(default_factory=list)


def draw_figures(predictions: Predictions, image: str) -> Figures:
    """Make the pictures of one image; one that cannot be made is listed as missing, and the others are still made.

    One that the run was not asked for, and that is not there, is left out without a word.

    Only files inside the predictions folder are read: not the image itself, which `run.json` names, nor what a link
    leads to. They are checked before they are decoded.

    Args:
        predictions: the predictions of the run.
        image: a name from its table of counts.
    """
    figures, paths, folder = Figures(), predictions.paths, predictions.folder
    heatmap, overlay, small, _ = paths.pictures(image)
    asked = _asked_for(predictions)
    preview = None
    try:
        preview = _read_reduced(small, folder, MAX_THUMBNAIL_SIDE)
        figures.thumbnail = data_address(preview)
    except DECODING_ERRORS as error:
        figures.missing.append(_reason("small picture of the image", small, folder, error))
    if HEATMAPS in asked or os.path.lexists(heatmap):
        try:
            check_regular(heatmap, MAX_HEATMAP_BYTES, folder)
            figures.heat = data_address(_draw_heatmap(heatmap, None if preview is None else np.asarray(preview)))
        except DECODING_ERRORS as error:
            figures.missing.append(_reason("heatmap", heatmap, folder, error))
    if OVERLAYS in asked or os.path.lexists(overlay):
        try:
            figures.overlay = data_address(_read_reduced(overlay, folder, MAX_OVERLAY_SIDE))
        except DECODING_ERRORS as error:
            figures.missing.append(_reason("overlay", overlay, folder, error))
    return figures


def small_picture(predictions: Predictions, image: str) -> str | None:
    """Return the small picture of an image as a `data:` address; None where it is missing or cannot be read.

    Args:
        predictions: the predictions of the run.
        image: a name from its table of counts.
    """
    try:
        return data_address(_read_reduced(predictions.paths.thumbnail(image), predictions.folder, MAX_THUMBNAIL_SIDE))
    except DECODING_ERRORS:
        return None


def _asked_for(predictions: Predictions) -> Sequence[Any]:
    """Return what the run was asked for; both kinds of pictures where its facts do not say it."""
    settings = predictions.run.get("settings")
    asked = settings.get("write") if isinstance(settings, dict) else None
    return asked if isinstance(asked, list) else (HEATMAPS, OVERLAYS)


def data_address(picture: Image.Image) -> str:
    """Return a picture as a `data:` address of a JPEG, with which the page needs no other file."""
    buffer = BytesIO()
    picture.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _read_reduced(path: Path, folder: Path, longest_side: int) -> Image.Image:
    """Read a JPEG of the predictions folder as RGB, reduced to a longest side in pixels; its size is checked first."""
    data = read_regular(path, MAX_PICTURE_BYTES, folder)
    with Image.open(BytesIO(data), formats=("JPEG",)) as picture:
        pixels, scans = picture.width * picture.height, data.count(START_OF_SCAN)
        if pixels > MAX_PICTURE_PIXELS or scans > MAX_SCANS:
            raise ValueError(
                f"{path}: {picture.width} x {picture.height} pixels in {scans} scans, and {MAX_PICTURE_PIXELS:,} in "
                f"{MAX_SCANS} scans are the most that is read"
            )
        picture.draft("RGB", (longest_side, longest_side))
        small = picture.convert("RGB")
    small.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    return small


def _draw_heatmap(path: Path, preview: NDArray[np.uint8] | None) -> Image.Image:
    """Draw a heatmap over a preview of its image.

    Args:
        path: the heatmap file; its tags `stride`, `offset` and `size` are in file pixels, for x and y or for both.
        preview: (H, W, 3) of the whole image, None where there is none.

    Raises:
        ValueError: the tags do not fit the size of the map.
    """
    heat = read_heat(path, MAX_THUMBNAIL_SIDE)
    if preview is None or not {"stride", "offset"} <= set(heat.tags):
        return heat_picture(heat.total[None], preview)
    strides, offsets = (_pair(path, heat.tags, name) for name in ("stride", "offset"))
    cells_xy = heat.cells[::-1]
    size = _pair(path, heat.tags, "size") if "size" in heat.tags else np.array(cells_xy) * strides
    starts, spans = 0.5 - offsets / strides, size / strides
    if not (np.abs(starts) <= MAX_RIM_CELLS).all() or not (np.abs(spans - cells_xy) <= MAX_RIM_CELLS).all():
        raise ValueError(f"{path}: its tags {dict(heat.tags)} do not fit a map of {cells_xy[0]} x {cells_xy[1]} cells")
    reduced = np.array(heat.total.shape[::-1]) / cells_xy
    x1, y1, x2, y2 = np.concatenate([starts * reduced, (starts + spans) * reduced]).tolist()
    return heat_picture(heat.total[None], preview, (x1, y1, x2, y2))


def _pair(path: Path, tags: Mapping[str, str], name: str) -> NDArray[np.float64]:
    """Return a tag of one or two finite numbers, for x and y, that is positive but for the offset."""
    numbers = np.array([float(part) for part in tags[name].split()[:3]])
    if len(numbers) not in (1, 2) or not np.isfinite(numbers).all() or (name != "offset" and (numbers <= 0).any()):
        raise ValueError(f"{path}: its tag {name} must be one or two numbers above 0, got {tags[name][:40]!r}")
    return np.array([numbers[0], numbers[-1]])


def _reason(what: str, path: Path, folder: Path, error: Exception) -> str:
    """Return a sentence on why a picture is not in the page."""
    name = path.relative_to(folder).as_posix()
    if isinstance(error, FileNotFoundError):
        return f"There is no {what}: {name} is missing."
    return f"The {what} {name} could not be read ({error})."

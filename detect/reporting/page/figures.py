"""Figures of one image for the page: thumbnail, heatmap and overlay, reduced and embedded in the page."""

import base64
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detect.imagery.maps import read_preview, read_tags
from detect.imagery.scenes import open_scene
from detect.reporting.output.predictions import Predictions
from detect.reporting.pictures.overlays import display_preview, heat_picture

MAX_THUMBNAIL_SIDE = 320
"""Longest side in pixels of the thumbnail and of the heatmap."""


MAX_OVERLAY_SIDE = 900
"""Longest side in pixels of the overlay."""


JPEG_QUALITY = 80
"""Quality, from 1 to 95, of the pictures in the page."""


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

    Args:
        predictions: the predictions of the run.
        image: a name from its table of counts.
    """
    figures = Figures()
    source = predictions.source(image)
    small = predictions.paths.thumbnail(image)
    preview = None
    try:
        if source is None:
            figures.missing.append("The run did not say where the image lies, so it is not shown by itself.")
        elif small.is_file():
            preview = np.asarray(_read_reduced(small, MAX_THUMBNAIL_SIDE))
        else:
            preview = display_preview(source, MAX_THUMBNAIL_SIDE)
    except OSError as error:
        figures.missing.append(f"The image could not be read ({error}).")
    if preview is not None:
        figures.thumbnail = data_address(Image.fromarray(preview))
    heatmap = predictions.paths.heatmap(image)
    try:
        figures.heat = data_address(_draw_heatmap(heatmap, source if preview is not None else None, preview))
    except OSError as error:
        figures.missing.append(_reason("heatmap", heatmap, predictions.folder, error))
    overlay = predictions.paths.overlay(image)
    try:
        figures.overlay = data_address(_read_reduced(overlay, MAX_OVERLAY_SIDE))
    except OSError as error:
        figures.missing.append(_reason("overlay", overlay, predictions.folder, error))
    return figures


def data_address(picture: Image.Image) -> str:
    """Return a picture as a `data:` address of a JPEG, with which the page needs no other file."""
    buffer = BytesIO()
    picture.save(buffer, format="JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _read_reduced(path: Path, longest_side: int) -> Image.Image:
    """Read a picture as RGB, reduced to a longest side in pixels."""
    with Image.open(path) as picture:
        picture.draft("RGB", (longest_side, longest_side))
        small = picture.convert("RGB")
    small.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    return small


def _draw_heatmap(path: Path, source: Path | None, preview: NDArray[np.uint8] | None) -> Image.Image:
    """Draw a heatmap over a preview of its image.

    Args:
        path: the heatmap file; its tags `stride` and `offset` are in file pixels, x and y or one number for both.
        source: the image file, None where it is not known or could not be read.
        preview: (H, W, 3) of the whole image, None where there is none.
    """
    raster = open_scene(path)
    heatmap = read_preview(path, MAX_THUMBNAIL_SIDE, range(1, raster.bands + 1)).astype(np.float32)
    tags = read_tags(path)
    if source is None or not {"stride", "offset"} <= set(tags):
        return heat_picture(heatmap, preview)
    strides, offsets = ([float(part) for part in tags[name].split()] for name in ("stride", "offset"))
    start = 0.5 - offsets[0] / strides[0]
    height, width = open_scene(source).shape
    down, across = (reduced / cells for reduced, cells in zip(heatmap.shape[1:], raster.shape, strict=True))
    right, bottom = start + width / strides[0], start + height / strides[-1]
    span_xyxy = (start * across, start * down, right * across, bottom * down)
    return heat_picture(heatmap, preview, span_xyxy)


def _reason(what: str, path: Path, folder: Path, error: OSError) -> str:
    """Return a sentence on why a picture is not in the page."""
    name = path.relative_to(folder).as_posix()
    return (
        f"There is no {what}: {name} is missing."
        if not path.is_file()
        else f"The {what} {name} could not be read ({error})."
    )

"""Figures of one image for the page: thumbnail, heatmap and overlay, small, inside the page itself."""

import base64
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detect.imagery.maps import read_preview, read_tags
from detect.imagery.scenes import open_scene
from detect.reporting.output.predictions import Predictions, heatmap_path, overlay_path, thumbnail_path
from detect.reporting.pictures.overlays import display_preview, heat_picture

THUMBNAIL, OVERLAY, QUALITY = 320, 900, 80
"""Longest side in pixels of the small pictures and of the overlay, and the JPEG quality of all."""


@dataclass
class Figures:
    """The pictures of one image as `data:` addresses, None where there is none, and why.

    Attributes:
        thumbnail: the image itself.
        heat: its heatmap, over the image where that could be read.
        overlay: the image with the detections drawn on it.
        missing: a sentence about each picture that is not there.
    """

    thumbnail: str | None = None
    heat: str | None = None
    overlay: str | None = None
    missing: list[str] = field(default_factory=list)


def draw_figures(predictions: Predictions, image: str) -> Figures:
    """Make the pictures of one image; one that cannot be made is said to be missing, and the rest go on.

    Args:
        predictions: of the run.
        image: a name from its table of counts.
    """
    figures = Figures()
    pixels = None
    source = predictions.source(image)
    try:
        if source is None:
            figures.missing.append("The run did not say where the image lies, so it is not shown by itself.")
        else:
            small = thumbnail_path(predictions.folder, image)
            pixels = np.asarray(_shrunk(small, THUMBNAIL)) if small.is_file() else display_preview(source, THUMBNAIL)
            figures.thumbnail = data_address(Image.fromarray(pixels))
    except OSError as error:
        figures.missing.append(f"The image could not be read ({error}).")
    heatmap = heatmap_path(predictions.folder, image)
    try:
        figures.heat = data_address(_heat(heatmap, source if pixels is not None else None, pixels))
    except OSError as error:
        figures.missing.append(_reason("heatmap", heatmap, predictions.folder, error))
    overlay = overlay_path(predictions.folder, image)
    try:
        figures.overlay = data_address(_shrunk(overlay, OVERLAY))
    except OSError as error:
        figures.missing.append(_reason("overlay", overlay, predictions.folder, error))
    return figures


def data_address(picture: Image.Image) -> str:
    """Write a picture as a `data:` address of a JPEG, so that the page needs no other file."""
    buffer = BytesIO()
    picture.save(buffer, format="JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _shrunk(path: Path, longest_side: int) -> Image.Image:
    with Image.open(path) as picture:
        picture.draft("RGB", (longest_side, longest_side))
        small = picture.convert("RGB")
    small.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    return small


def _heat(path: Path, source: Path | None, pixels: NDArray[np.uint8] | None) -> Image.Image:
    scene = open_scene(path)
    heatmap = read_preview(path, THUMBNAIL, range(1, scene.bands + 1)).astype(np.float32)
    tags = read_tags(path)
    if source is None or not {"stride", "offset"} <= set(tags):
        return heat_picture(heatmap, pixels)
    strides, offsets = ([float(part) for part in tags[name].split()] for name in ("stride", "offset"))
    start = 0.5 - offsets[0] / strides[0]
    height, width = open_scene(source).shape
    down, across = (shown / cells for shown, cells in zip(heatmap.shape[1:], scene.shape, strict=True))
    right, low = start + width / strides[0], start + height / strides[-1]
    span = (start * across, start * down, right * across, low * down)
    return heat_picture(heatmap, pixels, span)


def _reason(what: str, path: Path, folder: Path, error: OSError) -> str:
    name = path.relative_to(folder).as_posix()
    return (
        f"There is no {what}: {name} is missing."
        if not path.is_file()
        else f"The {what} {name} could not be read ({error})."
    )

"""Pictures of what a network sees: maps over the photograph, sheets of channels and patches, receptive fields."""

import math
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from detect.explaining.attribution import Attribution
from detect.reporting.pictures.captions import INK, PAPER, caption_font, shorten
from detect.reporting.pictures.colours import DARK, PALETTE, probability_colours
from detect.reporting.pictures.overlays import heat_picture

BRIGHT_SHARE = 99.7
"""Percentile of a map's values that has the brightest colour: a few pixels hold the greatest."""

MOST_COVER = 0.75
"""How far the brightest colour covers the photograph that a map is laid on."""

LEAST_SIDE = 384
"""Sides of pictures are this many pixels at least: smaller windows are enlarged by a whole factor."""

SHEET_SIDE = 1200
"""Side in pixels that a sheet of channels has about."""

GAP = 2
"""Pixels between the channels of a sheet."""

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of a window."""


def enlarged_by(height: int, width: int) -> int:
    """Return the whole factor by which a window is enlarged for its picture."""
    return max(1, math.ceil(LEAST_SIDE / max(height, width)))


def enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) enlarged for the eye, every pixel to a square."""
    factor = enlarged_by(*pixels.shape[:2])
    return np.repeat(np.repeat(pixels, factor, axis=0), factor, axis=1)


def photograph(
    pixels: NDArray[np.uint8], boxes: Sequence[Box] = (), xy: tuple[float, float] | None = None
) -> Image.Image:
    """Draw a window (H, W, 3) with boxes, in the colours of the palette, and a cross at a place."""
    factor = enlarged_by(*pixels.shape[:2])
    picture = Image.fromarray(enlarged(pixels))
    draw = ImageDraw.Draw(picture)
    for number, box in enumerate(boxes):
        at = [edge * factor for edge in box]
        for line, colour in ((5, DARK), (2, PALETTE[number % len(PALETTE)])):
            draw.rectangle(at, outline=colour, width=line)
    if xy is not None:
        x, y = (each * factor for each in xy)
        for line, colour in ((4, DARK), (2, (255, 255, 255))):
            draw.line((x - 7, y, x + 7, y), fill=colour, width=line)
            draw.line((x, y - 7, x, y + 7), fill=colour, width=line)
    return picture


def map_picture(attribution: Attribution, pixels: NDArray[np.uint8]) -> Image.Image:
    """Draw an attribution (H, W) over its window (H, W, 3) in grey: signed in red and blue, others dark to bright."""
    under = enlarged(pixels)
    size = np.abs(attribution.values)
    top = float(np.percentile(size[size > 0], BRIGHT_SHARE)) if (size > 0).any() else 1.0
    if not attribution.signed:
        return heat_picture(np.clip(attribution.values / top, 0, 1)[None], under)
    scaled = np.clip(attribution.values / top, -1, 1)
    values = Image.fromarray(scaled.astype(np.float32)).resize(under.shape[1::-1], Image.Resampling.BILINEAR)
    return _diverging(np.asarray(values), under)


def clear_picture(attribution: Attribution) -> Image.Image:
    """Draw an attribution (H, W) that is not signed by itself: bright where it is great, transparent where it is 0."""
    values = attribution.values
    top = float(np.percentile(values[values > 0], BRIGHT_SHARE)) if (values > 0).any() else 1.0
    shade = np.clip(values / top, 0, 1)
    alpha = np.round(255 * MOST_COVER * np.sqrt(shade)).astype(np.uint8)
    return Image.fromarray(np.concatenate([probability_colours(shade), alpha[..., None]], axis=2))


def _diverging(values: NDArray[np.float32], under: NDArray[np.uint8]) -> Image.Image:
    """Draw values (H, W) in [-1, 1], blue to red, over a picture in grey; 0 is transparent."""
    from matplotlib import colormaps

    colours = np.asarray(colormaps["RdBu_r"](0.5 + 0.5 * values, bytes=True)[..., :3], np.float32)
    grey = np.asarray(Image.fromarray(under).convert("L"), np.float32)[..., None]
    cover = 0.9 * np.sqrt(np.abs(values))[..., None]
    return Image.fromarray(np.round(grey * (1 - cover) + colours * cover).astype(np.uint8))


def channel_sheet(features: NDArray[np.float32]) -> Image.Image:
    """Draw every channel (C, h, w), row by row from the left upper corner, each from its least to its greatest."""
    number, height, width = features.shape
    columns = math.ceil(math.sqrt(number))
    factor = max(1, round(SHEET_SIDE / columns / max(height, width)))
    low, high = (edge(features, axis=(1, 2), keepdims=True) for edge in (np.min, np.max))
    shades = (features - low) / np.where(high > low, high - low, 1)
    rows = math.ceil(number / columns)
    sheet = np.full((rows * (height * factor + GAP) + GAP, columns * (width * factor + GAP) + GAP, 3), 255, np.uint8)
    for channel, shade in enumerate(shades):
        cell = np.repeat(np.repeat(probability_colours(shade), factor, axis=0), factor, axis=1)
        top = GAP + channel // columns * (height * factor + GAP)
        left = GAP + channel % columns * (width * factor + GAP)
        sheet[top : top + height * factor, left : left + width * factor] = cell
    return Image.fromarray(sheet)


def sheet_columns(channels: int) -> int:
    """Return how many channels a sheet has in a row."""
    return math.ceil(math.sqrt(channels))


def patch_rows(rows: Sequence[tuple[str, Sequence[tuple[NDArray[np.uint8], str]]]]) -> Image.Image:
    """Draw rows of patches (S, S, 3), each row with a line of text above, each patch with one below."""
    cell, line = 132, 20
    columns = max(len(patches) for _, patches in rows)
    sheet = Image.new("RGB", (columns * (cell + 8) + 8, len(rows) * (cell + 2 * line + 10) + 8), PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, (text, patches) in enumerate(rows):
        top = 8 + row * (cell + 2 * line + 10)
        draw.text((8, top), shorten(text, sheet.width - 16, caption_font(13)), fill=INK, font=caption_font(13))
        for col, (pixels, below) in enumerate(patches):
            left = 8 + col * (cell + 8)
            sheet.paste(Image.fromarray(pixels).resize((cell, cell), Image.Resampling.BICUBIC), (left, top + line))
            at = (left, top + line + cell + 2)
            draw.text(at, shorten(below, cell, caption_font(11)), fill=INK, font=caption_font(11))
    return sheet


def field_picture(
    pixels: NDArray[np.uint8], values: NDArray[np.float32], boxes: Sequence[Box], xy: tuple[float, float]
) -> Image.Image:
    """Draw the effective field (H, W) over the photograph (H, W, 3), the boxes of fields, and the cell's place."""
    top = float(values.max())
    shade = np.sqrt(np.clip(values / top, 0, 1)) if top else values
    return photograph(np.asarray(heat_picture(shade[None], pixels)), boxes, xy)


def png(picture: Image.Image) -> bytes:
    """Return a picture as a PNG."""
    buffer = BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()

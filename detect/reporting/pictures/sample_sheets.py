"""A sheet of training samples, enlarged, with their labels: what a network sees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from detect.labels.detections import Detections
from detect.reporting.pictures.captions import INK, PAPER, caption_font, shorten, with_legend
from detect.reporting.pictures.colours import DARK, class_colours, to_display
from detect.reporting.pictures.overlays import overlay

GAP = 8
"""Pixels between the cells of a sheet."""


BEYOND = (150, 150, 150)
"""The colour of objects whose centre lies outside their crop or its image."""


@dataclass(frozen=True, eq=False)
class LabelledCrop:
    """A crop as it trains.

    Attributes:
        pixels: (C, H, W).
        objects: in pixels of the crop, also those whose centre lies beyond its edge.
        ignored: (M, 4) boxes x1, y1, x2, y2 where nothing is learned.
        valid: (H, W), which pixels are of the image.
    """

    pixels: NDArray[np.generic]
    objects: Detections
    ignored: NDArray[np.float64]
    valid: NDArray[np.bool_]


def crop_samples(crops: Sequence[LabelledCrop], radius: float, columns: int = 6, cell: int = 512) -> Image.Image:
    """Draw crops with their boxes or points and class names, what is not learned from hatched, a legend below.

    Objects whose centre lies outside a crop or its image, which train nothing there, are grey and without a name.

    Args:
        crops: one or more, of one size and kind.
        radius: of the rings around points, in pixels of the crops.
        columns: crops in a row.
        cell: side at which a crop is shown, in pixels.

    Returns:
        An RGB picture.
    """
    seen = [crop.objects[_within(crop)] for crop in crops]
    pictures = [
        _drawn(crop, shown, picture, radius)
        for crop, shown, picture in zip(crops, seen, _enlarged([c.pixels for c in crops], cell), strict=True)
    ]
    sheet = _sheet(pictures, [""] * len(pictures), columns)
    every = Detections(
        np.concatenate([shown.xy for shown in seen]),
        np.concatenate([shown.score for shown in seen]),
        np.concatenate([shown.label for shown in seen]),
        crops[0].objects.classes,
    )
    return with_legend(sheet, every)


def patch_samples(
    patches: Sequence[NDArray[np.generic]], names: Sequence[str], inner: int, columns: int = 8, cell: int = 192
) -> Image.Image:
    """Draw patches with their class names below, and a frame around the part that is classified.

    Args:
        patches: one or more (C, side, side), of one size and kind.
        names: what is written below each, in one or more lines.
        inner: side in pixels of the middle part that is classified; the rest is context.
        columns: patches in a row.
        cell: side at which a patch is shown, in pixels.

    Returns:
        An RGB picture.
    """
    side = patches[0].shape[-1]
    pictures = []
    for picture in _enlarged(patches, cell):
        if inner < side:
            edge = (1 - inner / side) / 2 * cell
            box = (round(edge), round(edge), round(cell - edge) - 1, round(cell - edge) - 1)
            ImageDraw.Draw(picture).rectangle(box, outline=PAPER, width=1)
        pictures.append(picture)
    return _sheet(pictures, names, columns)


def _enlarged(samples: Sequence[NDArray[np.generic]], cell: int) -> list[Image.Image]:
    """Make pictures of samples; values other than bytes are stretched over all of them together."""
    side = samples[0].shape[-1]
    shown = to_display(np.concatenate(samples, axis=1)).reshape(len(samples), -1, side, 3)
    return [Image.fromarray(each).resize((cell, cell), Image.Resampling.BICUBIC) for each in shown]


def _within(crop: LabelledCrop) -> NDArray[np.bool_]:
    col, row = np.floor(crop.objects.xy).astype(int).T
    height, width = crop.valid.shape
    inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
    return np.asarray(inside & crop.valid[np.clip(row, 0, height - 1), np.clip(col, 0, width - 1)])


def _drawn(crop: LabelledCrop, shown: Detections, picture: Image.Image, radius: float) -> Image.Image:
    scale = picture.width / crop.valid.shape[1]
    hatched = _hatched(np.array(picture), _unlearned(crop, scale, picture.size))
    picture = overlay(hatched, shown, scale, radius)
    draw, font = ImageDraw.Draw(picture), caption_font(13)
    beyond = crop.objects[~_within(crop)]
    if beyond.wh is not None:
        for box in (beyond.boxes_xyxy * scale).tolist():
            draw.rectangle(box, outline=BEYOND)
    colours = list(class_colours(shown.classes).values())
    corners = shown.xy * scale + (radius * scale, -6) if shown.wh is None else shown.boxes_xyxy[:, :2] * scale - (0, 15)
    for (x, y), label, name in zip(corners.tolist(), shown.label, shown.names, strict=True):
        at = (min(max(1.0, x), picture.width - 20.0), min(max(1.0, y), picture.height - 15.0))
        text = shorten(name, picture.width - at[0], font)
        draw.text(at, text, fill=colours[label], font=font, stroke_width=1, stroke_fill=DARK)
    return picture


def _unlearned(crop: LabelledCrop, scale: float, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the pixels of an enlarged crop that are ignored or not of the image."""
    valid = Image.fromarray(crop.valid.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    hidden = Image.fromarray(np.where(np.asarray(valid), 0, 255).astype(np.uint8))
    for box in (crop.ignored * scale).tolist():
        ImageDraw.Draw(hidden).rectangle(box, fill=255)
    return np.asarray(hidden) > 0


def _hatched(pixels: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Darken pixels to a half, with brighter stripes every 12."""
    rows, cols = np.indices(where.shape)
    stripe = (rows + cols) % 12 < 2
    shaded = pixels // 2 + np.where(stripe, 70, 0)[..., None].astype(np.uint8)
    return np.where(where[..., None], shaded, pixels)


def _sheet(pictures: Sequence[Image.Image], captions: Sequence[str], columns: int) -> Image.Image:
    """Lay pictures of one size out in rows, each with its caption below where any has one."""
    columns = min(columns, len(pictures))
    width, height = pictures[0].size
    text = max(12, width // 14)
    lines = max(len(caption.splitlines()) for caption in captions)
    pitch_x, pitch_y = width + GAP, height + GAP + round(1.3 * text * lines)
    sheet = Image.new("RGB", (GAP + columns * pitch_x, GAP + -(-len(pictures) // columns) * pitch_y), PAPER)
    draw, font = ImageDraw.Draw(sheet), caption_font(text)
    for i, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = GAP + i % columns * pitch_x, GAP + i // columns * pitch_y
        sheet.paste(picture, (x, y))
        for number, line in enumerate(caption.splitlines()):
            at = (x, y + height + text // 5 + round(1.2 * text * number))
            draw.text(at, shorten(line, width, font), fill=INK, font=font)
    return sheet

"""Sheets of training samples, enlarged, with their labels."""

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


OUTSIDE_COLOUR = (150, 150, 150)
"""The colour of objects whose centre is outside their crop or its image."""


@dataclass(frozen=True, eq=False)
class LabelledCrop:
    """A training crop of the grid head, with its labels.

    Attributes:
        pixels: (C, H, W), any real type.
        objects: in pixels of the crop, including those whose centre is outside it.
        ignored: (M, 4) boxes x1, y1, x2, y2 in pixels of the crop whose inside has no loss.
        valid: (H, W), true for pixels inside the image.
    """

    pixels: NDArray[np.generic]
    objects: Detections
    ignored: NDArray[np.float64]
    valid: NDArray[np.bool_]


def crop_samples(crops: Sequence[LabelledCrop], radius: float, columns: int = 6, cell: int = 512) -> Image.Image:
    """Draw crops with their boxes or points, class names and a legend; pixels without a loss are hatched.

    Objects whose centre is outside a crop or its image have no loss there: their boxes are grey and without a name.

    Args:
        crops: one or more, all of one shape and type.
        radius: of the rings around points, in pixels of the crops.
        columns: number of crops in a row.
        cell: side in pixels of a crop on the sheet.

    Returns:
        An RGB picture.
    """
    inside = [crop.objects[_is_inside(crop)] for crop in crops]
    pictures = [
        _draw_crop(crop, objects, picture, radius)
        for crop, objects, picture in zip(crops, inside, _enlarge([c.pixels for c in crops], cell), strict=True)
    ]
    sheet = _arrange(pictures, [""] * len(pictures), columns)
    all_objects = Detections(
        np.concatenate([objects.xy for objects in inside]),
        np.concatenate([objects.score for objects in inside]),
        np.concatenate([objects.label for objects in inside]),
        crops[0].objects.classes,
    )
    return with_legend(sheet, all_objects)


def patch_samples(
    patches: Sequence[NDArray[np.generic]], names: Sequence[str], inner: int, columns: int = 8, cell: int = 192
) -> Image.Image:
    """Draw patches with their class names below, and a frame around the part that is classified.

    Args:
        patches: one or more (C, side, side), all of one shape and type.
        names: the text below each, in one or more lines.
        inner: side, in pixels of the patch, of the central part that is classified; the rest is context.
        columns: number of patches in a row.
        cell: side in pixels of a patch on the sheet.

    Returns:
        An RGB picture.
    """
    side = patches[0].shape[-1]
    pictures = []
    for picture in _enlarge(patches, cell):
        if inner < side:
            edge = (1 - inner / side) / 2 * cell
            box = (round(edge), round(edge), round(cell - edge) - 1, round(cell - edge) - 1)
            ImageDraw.Draw(picture).rectangle(box, outline=PAPER, width=1)
        pictures.append(picture)
    return _arrange(pictures, names, columns)


def _enlarge(samples: Sequence[NDArray[np.generic]], cell: int) -> list[Image.Image]:
    """Make pictures of samples; values other than bytes are stretched over all of them together."""
    side = samples[0].shape[-1]
    pictures = to_display(np.concatenate(samples, axis=1)).reshape(len(samples), -1, side, 3)
    return [Image.fromarray(picture).resize((cell, cell), Image.Resampling.BICUBIC) for picture in pictures]


def _is_inside(crop: LabelledCrop) -> NDArray[np.bool_]:
    """Return (N,), true for each object whose centre is inside the crop and its image."""
    col, row = np.floor(crop.objects.xy).astype(int).T
    height, width = crop.valid.shape
    inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
    return np.asarray(inside & crop.valid[np.clip(row, 0, height - 1), np.clip(col, 0, width - 1)])


def _draw_crop(crop: LabelledCrop, inside: Detections, picture: Image.Image, radius: float) -> Image.Image:
    """Draw the labels of a crop on its enlarged picture, with the names of the objects inside."""
    scale = picture.width / crop.valid.shape[1]
    hatched = _hatch(np.array(picture), _without_loss(crop, scale, picture.size))
    picture = overlay(hatched, inside, scale, radius)
    draw, font = ImageDraw.Draw(picture), caption_font(13)
    outside = crop.objects[~_is_inside(crop)]
    if outside.wh is not None:
        for box in (outside.boxes_xyxy * scale).tolist():
            draw.rectangle(box, outline=OUTSIDE_COLOUR)
    colours = list(class_colours(inside.classes).values())
    if inside.wh is None:
        corners = inside.xy * scale + (radius * scale, -6)
    else:
        corners = inside.boxes_xyxy[:, :2] * scale - (0, 15)
    for (x, y), label, name in zip(corners.tolist(), inside.label, inside.names, strict=True):
        at = (min(max(1.0, x), picture.width - 20.0), min(max(1.0, y), picture.height - 15.0))
        text = shorten(name, picture.width - at[0], font)
        draw.text(at, text, fill=colours[label], font=font, stroke_width=1, stroke_fill=DARK)
    return picture


def _without_loss(crop: LabelledCrop, scale: float, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels of an enlarged crop are ignored or outside the image."""
    valid = Image.fromarray(crop.valid.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    hidden = Image.fromarray(np.where(np.asarray(valid), 0, 255).astype(np.uint8))
    for box in (crop.ignored * scale).tolist():
        ImageDraw.Draw(hidden).rectangle(box, fill=255)
    return np.asarray(hidden) > 0


def _hatch(pixels: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Darken pixels to half their value, with brighter diagonal stripes every 12 pixels."""
    rows, cols = np.indices(where.shape)
    stripe = (rows + cols) % 12 < 2
    shaded = pixels // 2 + np.where(stripe, 70, 0)[..., None].astype(np.uint8)
    return np.where(where[..., None], shaded, pixels)


def _arrange(pictures: Sequence[Image.Image], captions: Sequence[str], columns: int) -> Image.Image:
    """Arrange pictures of one size in rows on a sheet, each with its caption below."""
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

"""Crops: a closer look at single detections, the surest or the doubtful ones, side by side."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, display_bands
from detect.imagery.windows import Window
from detect.labels.detections import Detections
from detect.reporting.pictures.captions import INK, PAPER, caption_font, shorten
from detect.reporting.pictures.colours import DARK, class_colours, to_display


def choose(detections: Detections, number: int, threshold: float | None = None) -> Detections:
    """Choose the highest scoring detections, or those whose score is nearest to a threshold.

    Args:
        detections: of one scene.
        number: how many are wanted; fewer come back where there are fewer.
        threshold: a score; None for the highest scoring.

    Returns:
        The chosen ones, surest or nearest first; equal ones in their own order.
    """
    rank = -detections.score if threshold is None else np.abs(detections.score - threshold)
    return detections[np.argsort(rank, kind="stable")[:number]]


def read_crops(scene: Scene, detections: Detections, side: int) -> NDArray[np.uint8]:
    """Read a square around each detection; beyond the scene's edge it is mirrored.

    Pixels that are not bytes are stretched over all the crops together, so that they can be compared.

    Args:
        scene: the source.
        detections: on that scene.
        side: of the squares, in pixels.

    Returns:
        (N, side, side, 3) pictures.

    Raises:
        SceneError: the image is damaged.
    """
    corners = np.floor(detections.xy).astype(int) - side // 2
    squares = [read_window(scene, Window(int(y), int(x), side, side), display_bands(scene.bands)) for x, y in corners]
    if not squares:
        return np.empty((0, side, side, 3), np.uint8)
    return to_display(np.concatenate(squares, axis=1), nodata=scene.nodata).reshape(-1, side, side, 3)


def crops_sheet(
    crops: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    detections: Detections,
    columns: int = 6,
    cell: int = 160,
    captions: Sequence[str] | None = None,
) -> Image.Image:
    """Lay crops out in rows, each framed in its class's colour, with score and class below.

    Args:
        crops: N pictures (side, side, 3), as `read_crops` gives.
        detections: the N detections that they show, in the same order.
        columns: crops in a row.
        cell: side at which a crop is shown, in pixels.
        captions: a line for each crop; the class then stands beside the score.

    Returns:
        An RGB picture.

    Raises:
        ValueError: crops, detections and captions differ in number, there are none, or `columns` or `cell` is not
            positive.
    """
    if columns < 1 or cell < 1:
        raise ValueError(f"columns and cell must be 1 or more, got {columns} and {cell}")
    if len(crops) != len(detections) or not len(detections):
        raise ValueError(f"give one crop for each of 1 or more detections, got {len(crops)} for {len(detections)}")
    if captions is not None and len(captions) != len(crops):
        raise ValueError(f"give one caption for each of {len(crops)} crops, got {len(captions)}")
    gap, text = max(6, cell // 16), max(11, cell // 12)
    pitch_x, pitch_y = cell + gap, cell + gap + 3 * text
    columns = min(columns, len(crops))
    size = (gap + columns * pitch_x, gap + -(-len(crops) // columns) * pitch_y)
    sheet = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(sheet), caption_font(text)
    colours = list(class_colours(detections.classes).values())
    line = max(2, cell // 50)
    for i, crop in enumerate(crops):
        x, y = gap + i % columns * pitch_x, gap + i // columns * pitch_y
        sheet.paste(Image.fromarray(crop).resize((cell, cell), Image.Resampling.BICUBIC), (x, y))
        draw.rectangle((x - 1, y - 1, x + cell, y + cell), outline=DARK, width=line + 2)
        draw.rectangle((x, y, x + cell - 1, y + cell - 1), outline=colours[detections.label[i]], width=line)
        below = (x, y + cell + text // 3)
        score, name = f"{detections.score[i]:.2f}", detections.names[i]
        first, second = (score, name) if captions is None else (f"{score} {name}", captions[i])
        draw.text(below, shorten(first, cell, font), fill=INK, font=font)
        draw.text((x, below[1] + 1.3 * text), shorten(second, cell, font), fill=INK, font=font)
    return sheet

"""Close-ups: crops of single detections side by side, those of the highest scores or near a threshold."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.labels.detections import Detections
from detect.reporting.pictures.captions import INK, PAPER, caption_font, shorten
from detect.reporting.pictures.colours import DARK, class_colours, to_display


def choose(detections: Detections, number: int, threshold: float | None = None) -> Detections:
    """Choose the highest scoring detections, or those whose score is nearest to a threshold.

    Args:
        detections: of one scene.
        number: how many are wanted; all are returned where there are fewer.
        threshold: a score in [0, 1]; None for the highest scoring.

    Returns:
        The chosen ones, the highest scoring or nearest first; equal ones in their own order.
    """
    rank = -detections.score if threshold is None else np.abs(detections.score - threshold)
    return detections[np.argsort(rank, kind="stable")[:number]]


def read_crops(scene: Scene, detections: Detections, side: int) -> NDArray[np.uint8]:
    """Read a square around each detection, mirrored at the scene's edge.

    They are read from the top, so that a file which can only be decoded from there is decoded once.
    Values other than bytes are stretched over all the crops together, which makes them comparable.

    Args:
        scene: the scene to read.
        detections: in pixels of that scene.
        side: of the squares, in pixels of that scene.

    Returns:
        (N, side, side, 3) uint8.

    Raises:
        SceneError: the image is damaged.
    """
    corners = np.floor(detections.xy).astype(int) - side // 2
    if not len(corners):
        return np.empty((0, side, side, 3), np.uint8)
    downward = np.argsort(corners[:, 1], kind="stable")
    with SceneReader(scene, scene.shown_bands) as reader:
        read = [reader.read_valid(Window(int(y), int(x), side, side)) for x, y in corners[downward]]
    inverse = np.argsort(downward)
    pixels = np.concatenate([read[i][0] for i in inverse], axis=1)
    valid = np.concatenate([read[i][1] for i in inverse])
    shown = np.ma.MaskedArray(pixels, np.broadcast_to(~valid, pixels.shape)) if scene.masked else pixels
    return to_display(shown, nodata=scene.nodata).reshape(-1, side, side, 3)


def crops_sheet(
    crops: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    detections: Detections,
    columns: int = 6,
    cell: int = 160,
    captions: Sequence[str] | None = None,
) -> Image.Image:
    """Draw crops in rows, each framed in its class's colour, with score and class below.

    Args:
        crops: N pictures (side, side, 3) uint8, such as `read_crops` returns.
        detections: the N detections that they show, in the same order.
        columns: number of crops in a row.
        cell: side in pixels of a crop on the sheet.
        captions: a second line for each crop; score and class are then on the first line.

    Returns:
        An RGB picture.

    Raises:
        ValueError: crops, detections and captions differ in number, there are none, or `columns` or `cell` is not
            positive.
    """
    _check_sheet(len(crops), len(detections), columns, cell, captions)
    gap, text = max(6, cell // 16), max(11, cell // 12)
    pitch_x, pitch_y = cell + gap, cell + gap + 3 * text
    columns = min(columns, len(crops))
    size = (gap + columns * pitch_x, gap + -(-len(crops) // columns) * pitch_y)
    sheet = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(sheet), caption_font(text)
    colours = list(class_colours(detections.classes).values())
    line = max(2, cell // 50)
    lines = _caption_lines(detections, captions)
    for i, crop in enumerate(crops):
        x, y = gap + i % columns * pitch_x, gap + i // columns * pitch_y
        sheet.paste(Image.fromarray(crop).resize((cell, cell), Image.Resampling.BICUBIC), (x, y))
        draw.rectangle((x - 1, y - 1, x + cell, y + cell), outline=DARK, width=line + 2)
        draw.rectangle((x, y, x + cell - 1, y + cell - 1), outline=colours[detections.label[i]], width=line)
        below, (first, second) = y + cell + text // 3, lines[i]
        draw.text((x, below), shorten(first, cell, font), fill=INK, font=font)
        draw.text((x, below + 1.3 * text), shorten(second, cell, font), fill=INK, font=font)
    return sheet


def _check_sheet(crops: int, detections: int, columns: int, cell: int, captions: Sequence[str] | None) -> None:
    """Check that the numbers of crops, detections and captions agree, and that the sheet's sizes are positive."""
    if columns < 1 or cell < 1:
        raise ValueError(f"columns and cell must be 1 or more, got {columns} and {cell}")
    if crops != detections or not detections:
        raise ValueError(f"give one crop for each of 1 or more detections, got {crops} for {detections}")
    if captions is not None and len(captions) != crops:
        raise ValueError(f"give one caption for each of {crops} crops, got {len(captions)}")


def _caption_lines(detections: Detections, captions: Sequence[str] | None) -> list[tuple[str, str]]:
    """Return the two lines of text below each crop."""
    scored = [(f"{score:.2f}", name) for score, name in zip(detections.score, detections.names, strict=True)]
    if captions is None:
        return scored
    return [(f"{score} {name}", caption) for (score, name), caption in zip(scored, captions, strict=True)]

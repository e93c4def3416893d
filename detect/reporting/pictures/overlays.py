"""Pictures of a scene: its detections drawn on it, and its heatmap."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from detect.labels.detections import Detections
from detect.reporting.pictures.colours import DARK, Colour, class_colours, probability_colours

CIRCLE_PHASES = 8
"""Places of a circle's centre in a pixel, along each axis."""

MAX_MASK_SIDE, MOST_MASKS = 256, 256
"""Longest side in pixels of the masks of circles that are kept for the next ones, and how many are: 16 MiB at most."""

MAX_BOX_LINE_SHARE = 1 / 12
"""Greatest width of a box's line as a share of the median of the boxes' shorter sides."""


def overlay(pixels: NDArray[np.uint8], detections: Detections, scale: float, radius: float) -> Image.Image:
    """Draw detections on a picture: points as circles, boxes as rectangles, in their class's colour on a dark outline.

    Lines are wider on a larger picture, which keeps them visible when it is shown at a third of its size; those of
    boxes are at most `MAX_BOX_LINE_SHARE` of a typical box's shorter side, which leaves small objects visible. The
    radius of a circle is at least two line widths.

    Args:
        pixels: (H, W, 3) uint8 picture.
        detections: in pixels of the image that the picture was made from.
        scale: picture pixels per image pixel.
        radius: of the circles, in image pixels.

    Returns:
        An RGB picture of the same size.

    Raises:
        ValueError: `pixels` is not (H, W, 3), or `scale` or `radius` is not positive.
    """
    return Image.fromarray(overlaid(pixels, detections, scale, radius))


def overlaid(pixels: NDArray[np.uint8], detections: Detections, scale: float, radius: float) -> NDArray[np.uint8]:
    """Return the pixels (H, W, 3) of an `overlay`, of the same arguments; those that are given stay as they are."""
    import cv2

    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels must be (height, width, 3), got shape {pixels.shape}")
    if not (scale > 0 and radius > 0):
        raise ValueError(f"scale and radius must be positive, got {scale} and {radius}")
    line = line_width(max(pixels.shape[:2]))
    palette = list(class_colours(detections.classes).values())
    colours = [palette[i] for i in detections.label]
    canvas = np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2RGBA), np.uint8)
    picture = _drawn_in(canvas)
    memory = picture.im
    if detections.wh is not None:
        sides = detections.wh.min(axis=1) * scale
        limit = max(1.0, MAX_BOX_LINE_SHARE * float(np.median(sides))) if len(sides) else line
        _draw_boxes(picture, detections.boxes_xyxy * scale, colours, round(min(line, limit)))
    else:
        _draw_circles(picture, detections.xy * scale, colours, max(radius * scale, 2 * line), line)
    drawn = canvas if picture.im is memory else np.asarray(picture)  # Pillow drew in a copy that it made
    return np.asarray(cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB), np.uint8)


def _drawn_in(canvas: NDArray[np.uint8]) -> Image.Image:
    """Return a picture that is drawn in an array (H, W, 4) of its own layout, which spares two copies of it."""
    picture = Image.frombuffer("RGBX", canvas.shape[1::-1], canvas, "raw", "RGBX", 0, 1)
    picture.readonly = 0
    return picture


def line_width(longest_side: int) -> float:
    """Return the width of a line, in pixels, on a picture with that longest side: 1/360 of it, at least 1.5."""
    return max(1.5, longest_side / 360)


def _draw_boxes(picture: Image.Image, boxes_xyxy: NDArray[np.float64], colours: list[Colour], line: int) -> None:
    """Draw (N, 4) boxes in picture pixels, first all outlines, then all lines."""
    draw = ImageDraw.Draw(picture)
    edge = max(1, line // 2)
    far = 2 * line + 2 * edge
    width, height = picture.size
    corners = np.round(np.clip(boxes_xyxy, -far, np.array([width, height, width, height]) + far)).astype(int)
    corners[:, 2:] = np.maximum(corners[:, 2:] - 1, corners[:, :2])
    for x1, y1, x2, y2 in corners.tolist():
        draw.rectangle((x1 - edge, y1 - edge, x2 + edge, y2 + edge), outline=DARK, width=line + 2 * edge)
    for (x1, y1, x2, y2), colour in zip(corners.tolist(), colours, strict=True):
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=line)


def _draw_circles(
    picture: Image.Image, xy: NDArray[np.float64], colours: list[Colour], radius: float, line: float
) -> None:
    """Draw circles around (N, 2) centres in picture pixels, to 1/8 of a pixel, first all outlines, then all lines."""
    places = np.rint(xy * CIRCLE_PHASES).astype(np.int64).tolist()
    for thickness, shown in ((1.7 * line, [DARK] * len(places)), (line, colours)):
        for (x, y), colour in zip(places, shown, strict=True):
            drawn = _ring(x, y, radius, thickness, picture.size)
            if drawn is not None:
                picture.paste(colour, drawn[1], drawn[0])


def _ring(
    x: int, y: int, radius: float, line: float, size: tuple[int, int]
) -> tuple[Image.Image, tuple[int, int]] | None:
    """Return what a circle covers of each pixel, as a mask, and the mask's left upper corner.

    Args:
        x: of the centre, in parts (`CIRCLE_PHASES`) of a pixel.
        y: of the centre too.
        radius: of the circle, in pixels.
        line: width of its line, in pixels.
        size: (width, height) of the picture.

    Returns:
        None for a large circle beside the picture; of a large one in it, the mask is what is in the picture.
    """
    (col, right), (row, down) = divmod(x, CIRCLE_PHASES), divmod(y, CIRCLE_PHASES)
    reach = math.ceil(radius + line / 2 + 1)
    if 2 * reach + 1 <= MAX_MASK_SIDE:
        return _small_ring(radius, line, right, down), (col - reach, row - reach)
    cols, rows = (
        np.arange(max(0, centre - reach), min(side, centre + reach + 1))
        for centre, side in zip((col, row), size, strict=True)
    )
    if not (len(cols) and len(rows)):
        return None
    return _cover(cols - x / CIRCLE_PHASES, rows - y / CIRCLE_PHASES, radius, line), (int(cols[0]), int(rows[0]))


@lru_cache(MOST_MASKS)
def _small_ring(radius: float, line: float, right: int, down: int) -> Image.Image:
    """Return the mask of a circle whose centre lies so many parts of a pixel right and down in the middle one."""
    reach = math.ceil(radius + line / 2 + 1)
    steps = np.arange(-reach, reach + 1)
    return _cover(steps - right / CIRCLE_PHASES, steps - down / CIRCLE_PHASES, radius, line)


def _cover(lefts: NDArray[np.floating], tops: NDArray[np.floating], radius: float, line: float) -> Image.Image:
    """Return the mask of a circle on pixels whose left and upper edges are so far from its centre."""
    x, y = ((edges + 0.5).astype(np.float32) for edges in (lefts, tops))
    distance = np.sqrt(y[:, None] ** 2 + x[None, :] ** 2)
    return Image.fromarray(np.rint(255 * np.clip((line + 1) / 2 - np.abs(distance - radius), 0, 1)).astype(np.uint8))


def heat_picture(
    heatmap: NDArray[np.floating],
    under: NDArray[np.uint8] | None = None,
    span_xyxy: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    """Draw a heatmap in the colours of the probability of an object of any class.

    The probability is the sum over the class bands, bounded to [0, 1]; NaN counts as 0.

    Args:
        heatmap: (C, h, w) class probabilities in [0, 1], without the background.
        under: (H, W, 3) uint8 picture of the same scene, drawn in grey under the colours, which are transparent where
            the probability is 0.
        span_xyxy: the part of the heatmap to show, x1, y1, x2, y2 in cells of `heatmap`, cell i spanning [i, i + 1);
            outside the heatmap its outermost cells are repeated. By default the whole heatmap.

    Returns:
        An RGB picture of the size of `under`, or of the heatmap.

    Raises:
        ValueError: `heatmap` is not (C, h, w), or the span is empty.
    """
    if heatmap.ndim != 3 or not heatmap.size:
        raise ValueError(f"a heatmap must be (classes, rows, columns) and not empty, got shape {heatmap.shape}")
    span = span_xyxy if span_xyxy is not None else (0, 0, heatmap.shape[2], heatmap.shape[1])
    x1, y1, x2, y2 = span
    if not (x1 < x2 and y1 < y2):
        raise ValueError(f"span must be x1, y1, x2, y2 in cells with x1 < x2 and y1 < y2, got {span}")
    height, width = under.shape[:2] if under is not None else (max(1, round(y2 - y1)), max(1, round(x2 - x1)))
    foreground = np.clip(np.nan_to_num(heatmap.astype(np.float32), nan=0.0).sum(axis=0), 0, 1)
    probability = _resize_span(foreground, span, (width, height))
    colours = probability_colours(probability)
    if under is None:
        return Image.fromarray(colours)
    grey = np.asarray(Image.fromarray(under).convert("L"), np.float32)[..., None]
    cover = 0.9 * np.sqrt(probability)[..., None]
    return Image.fromarray(np.round(grey * (1 - cover) + colours * cover).astype(np.uint8))


def _resize_span(
    probability: NDArray[np.float32], span_xyxy: tuple[float, float, float, float], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return a span of a map (h, w), in its cells, resized to (width, height) by bilinear interpolation: (H, W)."""
    x1, y1, x2, y2 = span_xyxy
    rows, cols = probability.shape
    rim = math.ceil(max(0, -x1, -y1, x2 - cols, y2 - rows))
    cells = Image.fromarray(np.pad(probability, rim, mode="edge"))
    box = (x1 + rim, y1 + rim, x2 + rim, y2 + rim)
    return np.clip(np.asarray(cells.resize(size, Image.Resampling.BILINEAR, box=box)), 0, 1)

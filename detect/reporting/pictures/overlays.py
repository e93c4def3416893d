"""Pictures of a scene: its detections drawn on it, and its heatmap."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from detect.labels.detections import Detections
from detect.reporting.pictures.colours import DARK, Colour, class_colours, probability_colours

CIRCLES_AT_ONCE, PIXELS_AT_ONCE = 32, 1 << 18
"""Circles whose pixels are computed together, before they are drawn one after the other: fewer large ones, whose pixels
would be more."""

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
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels must be (height, width, 3), got shape {pixels.shape}")
    if not (scale > 0 and radius > 0):
        raise ValueError(f"scale and radius must be positive, got {scale} and {radius}")
    line = line_width(max(pixels.shape[:2]))
    palette = list(class_colours(detections.classes).values())
    colours = [palette[i] for i in detections.label]
    if detections.wh is not None:
        sides = detections.wh.min(axis=1) * scale
        limit = max(1.0, MAX_BOX_LINE_SHARE * float(np.median(sides))) if len(sides) else line
        return _draw_boxes(pixels, detections.boxes_xyxy * scale, colours, round(min(line, limit)))
    return _draw_circles(pixels, detections.xy * scale, colours, max(radius * scale, 2 * line), line)


def line_width(longest_side: int) -> float:
    """Return the width of a line, in pixels, on a picture with that longest side: 1/360 of it, at least 1.5."""
    return max(1.5, longest_side / 360)


def _draw_boxes(
    pixels: NDArray[np.uint8], boxes_xyxy: NDArray[np.float64], colours: list[Colour], line: int
) -> Image.Image:
    """Draw (N, 4) boxes in picture pixels, first all outlines, then all lines."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    edge = max(1, line // 2)
    far = 2 * line + 2 * edge
    height, width = pixels.shape[:2]
    corners = np.round(np.clip(boxes_xyxy, -far, np.array([width, height, width, height]) + far)).astype(int)
    corners[:, 2:] = np.maximum(corners[:, 2:] - 1, corners[:, :2])
    for x1, y1, x2, y2 in corners.tolist():
        draw.rectangle((x1 - edge, y1 - edge, x2 + edge, y2 + edge), outline=DARK, width=line + 2 * edge)
    for (x1, y1, x2, y2), colour in zip(corners.tolist(), colours, strict=True):
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=line)
    return picture


def _draw_circles(
    pixels: NDArray[np.uint8], xy: NDArray[np.float64], colours: list[Colour], radius: float, line: float
) -> Image.Image:
    """Draw circles around (N, 2) centres in picture pixels, first all outlines, then all lines.

    A pixel is blended with one circle after the other, and rounded each time, by the share of it that the line covers.
    """
    height, width = pixels.shape[:2]
    canvas = np.array(pixels, np.float32).reshape(height, 3 * width)
    for thickness, shown in ((1.7 * line, [DARK] * len(xy)), (line, colours)):
        side = min(2 * (radius + thickness), max(height, width))
        number = int(np.clip(PIXELS_AT_ONCE // side**2, 1, CIRCLES_AT_ONCE))
        for first in range(0, len(xy), number):
            part = slice(first, first + number)
            _blend_rings(canvas, xy[part], radius, thickness, np.array(shown[part], np.float32))
    return Image.fromarray(canvas.reshape(pixels.shape).astype(np.uint8))


def _blend_rings(
    canvas: NDArray[np.float32],
    xy: NDArray[np.float64],
    radius: float,
    line: float,
    colours: NDArray[np.float32],
) -> None:
    """Draw antialiased circles onto a canvas, one after the other.

    Of each the square around it is computed, along an axis on which it is longer than the canvas all of the canvas.

    Args:
        canvas: (H, 3 W) whole numbers, the bands of a pixel side by side; changed in place.
        xy: (N, 2) centres in pixels.
        radius: of the circles.
        line: width of their lines.
        colours: (N, 3).
    """
    height, width = canvas.shape[0], canvas.shape[1] // 3
    reach = radius + line / 2 + 1
    side = math.ceil(2 * reach) + 1
    across, down = min(side, width), min(side, height)
    corner = np.where([across < side, down < side], 0, np.floor(xy - reach))
    x, y = (corner[:, i, None] + (np.arange(n) + 0.5) - xy[:, i, None] for i, n in enumerate((across, down)))
    distance = np.sqrt((y**2).astype(np.float32)[:, :, None] + (x**2).astype(np.float32)[:, None, :])
    cover = np.clip(np.float32((line + 1) / 2) - np.abs(distance - np.float32(radius)), 0, 1)
    share = np.repeat(cover, 3, axis=2)
    added = share * np.tile(colours, across)[:, None, :]
    left_over = 1 - share
    for (left, top), factor, more in zip(corner.astype(np.int64).tolist(), left_over, added, strict=True):
        rows = slice(max(0, -top), max(0, height - top))
        cols = slice(3 * max(0, -left), 3 * max(0, width - left))
        part = canvas[max(0, top) : max(0, top + down), 3 * max(0, left) : 3 * max(0, left + across)]
        part *= factor[rows, cols]
        part += more[rows, cols]
        np.rint(part, out=part)


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

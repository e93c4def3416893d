"""Text on pictures: a legend under an overlay, a caption under a crop."""

from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from detect.labels.detections import Detections
from detect.reporting.pictures.colours import DARK, class_colours

PAPER = (255, 255, 255)
"""The background of sheets and legends."""


INK = (32, 36, 44)
"""The colour of text on it."""


@lru_cache(maxsize=16)
def caption_font(size: int) -> ImageFont.FreeTypeFont:
    """Read the font DejaVu Sans, which comes with matplotlib, at a height in pixels."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def shorten(text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    """Cut `text` to `width` pixels on one line, with an ellipsis at the end if it was cut."""
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def with_legend(picture: Image.Image, detections: Detections) -> Image.Image:
    """Add a legend below a picture: colour, name and count of every class, in as many lines as they need.

    Args:
        picture: RGB, such as `overlay` returns; its pixels keep their positions.
        detections: the detections that are drawn on it.

    Returns:
        A picture of the same width and a greater height.
    """
    size = max(11, round(max(picture.size) / 65))
    font = caption_font(size)
    texts = [f"{name}  {count:,}" for name, count in detections.counts().items()]
    texts = [shorten(text, picture.width - 4 * size, font) for text in texts]
    positions, lines = _flow([font.getlength(text) + 3.6 * size for text in texts], picture.width - 2 * size)
    height = round((1.7 * lines + 0.9) * size) if texts else 0
    page = Image.new("RGB", (picture.width, picture.height + height), PAPER)
    page.paste(picture)
    draw = ImageDraw.Draw(page)
    colours = class_colours(detections.classes).values()
    for text, (x, line), colour in zip(texts, positions, colours, strict=True):
        left, middle = size + x, picture.height + (1.7 * line + 1.3) * size
        dot = (left, middle - 0.45 * size, left + 0.9 * size, middle + 0.45 * size)
        draw.ellipse(dot, fill=colour, outline=DARK, width=max(1, size // 10))
        draw.text((left + 1.4 * size, middle), text, fill=INK, font=font, anchor="lm")
    return page


def _flow(widths: list[float], line_width: float) -> tuple[list[tuple[float, int]], int]:
    """Arrange items from left to right, on a new line where the next one does not fit.

    Returns:
        The position (x in pixels, line from 0) of each item, and the number of lines.
    """
    positions, x, line = [], 0.0, 0
    for width in widths:
        if x and x + width > line_width:
            x, line = 0.0, line + 1
        positions.append((x, line))
        x += width
    return positions, line + 1

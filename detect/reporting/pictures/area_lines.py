"""Outlines of areas on the picture of a scene."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from detect.reporting.pictures.colours import DARK
from detect.reporting.pictures.overlays import line_width

if TYPE_CHECKING:
    from PIL import Image

OUTLINE = (255, 255, 255)
"""Colour of an outline, between dark ones."""

FAR = 1 << 16
"""Coordinates beyond this many pixels are brought there: pictures are smaller, and Pillow draws none so far away."""


def draw_outlines(picture: "Image.Image", outlines: Sequence[Any], scale: float) -> None:
    """Draw the outlines of polygons, holes too, as white lines between dark ones, on a picture.

    Args:
        picture: RGB, which is drawn on.
        outlines: shapely polygons in pixels of the image that the picture was made from.
        scale: picture pixels per image pixel.
    """
    import shapely
    from PIL import ImageDraw

    if not len(outlines):
        return
    draw, line = ImageDraw.Draw(picture), max(1, round(line_width(max(picture.size)) / 2))
    rings = [
        [tuple(place) for place in np.clip(shapely.get_coordinates(ring) * scale, -FAR, FAR)]
        for ring in shapely.get_rings(list(outlines))
    ]
    for width, colour in ((3 * line, DARK), (line, OUTLINE)):
        for ring in rings:
            draw.line(ring, fill=colour, width=width)

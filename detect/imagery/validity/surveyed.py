"""How much of an image was looked at: its valid pixels, and their area on the ground."""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.imagery.ground.geodesy import SQUARE_METRES_PER_HECTARE, GeodesyError, placement_of
from detect.imagery.scenes import Scene, original
from detect.imagery.validity.gathered import ValidPixels

logger = logging.getLogger(__name__)

ROWS_MEASURED = 9
"""Rows of an image, evenly apart, on which a pixel's area is measured; it changes with the latitude, evenly between."""


@dataclass(frozen=True)
class Surveyed:
    """The part of an image that was looked at.

    Attributes:
        pixels: number of pixels of the image file.
        valid: how many of them are valid; of a resampled image, as large a share as of the resampled pixels.
        hectares: area on the ground of the valid ones, None where it is not known.
    """

    pixels: int
    valid: int
    hectares: float | None


def surveyed(scene: Scene, valid: ValidPixels | None) -> Surveyed:
    """Measure how much of a scene was looked at.

    Args:
        scene: as it was read.
        valid: its valid pixels, None where all are.
    """
    by_row = np.full(scene.shape[0], scene.shape[1]) if valid is None else valid.by_row
    share = 1.0 if valid is None else valid.number / (scene.shape[0] * scene.shape[1])
    return Surveyed(scene.file_pixels, round(share * scene.file_pixels), _hectares(scene, by_row))


def _hectares(scene: Scene, by_row: NDArray[np.int64]) -> float | None:
    """Return the area of some pixels of each row of a scene, None where the image does not say it."""
    whole, placement = original(scene), placement_of(scene)
    if placement is None or placement.crs is None:
        return None
    places = np.linspace(0, whole.shape[0], ROWS_MEASURED)
    col = whole.origin[1] + whole.shape[1] / 2
    try:
        areas = placement.pixel_areas_m2(np.stack([np.full(len(places), col), whole.origin[0] + places], axis=1))
    except GeodesyError as error:
        logger.info("%s: the area is not known: %s", scene.path, error)
        return None
    if not (np.isfinite(areas) & (areas > 0)).all():
        return None
    file_row = (np.arange(len(by_row)) + 0.5) / scene.factor_xy[1]
    square_metres = float((by_row * np.interp(file_row, places, areas)).sum())
    return square_metres / (scene.factor_xy[0] * scene.factor_xy[1]) / SQUARE_METRES_PER_HECTARE

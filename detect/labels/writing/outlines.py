"""Outlines: objects of georeferenced images as points or four corners, in pixels, on a map, in degrees."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detect.imagery.ground.geodesy import GeodesyError, Placement
from detect.labels.detections import Detections
from detect.labels.writing.outgoing import MOST_TOLD, OutImage, OutSet

logger = logging.getLogger(__name__)


def outlines_xy(objects: Detections) -> NDArray[np.float64]:
    """Return points (N, 1, 2), or the corners of boxes (N, 4, 2) from the top left one clockwise, in pixels."""
    if objects.wh is None:
        return objects.xy[:, None]
    half = objects.wh[:, None] / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return np.asarray(objects.xy[:, None] + half, np.float64)


def lonlat_outlines(objects: Detections, placement: Placement) -> NDArray[np.float64]:
    """Return outlines in degrees of longitude and latitude, corners against the clock (RFC 7946, 3.1.6).

    A box across the 180th meridian is kept in one piece: its corners go beyond 180 or -180 degrees.

    Raises:
        GeodesyError: the coordinate system has none.
    """
    found = placement.lonlat(outlines_xy(objects))
    if found.shape[1] == 1 or not len(found):
        return found
    first = found[:, :1, 0]
    found[..., 0] = first + (found[..., 0] - first + 180) % 360 - 180
    following = np.roll(found, -1, axis=1)
    twice_area = (found[..., 0] * following[..., 1] - following[..., 0] * found[..., 1]).sum(axis=1)
    return np.asarray(np.where((twice_area < 0)[:, None, None], found[:, ::-1], found), np.float64)


def ring(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners (..., 4, 2) with the first one at the end again."""
    return np.concatenate([outline, outline[..., :1, :]], axis=-2)


def placed_images(out: OutSet, what: str) -> list[OutImage]:
    """Return the images with a georeference in a known coordinate system; the log has the number of others.

    Of labels it also has the number of images without objects, which say that there is nothing.
    """
    images, scored = out.images, out.scored
    placed = [image for image in images if image.placement is not None and image.placement.crs is not None]
    without = [image for image in images if image.placement is None or image.placement.crs is None]
    empty = [image.name for image in images if not len(image.objects)]
    if empty and not scored:
        logger.warning("%s: %d images without objects leave no trace in it: %s", what, len(empty), empty[0])
    _tell(without, what, "no georeference with a coordinate system")
    return placed


def placed_on_earth(out: OutSet, what: str) -> list[OutImage]:
    """Return the images of which longitude and latitude are known; the log has the number of others."""
    placed = placed_images(out, what)
    found = []
    for image in placed:
        assert image.placement is not None
        try:
            image.placement.lonlat(np.zeros((1, 2)))
        except GeodesyError as error:
            _tell([image], what, str(error))
            continue
        found.append(image)
    return found


def _tell(images: Sequence[OutImage], what: str, why: str) -> None:
    """Log which images are not written, and how many objects they have."""
    if images:
        named = ", ".join(image.name for image in images[:MOST_TOLD])
        objects = sum(len(image.objects) for image in images)
        logger.warning("%s: %d images with %d objects are not in it (%s): %s", what, len(images), objects, why, named)

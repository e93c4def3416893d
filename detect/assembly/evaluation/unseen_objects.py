"""Annotated objects that cannot be seen: those on pixels that are not there are not scored."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detect.imagery.scenes import Scene, SceneError, display_bands
from detect.imagery.validity.points import seen_points
from detect.labels.detections import Detections

logger = logging.getLogger("detect.evaluate")


def seen_truth(
    truth: Mapping[str, Detections], scenes: Sequence[tuple[str, Scene]], bands: Any
) -> tuple[dict[str, Detections], int]:
    """Return the annotated objects that lie on valid pixels, and how many do not, which one line tells.

    A detector finds nothing there, and nobody who labels an image sees anything; such labels come from another image of
    the place, or from before it was masked.

    Args:
        truth: the objects of each image, in pixels of its file.
        scenes: name and scene of the images that can be opened, at the resolution at which the network reads them.
        bands: of the network, by whose values a pixel is valid; None, or what the image has not, is those shown.
    """
    seen, left_out = dict(truth), {}
    for name, scene in scenes:
        objects = truth.get(name)
        if objects is None or not scene.masked:
            continue
        try:
            marks = seen_points(scene, _bands_of(scene, bands), objects.xy * np.array(scene.factor_xy))
        except SceneError as error:
            logger.warning("%s: whether its annotated objects can be seen is not known: %s", name, error)
            continue
        if not marks.all():
            seen[name], left_out[name] = objects[marks], int((~marks).sum())
    number = sum(left_out.values())
    if left_out:
        logger.warning(
            "%d annotated objects in %d images, such as %s, lie on pixels that are not there (transparent, masked or "
            "without data): they cannot be seen, and are not scored",
            *(number, len(left_out), next(iter(left_out))),
        )
    return seen, number


def _bands_of(scene: Scene, bands: Any) -> Sequence[int]:
    """Return band numbers as a model names them, where they are some of the image's."""
    known = isinstance(bands, list | tuple) and bool(bands)
    if known and all(isinstance(band, int) and 1 <= band <= scene.bands for band in bands):
        return list(bands)
    return display_bands(scene.bands)

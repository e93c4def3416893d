"""The images that a run counted, where their files are still as it found them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from detect.imagery.description.arranging import Bands, arranged
from detect.imagery.description.band_names import plain_band_name
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.description.shown import AS_SHOWN
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene, SceneError
from detect.nets.bounds import HIGHEST_BAND, MOST_BANDS
from detect.reporting.output.journal import recorded_sources
from detect.reporting.output.predictions import Predictions
from detect.reporting.output.records import signature

logger = logging.getLogger("detect.evaluate")

USUAL_RADIUS = 16.0
"""Radius in pixels of the rings around objects whose size no run says."""

MAX_SIZE = 4096
"""A size of objects or a resolution of a run above this is not believed."""


def counted_scenes(predictions: Predictions, images: Sequence[str]) -> tuple[list[tuple[str, Scene]], float]:
    """Return the images whose files are still as the run found them, and half a typical object's side.

    A predictions folder may come from others, and it names files of this machine. So a file is opened only where the
    journal of the run has its path, its size and its time of change to the nanosecond, which nobody knows who does not
    have the file.

    Both are at the resolution at which the run read the images, with their bands where it read them; where its facts do
    not say it, as the files have them.
    """
    size, scale, gsd = (believed(predictions.model.get(name)) for name in ("patch_size", "image_scale", "gsd"))
    resolution, radius = (Resolution(), USUAL_RADIUS) if size is None else (Resolution(scale or 1.0, gsd), size / 2)
    bands = _learned_bands(predictions.model)
    recorded = recorded_sources(predictions.folder)
    scenes = []
    for image in images:
        if image not in recorded:
            logger.warning("no picture of %s: %s has no record of its file", image, predictions.paths.journal)
            continue
        source = Path(recorded[image][0])
        if signature(source) != recorded[image]:
            logger.warning("no picture of %s: %s is gone, or has changed since it was counted", image, source)
            continue
        try:
            scene = open_scene(source)
            scenes.append((image, resolution.resampled(scene if bands is None else arranged(scene, bands))))
        except SceneError as error:
            logger.warning("no picture of %s: %s", image, error)
    return scenes, radius


def _learned_bands(model: Mapping[str, Any]) -> Bands | None:
    """Return the bands that the model of a run looked at, None where its facts do not say it, or say what cannot be."""
    numbers, names = model.get("bands"), model.get("band_names", [])
    if not (isinstance(numbers, list) and isinstance(names, list) and 0 < len(numbers) <= MOST_BANDS):
        return None
    whole = all(isinstance(each, int) and 1 <= each <= HIGHEST_BAND for each in numbers)
    known = all(isinstance(each, str) and each == plain_band_name(each) for each in names)
    return Bands(tuple(numbers), tuple(names)) if whole and known and len(names) in (0, len(numbers)) else None


def warn_of_turned(predictions: Predictions, scenes: Sequence[tuple[str, Scene]]) -> None:
    """Log a warning where the places in a table are those of images as they are stored, and they are shown turned."""
    settings = predictions.run.get("settings")
    turned = [name for name, scene in scenes if scene.orientation > 1]
    if turned and not (isinstance(settings, dict) and settings.get("pixels") == AS_SHOWN):
        logger.warning(
            "%d images are shown turned by their EXIF orientation, such as %s, and %s was made by a version that did "
            "not turn them: predict again",
            len(turned),
            turned[0],
            predictions.folder,
        )


def believed(value: Any) -> float | None:
    """Return a size or a resolution as a run tells it; None where it is none that is believed."""
    return float(value) if isinstance(value, int | float) and 0 < value <= MAX_SIZE else None

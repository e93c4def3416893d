"""Pictures of labelled scenes: what a model found in them, and sheets of its errors."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, display_bands, original
from detect.labels.detections import Detections
from detect.reporting.pictures.captions import with_legend
from detect.reporting.pictures.closeups import choose, crops_sheet, read_crops
from detect.reporting.pictures.colours import to_display
from detect.reporting.pictures.overlays import overlay
from detect.reporting.writing import write_picture

if TYPE_CHECKING:
    from detect.evaluation.matching import Criterion

logger = logging.getLogger(__name__)

MAX_CROPS_PER_SHEET = 24
"""Crops on a sheet of errors; of more, those of the highest scores are shown."""

MAX_PICTURE_SIDE = 2400
"""Longest side in pixels of the picture of a scene."""


def draw_scenes(
    folder: Path,
    scenes: Sequence[tuple[str, Scene, Detections]],
    found: Mapping[str, Detections],
    radius_resampled_px: float,
    criterion: "Criterion",
) -> None:
    """Draw what was found in each scene, and sheets of its false alarms and missed objects, as JPEG.

    Args:
        folder: for `1.jpg` and so on, in the order of the scenes (white dots are the truth, coloured rings the
            detections), and `1_false_alarms.jpg`, `1_missed.jpg` where there are any.
        scenes: name, scene as it is resampled for the network, and truth in file pixels.
        found: the detections in file pixels, by the scene's name.
        radius_resampled_px: of the rings.
        criterion: the rule by which detections are matched with the truth.
    """
    for number, (name, resampled, truth) in enumerate(scenes, start=1):
        scene, radius_file_px = original(resampled), radius_resampled_px / resampled.factor_xy[0]
        picture = _draw_scene(scene, truth, found[name], radius_file_px)
        write_picture(picture, folder / f"{number}.jpg")
        match = criterion.match(found[name], truth)
        errors = {"false_alarms": found[name][match.spurious], "missed": truth[match.missed]}
        counts = len(errors["missed"]), len(errors["false_alarms"])
        logger.info("%s: %s, %d missed, %d false alarms", folder / f"{number}.jpg", name, *counts)
        for kind, objects in errors.items():
            if len(objects):
                highest = choose(objects, MAX_CROPS_PER_SHEET)
                sheet = crops_sheet(read_crops(scene, highest, max(1, round(6 * radius_file_px))), highest)
                write_picture(sheet, folder / f"{number}_{kind}.jpg")


def _draw_scene(scene: Scene, truth: Detections, found: Detections, radius_file_px: float) -> Image.Image:
    """Draw white dots at the truth and coloured rings at the detections, with a legend below."""
    pixels = to_display(read_window(scene, scene.window, display_bands(scene.bands)))
    scale = min(1.0, MAX_PICTURE_SIDE / max(scene.shape))
    size = (max(1, round(scene.shape[1] * scale)), max(1, round(scene.shape[0] * scale)))
    reduced = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
    for x, y in truth.xy * scale:
        row, col = int(y), int(x)
        reduced[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = 255
    return with_legend(overlay(reduced, found, scale, radius_file_px), found)

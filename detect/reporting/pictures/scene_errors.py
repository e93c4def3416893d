"""Pictures of labelled scenes: what a model found in them, and sheets of its errors."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from PIL import Image

from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene, SceneError, display_bands, original
from detect.labels.detections import Detections
from detect.reporting.pictures.captions import with_legend
from detect.reporting.pictures.closeups import choose, crops_sheet, read_crops
from detect.reporting.pictures.colours import to_display
from detect.reporting.pictures.overlays import overlay
from detect.reporting.tables import IMAGE, write_table
from detect.reporting.writing import write_picture

if TYPE_CHECKING:
    from detect.evaluation.matching import Criterion

logger = logging.getLogger(__name__)

MAX_CROPS_PER_SHEET = 24
"""Crops on a sheet of errors; of more, those of the highest scores are shown."""

MAX_PICTURE_SIDE = 2400
"""Longest side in pixels of the picture of a scene."""

MISSED, FALSE_ALARMS = "missed", "false_alarms"
"""The two kinds of errors, as sheets and columns are called."""

INDEX = "index.csv"
"""The table beside the pictures: a row each, with its image and numbers of errors."""

PICTURE_NAME = re.compile(rf"[0-9]+(_{MISSED}|_{FALSE_ALARMS})?\.jpg")
"""The names of the pictures."""


def draw_scenes(
    folder: Path,
    scenes: Sequence[tuple[str, Scene, Detections]],
    found: Mapping[str, Detections],
    radius_resampled_px: float,
    criterion: "Criterion",
) -> None:
    """Draw what was found in each scene, and sheets of its false alarms and missed objects, as JPEG.

    An image that is damaged has no pictures; the log says why. Of a large one only the close-ups are read in full.

    Args:
        folder: for `1.jpg` and so on, in the order of the scenes (white dots are the truth, coloured rings the
            detections), `1_false_alarms.jpg`, `1_missed.jpg` where there are any, and `index.csv`, which says of which
            image each picture is.
        scenes: name, scene as it is resampled for the network, and truth in file pixels.
        found: the detections in file pixels, by the scene's name.
        radius_resampled_px: of the rings.
        criterion: the rule by which detections are matched with the truth.
    """
    index = []
    for number, (name, resampled, truth) in enumerate(scenes, start=1):
        scene, radius_file_px = original(resampled), radius_resampled_px / resampled.factor_xy[0]
        match = criterion.match(found[name], truth)
        errors = {MISSED: truth[match.missed], FALSE_ALARMS: found[name][match.spurious]}
        try:
            picture = _draw_scene(scene, truth, found[name], radius_file_px)
            sheets = {
                kind: _draw_sheet(scene, objects, radius_file_px) for kind, objects in errors.items() if len(objects)
            }
        except SceneError as error:
            logger.warning("no picture of %s: %s", name, error)
            continue
        path = folder / f"{number}.jpg"
        write_picture(picture, path)
        for kind, sheet in sheets.items():
            write_picture(sheet, folder / f"{number}_{kind}.jpg")
        missed, spurious = len(errors[MISSED]), len(errors[FALSE_ALARMS])
        logger.info("%s: %s, %d missed, %d false alarms", path, name, missed, spurious)
        index.append({"picture": path.name, IMAGE: name, MISSED: missed, FALSE_ALARMS: spurious})
    if index:
        write_table(pd.DataFrame(index), folder / INDEX)


def clear_scenes(folder: Path) -> None:
    """Remove what `draw_scenes` wrote into a folder earlier, and the folder if nothing else is in it."""
    if not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        if path.name == INDEX or PICTURE_NAME.fullmatch(path.name):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _draw_scene(scene: Scene, truth: Detections, found: Detections, radius_file_px: float) -> Image.Image:
    """Draw white dots at the truth and coloured rings at the detections, with a legend below."""
    with SceneReader(scene, display_bands(scene.bands)) as reader:
        reduced = to_display(reader.preview(MAX_PICTURE_SIDE))
    scale = min(1.0, MAX_PICTURE_SIDE / max(scene.shape))
    for x, y in truth.xy * scale:
        row, col = int(y), int(x)
        reduced[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = 255
    return with_legend(overlay(reduced, found, scale, radius_file_px), found)


def _draw_sheet(scene: Scene, objects: Detections, radius_file_px: float) -> Image.Image:
    """Draw close-ups of the objects of the highest scores, six radii wide."""
    highest = choose(objects, MAX_CROPS_PER_SHEET)
    return crops_sheet(read_crops(scene, highest, max(1, round(6 * radius_file_px))), highest)

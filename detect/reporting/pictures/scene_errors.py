"""Pictures of labelled scenes: what a model found in them, and sheets of its errors."""

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL import Image

from detect.imagery.files import check_inside, remove_written
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene, SceneError, original
from detect.labels.detections import Detections
from detect.reporting.pictures.captions import with_legend
from detect.reporting.pictures.closeups import choose, crops_sheet, read_crops
from detect.reporting.pictures.colours import to_display
from detect.reporting.pictures.overlays import overlay
from detect.reporting.tables import IMAGE, read_text_table, write_table
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

PICTURE = "picture"
"""The column of that table with the picture's name."""

PICTURE_NAME = re.compile(r"[0-9]+\.jpg")
"""The names of the pictures of scenes."""

MAX_CROP_SIDE = 2048
"""Side in pixels of a close-up, at most."""


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
            image each picture is. It is there before the pictures are, so that `clear_scenes` knows them after a kill.
        scenes: name, scene as it is resampled for the network, and truth in file pixels.
        found: the detections in file pixels, by the scene's name.
        radius_resampled_px: of the rings.
        criterion: the rule by which detections are matched with the truth.
    """
    index: dict[int, dict[str, Any]] = {}
    errors: dict[int, dict[str, Detections]] = {}
    for number, (name, _, truth) in enumerate(scenes, start=1):
        match = criterion.match(found[name], truth)
        errors[number] = {MISSED: truth[match.missed], FALSE_ALARMS: found[name][match.spurious]}
        sizes = {kind: len(objects) for kind, objects in errors[number].items()}
        index[number] = {PICTURE: f"{number}.jpg", IMAGE: name, **sizes}
    if index:
        write_table(pd.DataFrame(list(index.values())), folder / INDEX)
    for number, (name, resampled, truth) in enumerate(scenes, start=1):
        scene, radius_file_px = original(resampled), radius_resampled_px / resampled.factor_xy[0]
        try:
            picture = _draw_scene(scene, truth, found[name], radius_file_px)
            sheets = {
                kind: _draw_sheet(scene, objects, radius_file_px)
                for kind, objects in errors[number].items()
                if len(objects)
            }
        except SceneError as error:
            logger.warning("no picture of %s: %s", name, error)
            del index[number]
            continue
        path = folder / index[number][PICTURE]
        write_picture(picture, path)
        for kind, sheet in sheets.items():
            write_picture(sheet, folder / f"{number}_{kind}.jpg")
        missed, spurious = (len(errors[number][kind]) for kind in (MISSED, FALSE_ALARMS))
        logger.info("%s: %s, %d missed, %d false alarms", path, name, missed, spurious)
    if index and len(index) < len(scenes):
        write_table(pd.DataFrame(list(index.values())), folder / INDEX)
    elif not index:
        remove_written(folder / INDEX, folder)


def clear_scenes(folder: Path) -> None:
    """Remove the pictures that `index.csv` in a folder names, their sheets, the table, and the folder if it is empty.

    Anything else stays, as all does where that table is not one that `draw_scenes` wrote.

    Raises:
        ValueError: the folder is a link that leads elsewhere.
    """
    check_inside(folder, folder.parent)
    index = folder / INDEX
    if not index.is_file():
        with suppress(OSError):
            folder.rmdir()
        return
    try:
        pictures = list(read_text_table(index)[PICTURE])
    except (ValueError, KeyError) as error:
        logger.warning("%s: not a table of pictures (%s), so none is removed", index, error)
        return
    for number in (name.removesuffix(".jpg") for name in pictures if PICTURE_NAME.fullmatch(name)):
        for name in (number, f"{number}_{MISSED}", f"{number}_{FALSE_ALARMS}"):
            remove_written(folder / f"{name}.jpg", folder)
    remove_written(index, folder)


def _draw_scene(scene: Scene, truth: Detections, found: Detections, radius_file_px: float) -> Image.Image:
    """Draw white dots at the truth and coloured rings at the detections, with a legend below."""
    with SceneReader(scene, scene.shown_bands) as reader:
        reduced = to_display(reader.preview(MAX_PICTURE_SIDE))
    scale = reduced.shape[1] / scene.shape[1]
    for x, y in truth.xy * scale:
        row, col = int(y), int(x)
        reduced[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = 255
    return with_legend(overlay(reduced, found, scale, radius_file_px), found)


def _draw_sheet(scene: Scene, objects: Detections, radius_file_px: float) -> Image.Image:
    """Draw close-ups of the objects of the highest scores, six radii wide, or `MAX_CROP_SIDE` if that is less."""
    highest = choose(objects, MAX_CROPS_PER_SHEET)
    side = min(MAX_CROP_SIDE, max(1, round(6 * radius_file_px)))
    return crops_sheet(read_crops(scene, highest, side), highest)

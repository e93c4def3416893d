"""Pictures of labelled scenes: what a model found in them, and sheets of its worst errors."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

from detect.evaluation.matching import Criterion
from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, display_bands, original
from detect.labels.detections import Detections
from detect.reporting.pictures.captions import with_legend
from detect.reporting.pictures.closeups import choose, crops_sheet, read_crops
from detect.reporting.pictures.colours import to_display
from detect.reporting.pictures.overlays import overlay
from detect.reporting.writing import write_picture

matplotlib.use("Agg")

SHEET = 24
"""Crops on a sheet of errors; of more, the highest scores are shown."""


LONGEST = 2400
"""Longest side in pixels of a picture of a validation scene."""


def draw_scenes(
    folder: Path,
    scenes: Sequence[tuple[str, Scene, Detections]],
    found: Mapping[str, Detections],
    radius: float,
    criterion: Criterion,
) -> None:
    """Draw what was found in each validation scene, and a sheet of its worst errors.

    Args:
        folder: for `1.jpg` and on, in the order of the scenes (white dots are the truth, coloured rings the
            detections), and `1_false_alarms.jpg`, `1_missed.jpg`.
        scenes: name, pixels as the network sees them, and truth of each, in pixels of the image file.
        found: the detections, by name, in pixels of the image file.
        radius: of the rings, in pixels of what the network sees.
        criterion: when a detection and an object are one.
    """
    for number, (name, seen, truth) in enumerate(scenes, start=1):
        scene, ring = original(seen), radius / seen.factor_xy[0]
        pixels = to_display(read_window(scene, scene.window, display_bands(scene.bands)))
        scale = min(1.0, LONGEST / max(scene.shape))
        size = (max(1, round(scene.shape[1] * scale)), max(1, round(scene.shape[0] * scale)))
        small = np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
        for x, y in truth.xy * scale:
            row, col = int(y), int(x)
            small[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = 255
        picture = with_legend(overlay(small, found[name], scale, ring), found[name])
        write_picture(picture, folder / f"{number}.jpg")
        match = criterion.match(found[name], truth)
        errors = {"false_alarms": found[name][match.spurious], "missed": truth[match.missed]}
        for what, objects in errors.items():
            if len(objects):
                worst = choose(objects, SHEET)
                sheet = crops_sheet(read_crops(scene, worst, max(1, round(6 * ring))), worst)
                write_picture(sheet, folder / f"{number}_{what}.jpg")

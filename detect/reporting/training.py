"""Pictures of a training run: its curves, and what the model finds in the validation scenes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image

from detect.evaluation.matching import Criterion
from detect.imagery.files import replace_file
from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, original
from detect.labels.detections import Detections
from detect.learning.rates import RateCurve
from detect.reporting.captions import with_legend
from detect.reporting.colours import to_display
from detect.reporting.crops import choose, crops_sheet, read_crops
from detect.reporting.files import write_picture
from detect.reporting.pictures import overlay

matplotlib.use("Agg")

SHEET = 24
"""Crops on a sheet of errors; of more, the highest scores are shown."""

LONGEST = 2400
"""Longest side in pixels of a picture of a validation scene."""


def draw_curves(metrics: Path, path: Path) -> None:
    """Draw the losses and the scores of every epoch, from `metrics.csv`, as a PNG."""
    from matplotlib.figure import Figure

    table = pd.read_csv(metrics)
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, words in ((left, ("loss",)), (right, ("f1", "precision", "recall", "accuracy"))):
        for name in table.columns:
            if any(name.endswith(word) for word in words):
                axes.plot(table["epoch"] + 1, table[name], marker="o", markersize=3, label=name)
        axes.set_xlabel("epoch")
        axes.legend(frameon=False, fontsize=8)
        axes.grid(alpha=0.25)
    right.set_ylim(0, 1)
    with replace_file(path) as part:
        figure.savefig(part, format="png", dpi=130)


def draw_rates(curve: RateCurve, path: Path) -> None:
    """Draw the loss over the factor of the learning rates, and the factor that it suggests, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve.factors, curve.losses, ".", color="0.7", label="a batch")
    axes.plot(curve.factors, curve.smoothed, label="smoothed")
    axes.set_xscale("log")
    if curve.suggestion is not None:
        axes.axvline(curve.suggestion, color="tab:red", linestyle="--", label=f"suggested: {curve.suggestion:.2g}")
    axes.legend(frameon=False)
    axes.set_xlabel("factor of the learning rates")
    axes.set_ylabel("training loss")
    axes.grid(alpha=0.25)
    with replace_file(path) as part:
        figure.savefig(part, format="png", dpi=130)


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
        pixels = to_display(read_window(scene, scene.window, (1, 2, 3) if scene.bands >= 3 else (1,)))
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

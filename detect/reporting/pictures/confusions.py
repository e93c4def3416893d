"""Pictures of a classification: the confusion matrix, and the patches that were wrong with most confidence."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from detect.imagery.files import replace_file
from detect.labels.detections import Detections
from detect.reporting.pictures.closeups import crops_sheet
from detect.reporting.pictures.colours import to_display
from detect.reporting.writing import write_picture
from detect.samples.loading import PatchSet

matplotlib.use("Agg")

WORST = 36
"""Patches on the sheet of the worst errors."""


CELL = 0.55
"""Inches of a cell of the confusion matrix."""


def draw_confusion(confusion: Mapping[str, Any], path: Path) -> None:
    """Draw a confusion matrix as a PNG: numbers, and colours by the share of the row.

    Args:
        confusion: `labels` and `matrix` (rows true, columns found), as in `scores.json`.
        path: the file to write.
    """
    from matplotlib.figure import Figure

    labels, matrix = confusion["labels"], np.asarray(confusion["matrix"], np.float64)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 2.2 + CELL * len(labels)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, col), number in np.ndenumerate(matrix):
        if number:
            ink = "white" if share[row, col] > 0.5 else "black"
            axes.text(col, row, f"{number:.0f}", ha="center", va="center", color=ink, fontsize=8)
    places = range(len(labels))
    axes.set_xticks(places, _plain(labels), rotation=45, ha="right", fontsize=8)
    axes.set_yticks(places, _plain(labels), fontsize=8)
    axes.set_xlabel("found")
    axes.set_ylabel("true")
    with replace_file(path) as part:
        figure.savefig(part, format="png", dpi=130)


def _plain(labels: Sequence[str]) -> list[str]:
    """Keep matplotlib from reading a name as mathematics."""
    return [label.replace("$", r"\$") for label in labels]


def draw_worst(
    path: Path, patches: PatchSet, truth: NDArray[np.integer], probabilities: NDArray[np.floating], names: Sequence[str]
) -> bool:
    """Draw the patches that were classified wrongly with most confidence, the most confident first, as a JPEG.

    Under each stands what the network said, how surely, and what it is.

    Args:
        path: the file to write.
        patches: gives (pixels (C, H, W), output) by position.
        truth: (N,) positions in `names`.
        probabilities: (N, K) in [0, 1].
        names: of the K outputs.

    Returns:
        Whether anything was wrong; else no file is written.
    """
    found = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1)
    wrong = np.flatnonzero(found != truth)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:WORST]
    if not len(worst):
        return False
    squares = [patches[int(i)][0].numpy() for i in worst]
    row = to_display(np.concatenate(squares, axis=1))
    shown = row.reshape(len(worst), *squares[0].shape[1:], 3)
    places = Detections(np.zeros((len(worst), 2)), np.minimum(sure[worst], 1.0), found[worst], tuple(names))
    write_picture(crops_sheet(shown, places, captions=[f"is {names[truth[i]]}" for i in worst]), path)
    return True

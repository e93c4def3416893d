"""Pictures of a classification: the confusion matrix, and the patches misclassified with the highest probability."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.files import replace_file
from detect.labels.detections import Detections
from detect.reporting.pictures.closeups import crops_sheet
from detect.reporting.pictures.colours import to_display
from detect.reporting.writing import write_picture

if TYPE_CHECKING:
    from detect.samples.loading import PatchSet

MAX_WORST_PATCHES = 36
"""Patches on the sheet of misclassified patches; of more, those of the highest probabilities are shown."""


CELL_INCHES = 0.55
"""Side of a cell of the confusion matrix."""


def draw_confusion(confusion: Mapping[str, Any], path: Path) -> None:
    """Draw a confusion matrix as a PNG: numbers, and colours by the share of the row.

    Args:
        confusion: `labels` and `matrix` (rows true, columns found), as in `scores.json`.
        path: the file to write.
    """
    from matplotlib.figure import Figure

    labels, matrix = confusion["labels"], np.asarray(confusion["matrix"], np.float64)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 2.2 + CELL_INCHES * len(labels)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, col), number in np.ndenumerate(matrix):
        if number:
            ink = "white" if share[row, col] > 0.5 else "black"
            axes.text(col, row, f"{number:.0f}", ha="center", va="center", color=ink, fontsize=8)
    ticks = range(len(labels))
    axes.set_xticks(ticks, _escaped(labels), rotation=45, ha="right", fontsize=8)
    axes.set_yticks(ticks, _escaped(labels), fontsize=8)
    axes.set_xlabel("found")
    axes.set_ylabel("true")
    with replace_file(path) as part:
        figure.savefig(part, format="png", dpi=130)


def _escaped(labels: Sequence[str]) -> list[str]:
    """Escape dollar signs, between which matplotlib reads mathematics."""
    return [label.replace("$", r"\$") for label in labels]


def draw_worst(
    path: Path,
    patches: "PatchSet",
    truth: NDArray[np.integer],
    probabilities: NDArray[np.floating],
    names: Sequence[str],
) -> bool:
    """Draw the misclassified patches as a JPEG, in descending order of the probability of the wrong class.

    Below each patch are the probability, the class found and the true class.

    Args:
        path: the file to write.
        patches: N patches, each (pixels (C, H, W), position of the true class).
        truth: (N,) positions in `names`.
        probabilities: (N, K) in [0, 1].
        names: of the K classes.

    Returns:
        Whether any patch was misclassified; otherwise no file is written.
    """
    found = probabilities.argmax(axis=1)
    highest = probabilities.max(axis=1)
    wrong = np.flatnonzero(found != truth)
    worst = wrong[np.argsort(-highest[wrong], kind="stable")][:MAX_WORST_PATCHES]
    if not len(worst):
        return False
    squares = [patches[int(i)][0].numpy() for i in worst]
    crops = to_display(np.concatenate(squares, axis=1)).reshape(len(worst), *squares[0].shape[1:], 3)
    detections = Detections(np.zeros((len(worst), 2)), np.minimum(highest[worst], 1.0), found[worst], tuple(names))
    write_picture(crops_sheet(crops, detections, captions=[f"is {names[truth[i]]}" for i in worst]), path)
    return True

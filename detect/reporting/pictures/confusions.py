"""Pictures of a classification: the confusion matrix, and the patches misclassified with the highest probability."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.classes.class_figures import ClassConfusions
from detect.imagery.files import replace_file
from detect.labels.detections import Detections
from detect.reporting.pictures.closeups import crops_sheet
from detect.reporting.pictures.colours import to_display
from detect.reporting.writing import write_picture

if TYPE_CHECKING:
    from detect.samples.loading import PatchSet

MAX_WORST_PATCHES = 36
"""Patches on the sheet of misclassified patches; of more, those of the highest probabilities are shown."""


CELL_INCHES, SMALLEST_CELL, LARGEST_MATRIX = 0.55, 0.3, 20.0
"""Side of a cell of the confusion matrix; of a cell that has numbers at least; of a whole matrix at most."""


def draw_confusion(confusion: Mapping[str, Any], path: Path) -> None:
    """Draw a confusion matrix as a PNG (`draw_confusions`).

    Args:
        confusion: `labels` and `matrix` (rows true, columns found), as in `scores.json`.
        path: the file to write.
    """
    labels, matrix = tuple(confusion["labels"]), np.asarray(confusion["matrix"], np.int64)
    draw_confusions(ClassConfusions(labels, labels, matrix, matrix.sum(axis=1)), path)


def draw_confusions(confusions: ClassConfusions, path: Path) -> None:
    """Draw confusions as a PNG: in each cell the percent of its row's examples, as its colour too, and their number.

    Args:
        confusions: rows true, columns found.
        path: the file to write.
    """
    from matplotlib.figure import Figure

    percent, (rows, columns) = np.nan_to_num(confusions.percent), confusions.numbers.shape
    cell = min(CELL_INCHES, LARGEST_MATRIX / max(rows, columns))
    figure = Figure(figsize=(2.2 + cell * columns, 2.2 + cell * rows), layout="constrained")
    axes = figure.subplots()
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100, aspect="equal")
    for (row, col), number in np.ndenumerate(confusions.numbers):
        if number and cell >= SMALLEST_CELL:
            ink = "white" if percent[row, col] > 50 else "black"
            text = f"{percent[row, col]:.3g} %\n{number:,}"
            axes.text(col, row, text, ha="center", va="center", color=ink, fontsize=6.5 * cell / CELL_INCHES)
    axes.set_xticks(range(columns), escaped(confusions.found), rotation=45, ha="right", fontsize=8 * cell / CELL_INCHES)
    axes.set_yticks(range(rows), escaped(confusions.true), fontsize=8 * cell / CELL_INCHES)
    axes.set_xlabel("found (percent of the true class, and number)")
    axes.set_ylabel("true")
    with replace_file(path) as part:
        figure.savefig(part, format="png", dpi=130)


def escaped(labels: Sequence[str]) -> list[str]:
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

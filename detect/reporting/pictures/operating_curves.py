"""Curves of each class against the rest: receiver operating characteristics, and precision over recall."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.classes.one_against_rest import ClassCurves
from detect.imagery.files import replace_file
from detect.reporting.pictures.confusions import escaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Corner = Literal["lower left", "lower right"]

MOST_NAMED = 20
"""Most classes whose curves have colours and names of their own; of more, all are drawn in one colour."""


def draw_roc(curves: Sequence[ClassCurves], path: Path) -> bool:
    """Draw the receiver operating characteristic of each class against the rest as a PNG.

    The legend has the areas; a dot marks the point nearest to (0, 1).

    Args:
        curves: of the classes; those that are not defined are left out.
        path: the file to write.

    Returns:
        Whether any is defined; otherwise no file is written.
    """
    known = [each for each in curves if len(each.roc)]
    if not known:
        return False
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], "--", color="0.7", linewidth=1)
    for number, each in enumerate(known):
        line = _line(axes, len(known), number, each.roc[:, 1], each.roc[:, 2], f"{each.name}  {each.roc_auc:.3f}")
        if each.nearest is not None:
            point = each.nearest.false_positive_rate, each.nearest.true_positive_rate
            axes.plot(*point, "o", color=line, markersize=5)
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    _finish(figure, axes, len(known), "area under the curve", "lower right", path)
    return True


def draw_precision_recall(curves: Sequence[ClassCurves], path: Path) -> bool:
    """Draw precision over recall of each class against the rest as a PNG; the legend has the average precisions.

    Args:
        curves: of the classes; those that are not defined are left out.
        path: the file to write.

    Returns:
        Whether any is defined; otherwise no file is written.
    """
    known = [each for each in curves if len(each.precision_recall)]
    if not known:
        return False
    figure, axes = _square()
    for number, each in enumerate(known):
        rows = each.precision_recall
        _line(axes, len(known), number, rows[:, 1], rows[:, 2], f"{each.name}  {each.average_precision:.3f}")
    axes.set(xlabel="recall", ylabel="precision")
    _finish(figure, axes, len(known), "average precision", "lower left", path)
    return True


def _square() -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.grid(alpha=0.25)
    return figure, axes


def _line(axes: "Axes", of: int, number: int, x: NDArray[np.float64], y: NDArray[np.float64], label: str) -> str:
    """Draw a curve and return its colour; beyond ten classes lines are dashed too."""
    if of > MOST_NAMED:
        axes.plot(x, y, color="tab:blue", alpha=0.35, linewidth=1)
        return "tab:blue"
    colour = f"C{number % 10}"
    (shown,) = escaped([label])
    axes.plot(x, y, "-" if number < 10 else "--", color=colour, linewidth=1.4, label=shown)
    return colour


def _finish(
    figure: "Figure", axes: "Axes", known: int, what: str, where: Literal["lower left", "lower right"], path: Path
) -> None:
    if known > MOST_NAMED:
        axes.set_title(f"{known} classes; the {what} of each is in the table", fontsize=9)
    else:
        axes.legend(frameon=False, fontsize=8, title=what, title_fontsize=8, loc=where)
    with replace_file(path) as part:
        figure.savefig(part, format="png", dpi=130)

"""Curves: losses and scores over the epochs, the loss over the learning rates, what is there over its score."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detect.imagery.files import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from detect.learning.trials.rates import RateCurve

RELIABILITY = "reliability.png"
"""The picture of how often what has a score is there, beside those of what was found."""


def draw_curves(metrics: Path, path: Path) -> None:
    """Draw the losses and the scores of every epoch as a PNG.

    Args:
        metrics: a table in CSV with a column `epoch` from 0; columns whose names end in `loss` are drawn on the left,
            those of scores in [0, 1] on the right.
        path: the file to write.
    """
    import pandas as pd
    from matplotlib.figure import Figure

    table = pd.read_csv(metrics)
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, words in ((left, ("loss",)), (right, ("f1", "precision", "recall", "accuracy"))):
        for name in table.columns:
            if any(name.endswith(word) for word in words):
                axes.plot(table["epoch"] + 1, table[name], marker="o", markersize=3, label=name)
        axes.set_xlabel("epoch")
        if axes.lines:
            axes.legend(frameon=False, fontsize=8)
        axes.grid(alpha=0.25)
    right.set_ylim(0, 1)
    _write_png(figure, path)


def draw_rates(curve: "RateCurve", path: Path) -> None:
    """Draw the loss over the factor of the learning rates, with the suggested factor, as a PNG.

    Args:
        curve: the factors, the losses of their batches, and the suggestion.
        path: the file to write.
    """
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
    _write_png(figure, path)


def draw_reliability(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw how often what has a score is there, over the score, as a PNG; nothing where there is none.

    Probabilities that hold lie on the diagonal; below it scores promise too much, above it too little.

    Args:
        rows: of the parts of [0, 1], `score`, `there` and `found` (`evaluation.calibration.reliability_of`).
        path: the file to write.
    """
    if not rows:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color="0.7", label="probabilities that hold")
    axes.plot([row["score"] for row in rows], [row["there"] for row in rows], marker="o", label="these")
    for row in rows:
        axes.annotate(f"{row['found']:,}", (row["score"], row["there"]), (4, -10), textcoords="offset points", size=7)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="score", ylabel="share that is right")
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    axes.grid(alpha=0.25)
    _write_png(figure, path)


def _write_png(figure: "Figure", path: Path) -> None:
    """Write a figure as a PNG, whole or not at all."""
    with replace_file(path) as part:
        figure.savefig(part, format="png", dpi=130)

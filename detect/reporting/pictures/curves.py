"""Curves of a training run: losses and scores over the epochs, the loss over the learning rates."""

from pathlib import Path

import matplotlib
import pandas as pd

from detect.imagery.files import replace_file
from detect.learning.rates import RateCurve

matplotlib.use("Agg")


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

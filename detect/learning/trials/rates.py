"""Finding a learning rate: the loss while one factor of all rates rises from step to step (Smith 2017)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from numpy.typing import NDArray
from pytorch_lightning.tuner.tuning import Tuner
from scipy.ndimage import gaussian_filter1d
from torch.optim import AdamW

from detect.imagery.files import replace_file
from detect.learning.hyperparameters import RateSpan
from detect.learning.module import CountingModule
from detect.samples.loading import PatchData

SMOOTHING = 0.06
"""Standard deviation of the Gaussian that smooths the losses, relative to the number of steps."""


@dataclass(frozen=True, eq=False)
class RateCurve:
    """The loss of the batch at each factor, up to the first loss that is not finite.

    Attributes:
        factors: (N,) factors of all rates, in equal ratios.
        losses: (N,) finite losses.
    """

    factors: NDArray[np.float64]
    losses: NDArray[np.float64]

    @property
    def smoothed(self) -> NDArray[np.float64]:
        """The losses (N,), smoothed symmetrically, so that the curve is not shifted."""
        return np.asarray(gaussian_filter1d(self.losses, SMOOTHING * len(self.losses), mode="nearest"))

    @property
    def suggestion(self) -> float | None:
        """The factor at which the loss falls most steeply over the logarithm of the factor; None if it never falls."""
        if len(self.losses) < 3:
            return None
        slope = np.gradient(self.smoothed, np.log(self.factors))
        return float(self.factors[slope.argmin()]) if slope.min() < 0 else None


class BesideOutput(TorchCheckpointIO):
    """Writes the search's own checkpoint straight to its place; Lightning's way there leads through TMPDIR."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint, whole or not at all."""
        with replace_file(Path(path)) as part:
            torch.save(checkpoint, part)


class FactorAdamW(AdamW):
    """AdamW whose `lr` is a factor of each group's own `rate`, so that one number scales all rates."""

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make a step with `lr * rate`; `lr` is the factor again afterwards."""
        factors = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] *= group["rate"]
        try:
            return super().step(closure)
        finally:
            for group, factor in zip(self.param_groups, factors, strict=True):
                group["lr"] = factor


def find_rates(trainer: pl.Trainer, module: CountingModule, data: PatchData, span: RateSpan) -> RateCurve:
    """Return the losses of a training whose rates rise from step to step; the weights are restored afterwards.

    Args:
        trainer: without validation, with `BesideOutput`; a temporary checkpoint is written to its folder.
        module: without scenes to count.
        data: the training samples.
        span: the factors.
    """
    configure = module.configure_optimizers

    def with_factor() -> FactorAdamW:
        made: Any = configure()
        groups = made["optimizer"].param_groups
        kept = ("params", "weight_decay")
        return FactorAdamW(
            [{name: g[name] for name in kept} | {"rate": g.get("initial_lr", g["lr"])} for g in groups], lr=1.0
        )

    losses: list[float] = []

    def add_loss(outputs: Any, batch: Any, batch_idx: int) -> None:
        losses.append(float(outputs["loss"]))

    module.configure_optimizers, module.on_train_batch_end = with_factor, add_loss  # type: ignore[method-assign]
    try:
        found = Tuner(trainer).lr_find(
            module, datamodule=data, min_lr=span.least, max_lr=span.most, num_training=span.steps, update_attr=False
        )
    finally:
        del module.configure_optimizers, module.on_train_batch_end
    assert found is not None
    finite = int(np.isfinite(losses).cumprod().sum())
    return RateCurve(np.array(found.results["lr"][:finite], np.float64), np.array(losses[:finite]))

"""Overfitting a single batch, as a check: a network that cannot do so cannot learn."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl

from detect.samples.epochs import Loading, Samples
from detect.samples.loading import PatchData

logger = logging.getLogger(__name__)

MAX_LOSS_SHARE = 0.05
"""Greatest loss at the end, relative to that at the start, of a batch that was learned."""


class Losses(pl.Callback):
    """Collects the loss of every step in `values`, and logs a tenth of them."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the loss of a step to `values`."""
        loss = outputs["loss"] if isinstance(outputs, Mapping) else outputs
        self.values.append(float(loss))
        if (len(self.values) - 1) % max(1, (trainer.max_epochs or 1) // 10) == 0:
            logger.info("step %4d  loss %.4f", len(self.values), self.values[-1])


def one_batch(samples: Samples, loading: Loading) -> PatchData:
    """Make data whose every epoch is the first batch of training, read once.

    Raises:
        ValueError: fewer samples than a batch.
    """
    patches = samples.epoch(0)
    number = loading.batch_size
    if len(patches) < number:  # type: ignore[arg-type]
        raise ValueError(f"a batch has {number} patches, and there are {len(patches)}; lower data.loading.batch_size")  # type: ignore[arg-type]
    fixed = [patches[i] for i in range(number)]
    return PatchData(lambda epoch: fixed, fixed, Loading(number, 0, loading.cache))  # type: ignore[arg-type, return-value]


def learned(losses: Sequence[float]) -> bool:
    """Return whether a batch was learned: the loss fell to `MAX_LOSS_SHARE` of its first value."""
    return losses[-1] <= MAX_LOSS_SHARE * losses[0]

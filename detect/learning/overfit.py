"""Learning one batch by heart: what cannot do that cannot learn."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl

from detect.samples.epochs import Loading, Samples
from detect.samples.loading import PatchData

logger = logging.getLogger(__name__)

LEARNED = 0.05
"""The loss at the end, as a part of the loss at the start, up to which a batch was learned."""


class Losses(pl.Callback):
    """Notes the loss of every step in `values`, and logs a tenth of them."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the loss."""
        loss = outputs["loss"] if isinstance(outputs, Mapping) else outputs
        self.values.append(float(loss))
        if (len(self.values) - 1) % max(1, (trainer.max_epochs or 1) // 10) == 0:
            logger.info("step %4d  loss %.4f", len(self.values), self.values[-1])


def one_batch(samples: Samples, loading: Loading) -> PatchData:
    """Make an epoch of one batch, the same in every epoch: the first of the training, read once.

    Raises:
        ValueError: fewer patches than a batch.
    """
    patches = samples.epoch(0)
    number = loading.batch_size
    if len(patches) < number:  # type: ignore[arg-type]
        raise ValueError(f"a batch has {number} patches, and there are {len(patches)}; lower data.loading.batch_size")  # type: ignore[arg-type]
    fixed = [patches[i] for i in range(number)]
    return PatchData(lambda epoch: fixed, fixed, Loading(number, 0, loading.cache))  # type: ignore[arg-type, return-value]


def learned(losses: Sequence[float]) -> bool:
    """Say whether a batch was learned: the loss fell to `LEARNED` of its start."""
    return losses[-1] <= LEARNED * losses[0]

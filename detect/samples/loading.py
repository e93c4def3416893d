"""Batches of samples: the Lightning data module, and the normalisation of their pixels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from detect.samples.epochs import Loading

PatchSet = Dataset[Any]
"""Pairs of pixels and their target: an output's number, or a grid's targets."""


class PatchData(pl.LightningDataModule):
    """Patches or crops for training and validation.

    Args:
        train: returns the samples of an epoch, in order; the same epoch has the same samples.
        val: the validation samples.
        loading: batch size and workers.
    """

    def __init__(self, train: Callable[[int], PatchSet], val: PatchSet, loading: Loading) -> None:
        super().__init__()
        self.train = train
        self.val = val
        self.loading = loading

    def train_dataloader(self) -> DataLoader[Any]:
        """Return batches of the trainer's current epoch (the trainer must reload its loaders every epoch)."""
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        return self._loader(self.train(epoch), drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Return batches of the validation samples."""
        return self._loader(self.val, drop_last=False)

    def _loader(self, patches: PatchSet, *, drop_last: bool) -> DataLoader[Any]:
        """Return a loader with its own generator: it must not draw from torch's, whose state a resumed run restores."""
        size = self.loading.batch_size
        short = len(patches) < size  # type: ignore[arg-type]
        return DataLoader(
            patches,
            batch_size=size,
            num_workers=self.loading.workers,
            drop_last=drop_last and not short,
            generator=torch.Generator(),
        )


def measure_normalisation(patches: PatchSet, number: int = 256) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation of each band over the first `number` training samples.

    Raises:
        ValueError: a pixel that is not finite.
    """
    sums, squares, pixels_per_band = np.zeros(1), np.zeros(1), 0
    for i in range(min(number, len(patches))):  # type: ignore[arg-type]
        pixels = patches[i][0].double().flatten(1).numpy()
        if not np.isfinite(pixels).all():
            raise ValueError("the training images hold NaN or infinite pixels; replace them first")
        sums, squares = sums + pixels.sum(axis=1), squares + (pixels**2).sum(axis=1)
        pixels_per_band += pixels.shape[1]
    mean = sums / pixels_per_band
    spread = np.sqrt(np.maximum(squares / pixels_per_band - mean**2, 0))
    return tuple(mean.tolist()), tuple(np.maximum(spread, 1e-6).tolist())

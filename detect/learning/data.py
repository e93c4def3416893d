"""The Lightning data module: an epoch's patches, drawn anew every epoch, and the fixed ones that validate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

PatchSet = Dataset[Any]
"""Pairs of pixels and what is wanted: an output's number, or a grid's targets."""


@dataclass(frozen=True)
class Loading:
    """How batches are put together.

    Attributes:
        batch_size: patches a batch.
        workers: processes that cut and augment patches; 0 does it in the main process.
    """

    batch_size: int
    workers: int

    def __post_init__(self) -> None:
        if self.batch_size < 2:
            raise ValueError(f"data.batch_size must be 2 or more (batch normalisation), got {self.batch_size}")
        if self.workers < 0:
            raise ValueError(f"data.workers must be 0 or more, got {self.workers}")


class PatchData(pl.LightningDataModule):
    """Patches for training and validation.

    Args:
        train: gives the patches of an epoch, in order; the same epoch gives the same patches.
        val: the patches that validate.
        loading: batch size and workers.
    """

    def __init__(self, train: Callable[[int], PatchSet], val: PatchSet, loading: Loading) -> None:
        super().__init__()
        self.train = train
        self.val = val
        self.loading = loading

    def train_dataloader(self) -> DataLoader[Any]:
        """Load the patches of the trainer's current epoch (the trainer must reload its loaders every epoch)."""
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        return self._loader(self.train(epoch), drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Load the validation patches."""
        return self._loader(self.val, drop_last=False)

    def _loader(self, patches: PatchSet, *, drop_last: bool) -> DataLoader[Any]:
        """Load with a generator of its own: an iterator draws a number, and a resumed run draws it at another time."""
        size = self.loading.batch_size
        short = len(patches) < size  # type: ignore[arg-type]
        return DataLoader(
            patches,
            batch_size=size,
            num_workers=self.loading.workers,
            drop_last=drop_last and not short,
            generator=torch.Generator(),
        )

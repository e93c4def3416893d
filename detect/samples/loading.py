"""Batches of samples: the Lightning data module, and the normalisation of their pixels."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from detect.nets.device_memory import naming_memory
from detect.samples.epochs import Loading

SHARED_MEMORY = Path("/dev/shm")
"""Where Linux keeps the memory that processes share."""

PREFETCHED = 2
"""Batches that each worker makes ahead: torch's default."""

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
        if self.loading.workers and len(patches):  # type: ignore[arg-type]
            check_shared_memory(patches[0], self.loading)
        short = len(patches) < size  # type: ignore[arg-type]
        return DataLoader(
            patches,
            batch_size=size,
            num_workers=self.loading.workers,
            drop_last=drop_last and not short,
            generator=torch.Generator(),
        )


def check_shared_memory(sample: Any, loading: Loading, folder: Path = SHARED_MEMORY) -> None:
    """Check that the batches that workers hand over fit into the memory that processes share.

    Of a worker that finds it full, the system ends the process: containers often have 64 MiB of it.

    Args:
        sample: one sample: tensors, in tuples, lists or dictionaries.
        loading: batch size and workers, each of which makes `PREFETCHED` batches ahead.
        folder: in which shared memory lies; where there is none, nothing is checked.

    Raises:
        ValueError: it has less room; the message says how much is needed, and the ways out.
    """
    if not folder.is_dir():
        return
    batch = loading.batch_size * _sample_bytes(sample)
    needed, free = batch * (PREFETCHED * loading.workers + 1), shutil.disk_usage(folder).free
    if needed > free:
        fitting = (free // max(batch, 1) - 1) // PREFETCHED
        raise ValueError(
            f"data.loading.workers={loading.workers} needs {-(-needed >> 20)} MiB of shared memory ({folder}), "
            f"which has {free >> 20} MiB free: set data.loading.workers={max(0, fitting)}, lower "
            f"data.loading.batch_size (it is {loading.batch_size}), or give the machine more (a container: --shm-size)"
        )


def _sample_bytes(sample: Any) -> int:
    """Return the bytes of a sample's tensors and numbers."""
    if isinstance(sample, Mapping):
        return sum(map(_sample_bytes, sample.values()))
    if isinstance(sample, list | tuple):
        return sum(map(_sample_bytes, sample))
    return sample.nbytes if isinstance(sample, torch.Tensor | np.ndarray) else 8


@contextmanager
def memory_told(loading: Loading) -> Iterator[None]:
    """Turn a lack of memory in a training, on the device or between processes, into an error that says the way out.

    Raises:
        MemoryError: the device has no memory for a batch.
        ValueError: a worker ended, as the system ends those that find shared memory full.
    """
    size = loading.batch_size
    try:
        with naming_memory(
            f"the device has no memory for a training batch of {size}: set data.loading.batch_size={max(2, size // 2)} "
            "and trainer.accumulate_grad_batches=2, which learns alike, or smaller samples"
        ):
            yield
    except RuntimeError as error:
        text = str(error)
        if not (loading.workers and ("DataLoader worker" in text or "bus error" in text.lower())):
            raise
        raise ValueError(
            f"a process of data.loading.workers={loading.workers} ended ({text.splitlines()[0]}); it may have found "
            f"memory full, that of the machine or that which processes share ({SHARED_MEMORY}): lower "
            "data.loading.workers or data.loading.batch_size"
        ) from error

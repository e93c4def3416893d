"""Batches of samples: the Lightning data module, and the normalisation of their pixels."""

import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from detect.nets.machine.device_memory import naming_memory
from detect.nets.machine.processors import usable_cores
from detect.samples.epochs import Loading
from detect.samples.feeding.batches import batched
from detect.samples.feeding.parts import InParts, MadeOfParts, PartBatches, Share
from detect.samples.feeding.workers import SLOW_SAMPLES, Machine, SampleClock, is_measured, workers_for

logger = logging.getLogger(__name__)

SHARED_MEMORY = Path("/dev/shm")
"""Where Linux keeps the memory that processes share."""

PREFETCHED = 2
"""Batches that each worker makes ahead: torch's default."""

PatchSet = Dataset[Any]
"""Pairs of pixels and their target: an output's number, or a grid's targets."""


class PatchData(pl.LightningDataModule):
    """Patches or crops for training and validation.

    Processes that make samples live from epoch to epoch where these are `InParts`. Several devices share the samples
    out: a batch of each together are those that one device with a batch of all their sizes would learn from.

    Args:
        train: returns the samples of an epoch, in order; the same epoch has the same samples.
        val: the validation samples.
        loading: batch size and workers.
        start_method: of the processes, as `multiprocessing` calls it; None takes the system's.
        shared: whether several devices share the samples out, as is usual; else each learns from all.
    """

    def __init__(
        self,
        train: Callable[[int], PatchSet],
        val: PatchSet,
        loading: Loading,
        start_method: str | None = None,
        *,
        shared: bool = True,
    ) -> None:
        super().__init__()
        self.train = train
        self.val = val
        self.loading = loading
        self.start_method = start_method
        self.shared = shared
        self._workers: int | None = None
        self._clock: SampleClock | None = None
        self._lasting: dict[str, DataLoader[Any]] = {}

    def train_dataloader(self) -> DataLoader[Any]:
        """Return batches of the trainer's current epoch (the trainer must ask for its loaders every epoch)."""
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        self._judge()
        return self._loader("train", self.train(epoch), drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Return batches of the validation samples."""
        return self._loader("val", self.val, drop_last=False)

    def teardown(self, stage: str) -> None:
        """End the processes, though an error's traceback may hold their loader still."""
        for loader in self._lasting.values():
            end = getattr(loader._iterator, "_shutdown_workers", None)
            if end is not None:
                end()
        self._lasting.clear()

    def _loader(self, side: str, patches: PatchSet, *, drop_last: bool) -> DataLoader[Any]:
        """Return a loader with its own generator: it must not draw from torch's, whose state a resumed run restores."""
        size, number = self.loading.batch_size, len(patches)  # type: ignore[arg-type]
        share = self._share()
        batches = PartBatches(patches, size, whole=drop_last and number >= size * share.of, share=share)
        if side in self._lasting:
            lasting = self._lasting[side].batch_sampler
            assert isinstance(lasting, PartBatches) and isinstance(patches, InParts)
            lasting.patches, lasting.whole = patches, batches.whole
            return self._lasting[side]
        workers = min(self._number_of_workers(patches), len(batches))
        common: dict[str, Any] = {
            "num_workers": workers,
            "collate_fn": batched,
            "generator": torch.Generator(),
            "pin_memory": self._machine().device == "cuda",
            "worker_init_fn": start_worker if workers else None,
            "multiprocessing_context": self.start_method if workers else None,
        }
        if not isinstance(patches, InParts):
            return DataLoader(patches, batch_sampler=batches, **common)
        if not workers:
            clock = self._clock if side == "train" else None
            return DataLoader(MadeOfParts(patches, clock), batch_sampler=batches, **common)
        patches.preload()
        made = DataLoader(MadeOfParts(patches), batch_sampler=batches, persistent_workers=True, **common)
        self._lasting[side] = made
        return made

    def _number_of_workers(self, patches: PatchSet) -> int:
        """Return the number of processes, chosen once and logged where it is not given."""
        empty = not len(patches)  # type: ignore[arg-type]
        if self.loading.workers is not None:
            if self.loading.workers and not empty:
                check_shared_memory(patches[0], self.loading)
            return self.loading.workers
        if self._workers is None and not empty:
            number, why = workers_for(self._machine(), in_parts=isinstance(patches, InParts))
            if number:
                fitting = workers_that_fit(patches[0], self.loading.batch_size, SHARED_MEMORY)
                if fitting < number:
                    number, why = fitting, f"{why}; shared memory ({SHARED_MEMORY}) has room for the batches of so many"
            logger.info("samples are made by %s: data.loading.workers=auto, %s", _processes(number), why)
            self._workers = number
            if not number and isinstance(patches, InParts) and is_measured(self._machine()):
                self._clock = SampleClock(self.loading.batch_size)
        return self._workers or 0

    def _judge(self) -> None:
        """Have one process make samples from now on, if they took long in an epoch that was measured."""
        share = None if self._clock is None else self._clock.share
        if share is None:
            return
        self._clock = None
        if share > SLOW_SAMPLES and workers_that_fit(self.train(0)[0], self.loading.batch_size, SHARED_MEMORY):
            self._workers = 1
        logger.info(
            "samples took %.0f %% of an epoch's time: %s makes them", 100 * share, _processes(self._workers or 0)
        )

    def _machine(self) -> Machine:
        """Return what the samples are made on, and for."""
        if self.trainer is None:
            return Machine(usable_cores(), "cuda" if torch.cuda.is_available() else "cpu", 1)
        return Machine(usable_cores(), self.trainer.strategy.root_device.type, self.trainer.num_devices)

    def _share(self) -> Share:
        """Return which of the processes that learn together this one is."""
        if self.trainer is None or not self.shared:
            return Share()
        return Share(self.trainer.global_rank, self.trainer.world_size)


def start_worker(number: int) -> None:
    """Set one core for a process that makes samples; torch does that for itself.

    Args:
        number: of the process.
    """
    import cv2

    cv2.setNumThreads(0)


def _processes(number: int) -> str:
    return "the process that learns" if not number else f"{number} process{'es' if number > 1 else ''} beside it"


def workers_that_fit(sample: Any, batch_size: int, folder: Path) -> int:
    """Return for how many workers' batches of samples like one the memory that processes share has room."""
    if not folder.is_dir():
        return sys.maxsize
    batch = batch_size * _sample_bytes(sample)
    return max(0, (shutil.disk_usage(folder).free // max(batch, 1) - 1) // PREFETCHED)


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
    workers, batch = loading.workers or 0, loading.batch_size * _sample_bytes(sample)
    needed, free = batch * (PREFETCHED * workers + 1), shutil.disk_usage(folder).free
    if needed > free:
        fitting = workers_that_fit(sample, loading.batch_size, folder)
        raise ValueError(
            f"data.loading.workers={workers} needs {-(-needed >> 20)} MiB of shared memory ({folder}), "
            f"which has {free >> 20} MiB free: set data.loading.workers={fitting}, lower "
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
        text, given = str(error), "auto" if loading.workers is None else loading.workers
        if not (loading.workers != 0 and ("DataLoader worker" in text or "bus error" in text.lower())):
            raise
        raise ValueError(
            f"a process of data.loading.workers={given} ended ({text.splitlines()[0]}); it may have found "
            f"memory full, that of the machine or that which processes share ({SHARED_MEMORY}): lower "
            "data.loading.workers or data.loading.batch_size"
        ) from error

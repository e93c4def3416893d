"""Samples of one epoch after another from processes that live on: each is sent what is particular to a sample."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch.utils.data import Dataset, Sampler

from detect.samples.feeding.workers import SampleClock


@runtime_checkable
class InParts(Protocol):
    """Samples of an epoch, which are made of small parts and of what is the same in every epoch."""

    def __len__(self) -> int:
        """Return their number."""

    def part(self, index: int) -> Any:
        """Return what is particular to a sample: where it is, its seed."""

    def made(self, part: Any) -> Any:
        """Return the sample that a part of any epoch stands for."""

    def preload(self) -> None:
        """Load what all processes are to share, before there are any."""


class MadeOfParts(Dataset[Any]):
    """Makes samples of parts, in a process that has seen the first epoch.

    Args:
        patches: samples of an epoch.
        clock: measures how long they take; None measures nothing.
    """

    def __init__(self, patches: InParts, clock: SampleClock | None = None) -> None:
        self.patches = patches
        self.clock = clock

    def __len__(self) -> int:
        return len(self.patches)

    def __getitem__(self, part: Any) -> Any:
        """Return the sample of a part."""
        with nullcontext() if self.clock is None else self.clock:
            return self.patches.made(part)


@dataclass(frozen=True)
class Share:
    """Which of the processes that learn together this one is.

    Attributes:
        place: its number, from 0.
        of: how many there are.
    """

    place: int = 0
    of: int = 1


def batches_of(number: int, size: int, share: Share, *, whole: bool) -> list[Sequence[int]]:
    """Return the places of the samples of a process's batches, as many batches as every other process has.

    A batch of each process together are the samples that one process with batches of all their sizes would have. Where
    there are fewer samples than processes, each has all.

    Args:
        number: of samples.
        size: samples a batch of one process.
        share: which of the processes.
        whole: leave out the last samples that are too few for a batch of each process.
    """
    if share.of == 1 or number < share.of:
        starts = range(0, number - size + 1 if whole else number, size)
        return [range(start, min(start + size, number)) for start in starts]
    if whole:
        every = size * share.of
        return [range(i * every + share.place, (i + 1) * every, share.of) for i in range(number // every)]
    own, batches = range(share.place, number, share.of), -(-number // (size * share.of))
    return [part.tolist() for part in np.array_split(own, batches)]


class PartBatches(Sampler[list[Any]]):
    """Batches of an epoch's samples, in their order: of their parts, or of their places where they have none.

    Args:
        patches: samples of an epoch; another epoch's take their place.
        size: samples a batch.
        whole: leave out a last batch of fewer.
        share: which of the processes that learn together this one is.
    """

    def __init__(self, patches: Any, size: int, *, whole: bool, share: Share) -> None:
        self.patches = patches
        self.size = size
        self.whole = whole
        self.share = share

    def __len__(self) -> int:
        return len(self._batches())

    def __iter__(self) -> Iterator[list[Any]]:
        part = self.patches.part if isinstance(self.patches, InParts) else int
        for batch in self._batches():
            yield [part(i) for i in batch]

    def _batches(self) -> list[Sequence[int]]:
        return batches_of(len(self.patches), self.size, self.share, whole=self.whole)

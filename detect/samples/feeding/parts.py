"""Samples of one epoch after another from processes that live on: each is sent what is particular to a sample."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from torch.utils.data import Dataset, Sampler


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
    """

    def __init__(self, patches: InParts) -> None:
        self.patches = patches

    def __len__(self) -> int:
        return len(self.patches)

    def __getitem__(self, part: Any) -> Any:
        """Return the sample of a part."""
        return self.patches.made(part)


class PartBatches(Sampler[list[Any]]):
    """Batches of the parts of an epoch's samples, in their order.

    Args:
        patches: samples of an epoch; another epoch's take their place.
        size: samples a batch.
        whole: leave out a last batch of fewer.
    """

    def __init__(self, patches: InParts, size: int, *, whole: bool) -> None:
        self.patches = patches
        self.size = size
        self.whole = whole

    def __len__(self) -> int:
        return len(self.patches) // self.size if self.whole else -(-len(self.patches) // self.size)

    def __iter__(self) -> Iterator[list[Any]]:
        for start in range(0, len(self) * self.size, self.size):
            yield [self.patches.part(i) for i in range(start, min(start + self.size, len(self.patches)))]

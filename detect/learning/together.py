"""What the processes of a training on several devices do together, so that they learn as one process would."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

Item = TypeVar("Item")

_together: ContextVar[bool] = ContextVar("together", default=False)


def processes() -> int:
    """Return how many processes learn together; 1 where one learns alone."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def place() -> int:
    """Return the number of this process among those that learn together, from 0."""
    return distributed.get_rank() if processes() > 1 else 0


@contextmanager
def together() -> Iterator[None]:
    """Share out what is done herein: all processes come here, at the same step of the training.

    Outside, the first process may work alone, as it does once the training is over.
    """
    token = _together.set(processes() > 1)
    try:
        yield
    finally:
        _together.reset(token)


def own_part(items: Sequence[Item]) -> Sequence[Item]:
    """Return what of the items this process does: all where it works alone."""
    return items[place() :: processes()] if _together.get() else items


def of_all(done: Mapping[str, Item], order: Sequence[str]) -> dict[str, Item]:
    """Return what all processes have done, by name.

    Args:
        done: by this process.
        order: all names.
    """
    if not _together.get():
        return dict(done)
    parts: list[Any] = [None] * processes()
    distributed.all_gather_object(parts, dict(done))
    merged = {name: each for part in parts for name, each in part.items()}
    return {name: merged[name] for name in order}


def share_buffers(module: nn.Module) -> None:
    """Send all processes the buffers of the first: statistics of batch normalisation, measured on each one's samples.

    What they find with the network is the same afterwards, and what the checkpoint keeps.
    """
    if processes() > 1:
        for buffer in module.buffers():
            distributed.broadcast(buffer.data, 0)


def mean_number(number: Tensor) -> Tensor:
    """Return numbers of this process as their mean over all processes; gradients are averaged over these too."""
    if processes() == 1:
        return number
    mean = number.detach().float()
    distributed.all_reduce(mean)
    return mean / processes()


def values_of_all(values: Tensor) -> Tensor:
    """Return the values (N,) of all processes, one after another, of which each may have another number."""
    if processes() == 1:
        return values
    number = torch.tensor([len(values)], device=values.device)
    numbers = [torch.empty_like(number) for _ in range(processes())]
    distributed.all_gather(numbers, number)
    most = int(torch.cat(numbers).max())
    padded = values.detach().new_zeros(most)
    padded[: len(values)] = values.detach()
    parts = [torch.empty_like(padded) for _ in range(processes())]
    distributed.all_gather(parts, padded)
    return torch.cat([part[: int(number)] for part, number in zip(parts, numbers, strict=True)])


def samples_of_all(parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return what all processes validated, the batches of this one being pairs on the processor."""
    every: list[Any] = [list(parts)]
    if processes() > 1:
        every = [None] * processes()
        distributed.all_gather_object(every, list(parts))
    one, other = zip(*[pair for part in every for pair in part], strict=True)
    return torch.cat(one), torch.cat(other)

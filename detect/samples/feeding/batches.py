"""Batches of samples: pixels as they lie in memory, and in one piece where another process makes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

ALIGNED = 64
"""Bytes to a multiple of which a tensor of a piece begins."""

Target = int | Tensor | Mapping[str, Tensor]


def batched(samples: Sequence[tuple[Tensor, Target]]) -> Any:
    """Return a batch of pairs of pixels (C, H, W) and a target, as torch's `default_collate` does.

    Of pixels that lie side by side it is one in the channels-last layout. In a process that makes samples it is one
    that becomes so when it is sent.
    """
    pixels, targets = zip(*samples, strict=True)
    images = [each.permute(1, 2, 0) for each in pixels]
    beside = all(image.is_contiguous() for image in images)
    stacks = {PIXELS: images if beside else list(pixels), **_by_name(targets)}
    if get_worker_info() is not None:
        return OnePiece(stacks, beside=beside)
    return _batch({name: torch.stack(tensors) for name, tensors in stacks.items()}, beside=beside)


PIXELS, TARGET = "", "target"
"""Names of a batch's pixels, and of targets that have none."""


def _by_name(targets: Sequence[Target]) -> dict[str, list[Tensor]]:
    """Return the tensors of a batch's targets, by their names."""
    first = targets[0]
    if isinstance(first, Mapping):
        return {name: [target[name] for target in targets] for name in first}  # type: ignore[index]
    return {TARGET: [torch.as_tensor(target) for target in targets]}


def _batch(tensors: dict[str, Tensor], *, beside: bool) -> list[Any]:
    """Return a batch: pixels (B, C, H, W), and its targets by name, or its only ones."""
    pixels = tensors.pop(PIXELS)
    return [pixels.permute(0, 3, 1, 2) if beside else pixels, tensors.get(TARGET, tensors)]


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in a piece of memory: its first byte, type and shape."""

    start: int
    dtype: torch.dtype
    shape: tuple[int, ...]

    def of(self, piece: Tensor) -> Tensor:
        """Return the tensor of a piece of bytes, which it shares."""
        stop = self.start + torch.Size(self.shape).numel() * self.dtype.itemsize
        return piece[self.start : stop].view(self.dtype).view(self.shape)


class OnePiece:
    """A batch that is sent to another process as one tensor, and is a batch there.

    Torch opens a connection for every tensor, which costs as much as a tenth of making a crop.

    Args:
        stacks: the tensors of all samples, by name.
        beside: whether pixels are images (H, W, C).
    """

    def __init__(self, stacks: Mapping[str, Sequence[Tensor]], *, beside: bool) -> None:
        self.beside = beside
        self.places: dict[str, Place] = {}
        stop = 0
        for name, tensors in stacks.items():
            place = Place(-(-stop // ALIGNED) * ALIGNED, tensors[0].dtype, (len(tensors), *tensors[0].shape))
            stop = place.start + sum(each.nbytes for each in tensors)
            self.places[name] = place
        self.piece = torch.empty(stop, dtype=torch.uint8)
        for name, tensors in stacks.items():
            torch.stack(list(tensors), out=self.places[name].of(self.piece))

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken_apart, (self.piece, self.places, self.beside)


def _taken_apart(piece: Tensor, places: Mapping[str, Place], beside: bool) -> list[Any]:
    """Return the batch that a piece of memory holds."""
    return _batch({name: place.of(piece) for name, place in places.items()}, beside=beside)

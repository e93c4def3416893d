"""Batches that are begun before the maps of the last one are waited for, where something else maps them meanwhile."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from detect.inference.stitching import Runtime
from detect.inference.tiles import Step, TileBatch

Maps = Callable[[], NDArray[np.float32]]
"""Waits for the maps of a batch."""


@runtime_checkable
class Overlapping(Protocol):
    """A runtime that may map a batch while this thread does something else, as a GPU or a thread of its own does.

    Attributes:
        overlaps: whether it does so; else a batch is mapped when it is begun.
    """

    overlaps: bool

    def begin(self, pixels: NDArray[np.generic]) -> Maps:
        """Begin to map a batch, as a call would, and return what waits for its maps."""


def begun(steps: Iterable[Step], runtime: Runtime) -> Iterator[tuple[Step, Maps]]:
    """Yield steps in their order, batches with what waits for their maps.

    Where batches are mapped meanwhile, one, and what comes after it, is yielded when the next one is begun: that one's
    transfer runs under this one's network, or its network while this one's maps are stitched.
    """
    device = runtime if isinstance(runtime, Overlapping) and runtime.overlaps else None
    held: deque[tuple[Step, Maps]] = deque()
    for step in steps:
        if not isinstance(step, TileBatch) or all(step.empty):
            held.append((step, no_maps))
        elif device is None:
            held.append((step, partial(runtime, step.pixels)))
        else:
            maps = device.begin(step.pixels)
            yield from _emptied(held)
            held.append((replace(step, pixels=no_maps()), maps))
        if device is None:
            yield from _emptied(held)
    yield from _emptied(held)


def _emptied(held: deque[tuple[Step, Maps]]) -> Iterator[tuple[Step, Maps]]:
    while held:
        yield held.popleft()


def no_maps() -> NDArray[np.float32]:
    """Return the maps of no tile."""
    return np.empty((0, 0, 0, 0), np.float32)

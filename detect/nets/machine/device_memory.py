"""A device without enough memory: how to know its errors, and a batch that is run in parts instead."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

PHRASES = ("out of memory", "not enough memory", "failed to allocate", "cannot allocate", "alloc_failed", "bad_alloc")
"""What errors without a type of their own say: those of MPS, of CUDA's libraries, of torch on the CPU, of OpenVINO."""

Run = Callable[[NDArray[np.generic]], NDArray[np.float32]]


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device, or the processor, has no memory for what was asked of it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(phrase in text for phrase in PHRASES)


@contextmanager
def naming_memory(way_out: str) -> Iterator[None]:
    """Turn errors of a device without memory into one that says the way out.

    Raises:
        MemoryError: with the message, where the block ran out of memory.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise MemoryError(f"{way_out} ({str(error).splitlines()[0]})") from error


class InParts:
    """Runs batches, and those for which the device has no memory in halves, quarters, ... down to single tiles.

    The size that worked is kept for later batches: the tiles stay what they are, so counts do too. What runs is given
    with each batch: a runtime that holds this, and was held by it, would keep its network until Python collects cycles.

    Args:
        device: its name, for the log and the error.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.most_pixels: int | None = None

    def __call__(self, run: Run, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map a batch.

        Args:
            run: maps a batch of tiles (B, bands, H, W) to (B, K, h, w), each tile by itself.
            pixels: the batch.

        Raises:
            MemoryError: the device has no memory for a single tile.
        """
        each = pixels.shape[2] * pixels.shape[3]
        size = len(pixels) if self.most_pixels is None else max(1, min(len(pixels), self.most_pixels // each))
        parts: list[NDArray[np.float32]] = []
        done = 0
        while done < len(pixels):
            made = _tried(run, pixels[done : done + size])
            if made is None:
                free_cached()
                size = self._halved(size, pixels.shape)
                continue
            parts.append(made)
            done += len(made)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether a batch (B, bands, H, W) is not known to be too large."""
        return self.most_pixels is None or shape[0] == 1 or shape[0] * shape[2] * shape[3] <= self.most_pixels

    def _halved(self, size: int, shape: tuple[int, ...]) -> int:
        height, width = shape[2:]
        if size == 1:
            raise MemoryError(
                f"{self.device} has no memory for one tile of {height} x {width} pixels: set max_memory lower than it "
                f"is, from which the tiles follow, or tile={max(height, width) // 2}; or free memory of the device"
            )
        self.most_pixels = size // 2 * height * width
        logger.warning(
            "%s has no memory for %d tiles of %d x %d pixels at once: going on with %d",
            self.device,
            size,
            height,
            width,
            size // 2,
        )
        return size // 2


def _tried(run: Run, pixels: NDArray[np.generic]) -> NDArray[np.float32] | None:
    """Run a batch; None if there is no memory, when the error, which holds the layers, is gone."""
    try:
        return run(pixels)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        logger.debug("%s", error)
        return None


def free_cached() -> None:
    """Return memory that torch keeps for later to the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()

"""Torch runs a network on tiles, on any device."""

import logging
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detect.nets.machine.device_memory import InParts, naming_memory, out_of_memory

logger = logging.getLogger(__name__)

PRECISIONS = {"32": torch.float32, "bf16": torch.bfloat16, "16": torch.float16}
"""Arithmetic by its name in the settings."""


def pick_device(name: str = "auto") -> torch.device:
    """Return the device to run on.

    Args:
        name: `auto` takes CUDA, then Apple's MPS, then the CPU; any other name is torch's.

    Raises:
        ValueError: the named device is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.ones(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"runtime.device={name} cannot be used here ({error}); take auto or cpu") from error
    return device


class TorchRuntime:
    """Runs a network with torch; raw pixels go to the device and are normalised there.

    Args:
        net: maps (B, bands, H, W) raw pixels to (B, K, h, w).
        device: where to run.
        precision: `32`, `bf16`, `16`, or `auto`: bf16 (else fp16) on CUDA, 32 bits elsewhere.
        compiled: whether torch.compile fuses layers; the first tile of each size takes much longer.

    Raises:
        ValueError: unknown precision.
    """

    name = "torch"
    memory_factor = 2.0
    """Peak memory as a multiple of the largest layer's input and output."""

    def __init__(self, net: nn.Module, device: torch.device, precision: str = "32", compiled: bool = False) -> None:
        self.device = device
        if precision == "auto":
            precision = "32"
            if device.type == "cuda":
                precision = "bf16" if torch.cuda.is_bf16_supported() else "16"
        if precision not in PRECISIONS:
            raise ValueError(f"runtime.precision must be auto, {', '.join(PRECISIONS)}, got {precision}")
        self.precision = precision
        with naming_memory(f"{device} has no memory for the network's weights: free some of it, or set runtime.device"):
            net = net.eval().to(device).to(memory_format=torch.channels_last)
        self.net: Callable[[torch.Tensor], torch.Tensor] = torch.compile(net, dynamic=False) if compiled else net
        self._in_parts = InParts(str(device))
        self.overlaps = device.type == "cuda"
        self._transfers: torch.cuda.Stream | None = None

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map a batch (B, bands, H, W), any real dtype, to (B, K, h, w) float32 on the CPU.

        Raises:
            MemoryError: the device has no memory for a single tile; a batch that is too large is run in parts.
        """
        return self._in_parts(self._run, pixels)

    def begin(self, pixels: NDArray[np.generic]) -> Callable[[], NDArray[np.float32]]:
        """Begin to map a batch, as a call would, and return what waits for its maps.

        On CUDA the tiles go to the device on a stream of their own, under the network of the batch before. Where the
        device has no memory for it beside that batch, it is run when its maps are waited for.
        """
        if not self.overlaps:
            maps = self(pixels)
            return lambda: maps
        later = partial(self, pixels)
        if not self._in_parts.fits(pixels.shape):
            return later
        try:
            return self._begin_on_cuda(pixels)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        return later

    def _begin_on_cuda(self, pixels: NDArray[np.generic]) -> Callable[[], NDArray[np.float32]]:
        if self._transfers is None:
            self._transfers = torch.cuda.Stream(self.device)
        network = torch.cuda.current_stream(self.device)
        pinned = torch.from_numpy(np.ascontiguousarray(pixels)).pin_memory()
        with torch.cuda.stream(self._transfers):
            tiles = pinned.to(self.device, non_blocking=True)
        network.wait_stream(self._transfers)
        tiles.record_stream(network)
        maps = self._mapped(tiles)
        back = torch.empty(maps.shape, dtype=torch.float32, pin_memory=True)
        back.copy_(maps, non_blocking=True)
        done = torch.cuda.Event()
        done.record(network)

        def wait() -> NDArray[np.float32]:
            done.synchronize()
            return np.asarray(back.numpy())

        return wait

    def _run(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        tiles = torch.from_numpy(np.ascontiguousarray(pixels))
        if self.device.type == "cuda":
            tiles = tiles.pin_memory().to(self.device, non_blocking=True)
        else:
            tiles = tiles.to(self.device)
        return np.asarray(self._mapped(tiles).cpu().numpy())

    def _mapped(self, tiles: torch.Tensor) -> torch.Tensor:
        """Return the maps (B, K, h, w) in float32 of tiles (B, bands, H, W) that lie on the device."""
        kind = PRECISIONS[self.precision]
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
            torch.autocast(self.device.type, kind, enabled=kind != torch.float32),
        ):
            batch = tiles.float().contiguous(memory_format=torch.channels_last)
            return self.net(batch).float()

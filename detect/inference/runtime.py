"""What runs a network on a tile: torch, on the GPU where there is one."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def pick_device(name: str = "auto") -> torch.device:
    """Choose where to run.

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
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"runtime.device={name} cannot be used here ({error}); take auto or cpu") from error
    return device


class TorchRuntime:
    """Runs a network in float32 with torch, pixels normalised on the device.

    Args:
        net: maps (B, bands, H, W) raw pixels to (B, K, h, w).
        device: where to run.
    """

    def __init__(self, net: nn.Module, device: torch.device) -> None:
        self.device = device
        self.net = net.eval().to(device).to(memory_format=torch.channels_last)

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map a tile (bands, H, W), any real dtype, to (K, h, w) float32 on the CPU."""
        tile = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            batch = tile[None].float().contiguous(memory_format=torch.channels_last)
            return np.asarray(self.net(batch)[0].float().cpu().numpy())

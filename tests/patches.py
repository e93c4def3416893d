"""Patches that any network can tell apart."""

import numpy as np
import torch
from torch import Tensor


def coloured(number: int, seed: int = 0) -> list[tuple[Tensor, int]]:
    """Patches (3, 16, 16) of noise with red, green or blue 60 higher: the class."""
    rng = np.random.default_rng(seed)
    patches = []
    for i in range(number):
        pixels = rng.integers(0, 196, (3, 16, 16), dtype=np.uint8)
        pixels[i % 3] += 60
        patches.append((torch.from_numpy(pixels), i % 3))
    return patches

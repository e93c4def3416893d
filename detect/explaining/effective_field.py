"""The effective receptive field: how much each pixel moves a cell in the middle (Luo et al. 2016)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

AVERAGED = 4
"""Images of noise over which gradients are averaged."""

SHARES = (0.5, 0.95, 0.99)
"""Shares of all gradients, of which the smallest square about the cell is told."""


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """The mean size of a cell's gradient at each pixel.

    Attributes:
        values: (S, S) float32, adding up to 1.
        centre: position of the middle of the cell, in pixels along both axes.
        halves: half of the side of the smallest square about it that holds each of `SHARES`, in pixels.
    """

    values: NDArray[np.float32]
    centre: float
    halves: tuple[float, ...]


def effective_field(net: nn.Module, blank: Tensor, scale: Tensor, stride: int, side: int, seed: int) -> EffectiveField:
    """Measure the effective field of the middle cell of a network's map.

    All channels of the map count, each with the sign of a coin's toss, as Luo et al. do.

    Args:
        net: readable, maps (B, bands, S, S) to (B, K, S / stride, S / stride).
        blank: (1, bands, 1, 1), the mean of the noise: what the normalisation makes 0 of.
        scale: (1, bands, 1, 1), its standard deviation: what the normalisation divides by.
        stride: pixels per cell.
        side: S, a multiple of the network's alignment.
        seed: of the noise.
    """
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(side, side, dtype=torch.float64)
    cell = side // stride // 2
    for _ in range(AVERAGED):
        noise = torch.randn(1, blank.shape[1], side, side, generator=generator).to(blank)
        pixels = (blank + scale * noise).requires_grad_()
        outputs = net(pixels)[0, :, cell, cell]
        signs = torch.randint(0, 2, outputs.shape, generator=generator).to(outputs) * 2 - 1
        (gradient,) = torch.autograd.grad((outputs * signs).sum(), pixels)
        total += (gradient * scale).abs().amax(dim=1)[0].double().cpu()
    values = (total / total.sum().clamp(min=1e-300)).numpy()
    centre = (cell + 0.5) * stride
    return EffectiveField(values.astype(np.float32), centre, _halves(values, centre))


def _halves(values: NDArray[np.float64], centre: float) -> tuple[float, ...]:
    """Return half of the sides of the smallest squares about a centre that hold each of `SHARES`."""
    away = np.abs(np.arange(len(values)) + 0.5 - centre)
    distance = np.maximum(away[:, None], away[None, :]).ravel()
    order = np.argsort(distance, kind="stable")
    held = np.cumsum(values.ravel()[order])
    places = np.minimum(np.searchsorted(held, np.array(SHARES) * held[-1]), held.size - 1)
    return tuple(float(distance[order[place]] + 0.5) for place in places)

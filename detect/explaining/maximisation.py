"""Activation maximisation: the image, made from noise, that excites a channel or a class the most.

The image is a spectrum whose frequencies weigh alike (Olah et al. 2017, "Feature visualization"), which a network sees
shifted by a few pixels at each step.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ITERATIONS = 64
"""Steps of the ascent."""

RATE = 0.05
"""Of Adam."""

JITTER = 8
"""Most pixels by which the image is shifted, along either axis."""

SPAN = 2.0
"""Values are within so many standard deviations of the normalisation from its mean, where the type sets no bounds."""


def maximised(
    score: Callable[[Tensor], Tensor],
    blank: Tensor,
    scale: Tensor,
    side: int,
    seed: int,
    bounds: tuple[float, float] | None = None,
) -> tuple[NDArray[np.float32], float, float]:
    """Make an image that excites a score.

    Args:
        score: maps pixels (1, bands, S, S) to a number (1,).
        blank: (1, bands, 1, 1), the mean of values: what the normalisation makes 0 of.
        scale: (1, bands, 1, 1), their standard deviation.
        side: S in pixels.
        seed: of the first image and the shifts.
        bounds: least and greatest value that pixels can have; None takes `SPAN` standard deviations about the mean.

    Returns:
        (bands, S, S) float32 pixels, and the score of the first image and of the last, neither of them shifted.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = _weights(side).to(blank)
    shape = (1, blank.shape[1], side, side // 2 + 1)
    noise = 0.1 * torch.randn(*shape, 2, generator=generator)
    spectrum = noise.to(blank).requires_grad_()
    low, high = (blank - SPAN * scale, blank + SPAN * scale) if bounds is None else (torch.tensor(b) for b in bounds)

    def image() -> Tensor:
        plain = torch.fft.irfft2(torch.view_as_complex(spectrum) * weights, s=(side, side), norm="ortho")
        return low + (high - low) * torch.sigmoid(plain)

    with torch.no_grad():
        first = float(score(image()))
    optimiser = torch.optim.Adam([spectrum], lr=RATE)
    for _ in range(ITERATIONS):
        down, right = torch.randint(-JITTER, JITTER + 1, (2,), generator=generator).tolist()
        optimiser.zero_grad()
        loss = -score(torch.roll(image(), (down, right), (2, 3))).sum()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        made = image()
        last = float(score(made))
    return made[0].cpu().numpy().astype(np.float32), first, last


def _weights(side: int) -> Tensor:
    """Return what each frequency is divided by: its distance from 0, in the layout of `rfft2`."""
    rows, cols = torch.fft.fftfreq(side), torch.fft.rfftfreq(side)
    distance = (rows[:, None] ** 2 + cols[None, :] ** 2).sqrt()
    return 1 / distance.clamp(min=1 / side)

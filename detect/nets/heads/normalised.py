"""A network that takes pixels as images have them, and normalises them itself."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalised(nn.Module):
    """A network with the normalisation of its pixels: a number a band that is subtracted, and one that divides.

    Attributes:
        offset, scale: (1, bands, 1, 1), kept with the weights.
    """

    offset: Tensor
    scale: Tensor

    def set_normalisation(self, offset: Sequence[float], scale: Sequence[float]) -> None:
        """Set what is subtracted from and what divides the pixels of each band.

        Raises:
            ValueError: a scale that is not positive.
        """
        if min(scale) <= 0:
            raise ValueError(f"the scale of every band must be positive, got {list(scale)}")
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32).view(1, -1, 1, 1))

    def normalised(self, pixels: Tensor) -> Tensor:
        """Return pixels (B, bands, H, W) as the first layer takes them, in the type of the normalisation."""
        return (pixels.to(self.offset.dtype) - self.offset) / self.scale

"""How near a scene is to those that a network learned from: what is far from all of them is of no class it knows."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NEIGHBOUR = 2
"""Which of the nearest training scenes is measured to: the second, so that one odd training scene is not enough."""


class Familiarity(nn.Module):
    """The features of the training scenes, and how far from them a scene may be.

    The distance is that of features of length 1 to the second nearest of the training (Sun et al., Out-of-Distribution
    Detection with Deep Nearest Neighbors, 2022): from 0 to 2, of which the direction alone counts.

    Args:
        number: of training scenes, 2 or more.
        channels: C of the features.

    Raises:
        ValueError: fewer scenes than are measured to.
    """

    known: Tensor
    limit: Tensor

    def __init__(self, number: int, channels: int) -> None:
        super().__init__()
        if number < NEIGHBOUR:
            raise ValueError(f"familiarity needs {NEIGHBOUR} training scenes or more, got {number}")
        self.register_buffer("known", torch.zeros(number, channels))
        self.register_buffer("limit", torch.zeros(()))

    @classmethod
    def of(cls, features: Tensor) -> "Familiarity":
        """Make it of the features (N, C) of the training scenes, with a limit of 0 for now."""
        made = cls(*features.shape).to(features.device)
        made.known.copy_(F.normalize(features.float(), dim=1))
        return made

    def distance(self, features: Tensor) -> Tensor:
        """Return how far scenes' features (B, C) are from the training's: (B,) in [0, 2]."""
        unit = F.normalize(features.float(), dim=1)
        far = torch.cdist(unit, self.known, compute_mode="donot_use_mm_for_euclid_dist")  # exact where near
        return far.topk(NEIGHBOUR, dim=1, largest=False).values[:, NEIGHBOUR - 1]

    def forward(self, features: Tensor) -> Tensor:
        """Return by how much scenes are within the limit: (B, C) to (B,), below 0 of those of no known class."""
        return self.limit - self.distance(features)

    def extra_repr(self) -> str:
        """Return the number of scenes."""
        return f"number={len(self.known)}"

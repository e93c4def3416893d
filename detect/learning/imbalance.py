"""The loss of classes of unequal number."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from detect.learning.hyperparameters import ClassBalance


class ClassLoss(nn.Module):
    """A cross-entropy of classes that compensates for unequal numbers.

    Args:
        balance: how it compensates.
        number: (C,) how many samples of each class are drawn.
        smoothing: share of the target that is spread over all classes, in [0, 1).
    """

    weight: Tensor
    shift: Tensor

    def __init__(self, balance: ClassBalance, number: NDArray[np.float64], smoothing: float) -> None:
        super().__init__()
        drawn = np.asarray(number, np.float64)
        count = np.maximum(drawn, 1.0)
        self.focal = balance.focal
        self.smoothing = smoothing
        shift = balance.adjust * np.log(count / count.sum())
        self.register_buffer("weight", torch.from_numpy(balance.weights(drawn)).float(), persistent=False)
        self.register_buffer("shift", torch.from_numpy(shift).float(), persistent=False)

    def forward(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Return the loss (B, ...) of every sample or cell.

        Args:
            logits: (B, C, ...) float.
            wanted: (B, ...) class numbers, or (B, C, ...) shares of the classes (MixUp, CutMix).
        """
        classes = logits.shape[1]
        shape = (1, classes, *[1] * (logits.ndim - 2))
        if not wanted.is_floating_point():
            wanted = F.one_hot(wanted, classes).movedim(-1, 1).to(logits.dtype)
        weight = (wanted * self.weight.view(shape)).sum(dim=1)
        wanted = wanted * (1 - self.smoothing) + self.smoothing / classes
        log_p = (logits + self.shift.view(shape)).log_softmax(dim=1)
        focus = (1 - log_p.exp()).clamp(min=0) ** self.focal if self.focal else 1.0
        return weight * -(wanted * focus * log_p).sum(dim=1)

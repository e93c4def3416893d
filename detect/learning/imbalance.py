"""Classes of unequal number: how much each counts in the loss."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class ClassBalance:
    """How a cross-entropy of classes makes up for unequal numbers.

    Attributes:
        effective: classes are weighed by the inverse of their effective number (1 - b^n) / (1 - b), b this value in
            [0, 1) and n their number (Cui et al. 2019); 0 weighs them as they occur.
        focal: exponent gamma by which samples that are right already are passed over (Lin et al. 2017), 0 for none.
        adjust: tau of the logit adjustment: tau log(share of the class) is added while training, so that the network
            itself says what would be if classes were equally frequent (Menon et al. 2021); 0 for none.
    """

    effective: float = 0.0
    focal: float = 0.0
    adjust: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.effective < 1:
            raise ValueError(f"net.loss.classes.effective must be in [0, 1), got {self.effective}")
        if self.focal != 0 and not self.focal >= 1:
            raise ValueError(f"net.loss.classes.focal must be 0, or 1 and more, got {self.focal}")
        if not self.adjust >= 0:
            raise ValueError(f"net.loss.classes.adjust must be 0 or more, got {self.adjust}")

    def weights(self, number: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the weight of each class, 1 on average over the samples.

        Args:
            number: (C,) how many samples of each class are drawn; one without any is weighed as if it had one.
        """
        held = np.maximum(number, 1.0)
        if self.effective == 0:
            return np.ones(len(held))
        weight = 1 / (1 - self.effective**held)
        drawn = np.where(number > 0, held, 0.0)
        return weight * drawn.sum() / (weight * drawn).sum() if drawn.any() else weight


class ClassLoss(nn.Module):
    """A cross-entropy of classes that makes up for unequal numbers.

    Args:
        balance: how.
        number: (C,) how many samples of each class are drawn.
        smoothing: share of the target that is spread over all classes, in [0, 1).
    """

    weight: Tensor
    shift: Tensor

    def __init__(self, balance: ClassBalance, number: NDArray[np.float64], smoothing: float = 0.0) -> None:
        super().__init__()
        drawn = np.asarray(number, np.float64)
        held = np.maximum(drawn, 1.0)
        self.focal = balance.focal
        self.smoothing = smoothing
        shift = balance.adjust * np.log(held / held.sum())
        self.register_buffer("weight", torch.from_numpy(balance.weights(drawn)).float(), persistent=False)
        self.register_buffer("shift", torch.from_numpy(shift).float(), persistent=False)

    def forward(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Give the loss of every sample or cell.

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
        passed = (1 - log_p.exp()).clamp(min=0) ** self.focal if self.focal else 1.0
        return weight * -(wanted * passed * log_p).sum(dim=1)

"""MixUp and CutMix: batches of patches blended pairwise, with soft targets, over torchvision's transforms."""

import torch
from torch import Tensor
from torchvision.transforms import v2

from detect.learning.hyperparameters import Mix


class BatchMixer:
    """Blends every patch of a batch with its neighbour, or pastes a rectangle of the neighbour onto it.

    MixUp (Zhang et al. 2018) averages the pixels of both, CutMix (Yun et al. 2019) pastes a rectangle; the target is
    the two classes by their share. Draws come from torch's own generator, which the module seeds every epoch.

    Args:
        mixup: how often and how strongly pixels are averaged.
        cutmix: how often and how large rectangles are pasted.
        classes: number of the network's outputs.

    Raises:
        ValueError: the shares sum to more than 1.
    """

    def __init__(self, mixup: Mix, cutmix: Mix, classes: int) -> None:
        if mixup.p + cutmix.p > 1:
            raise ValueError(
                f"augment.mixup.p and augment.cutmix.p must sum to 1 or less, got {mixup.p} and {cutmix.p}"
            )
        self._shares = (mixup.p, mixup.p + cutmix.p)
        self._mixup = v2.MixUp(alpha=float(mixup.alpha), num_classes=classes)
        self._cutmix = v2.CutMix(alpha=float(cutmix.alpha), num_classes=classes)

    def __call__(self, pixels: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
        """Return a batch, mixed or unchanged.

        Args:
            pixels: (N, C, H, W) float.
            output: (N,) class numbers.

        Returns:
            The pixels, and either the class numbers or (N, classes) shares that sum to 1.
        """
        drawn = float(torch.rand(()))
        if drawn < self._shares[0]:
            return self._mixup(pixels, output)
        if drawn < self._shares[1]:
            return self._cutmix(pixels, output)
        return pixels, output

"""Batch normalisation with the statistics of a new image: measured on a sample of it, in one pass through the network.

Schneider et al., Improving robustness against common corruptions by covariate shift adaptation, 2020; Nado et al.,
Evaluating prediction-time batch normalization for robustness under covariate shift, 2020.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from detect.inference.meeting.sample_windows import SampleGrid

NORM_GRID = SampleGrid(side=256, number=16)
"""Windows that are mapped together, as one batch: about a megapixel, whatever the memory."""


class BatchNorms:
    """The normalising layers of a network, which it owns: their statistics are changed in place.

    They are those whose statistics are the training images'. A frozen backbone (`finetune.freeze_bn`) keeps those of
    its pretraining, from which every image is far, the training's too: with an image's own it would be another network
    (measured on sea lions with a tenth of them: F1 0.20 to 0.71 instead of 0.60 to 0.88).

    Args:
        net: the network, which no other run uses.
        share: of a new image's statistics in the mixture with those of the training, in (0, 1].

    Raises:
        ValueError: a network without such layers, or none of which measured its training images.
    """

    def __init__(self, net: nn.Module, share: float) -> None:
        self.net = net
        self.share = share
        layers = [layer for layer in net.modules() if isinstance(layer, _BatchNorm) and layer.running_mean is not None]
        if not layers:
            raise ValueError("adapt=batchnorm: the network has no batch normalisation; leave batchnorm out")
        measured = [layer for layer in layers if layer.num_batches_tracked is not None and layer.num_batches_tracked]
        if not measured:
            raise ValueError(
                "adapt=batchnorm: all of the network's batch normalisation is that of its pretraining, which knows "
                "nothing of its training images (finetune.freeze_bn); leave batchnorm out"
            )
        self._training = [(layer, _statistics(layer)) for layer in measured]

    def forget(self) -> None:
        """Set the statistics of the training."""
        for layer, (mean, variance) in self._training:
            _set(layer, mean, variance)

    def meet(self, pixels: NDArray[np.generic]) -> None:
        """Set the statistics for an image by windows (n, bands, H, W) of it; those of the training where n is 0.

        Each layer's are measured on what the layers before it make of the windows with their new statistics.
        """
        self.forget()
        if not len(pixels):
            return
        hooks = [layer.register_forward_pre_hook(self._measure(*trained)) for layer, trained in self._training]
        device = next(self.net.parameters()).device
        try:
            with torch.inference_mode():
                self.net(torch.from_numpy(np.ascontiguousarray(pixels, np.float32)).to(device))
        finally:
            for hook in hooks:
                hook.remove()

    def _measure(self, mean: Tensor, variance: Tensor) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def measure(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            assert isinstance(layer, _BatchNorm)
            own_variance, own_mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3), correction=0)
            _set(layer, torch.lerp(mean, own_mean, self.share), torch.lerp(variance, own_variance, self.share))

        return measure


def _statistics(layer: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert layer.running_mean is not None and layer.running_var is not None
    return layer.running_mean.clone(), layer.running_var.clone()


def _set(layer: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    assert layer.running_mean is not None and layer.running_var is not None
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)

"""Interpolation of trained and pretrained weights, for scenes that are unlike the training ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from detect.learning.callbacks import AveragedWeights
from detect.learning.module import channels_last

if TYPE_CHECKING:
    from collections.abc import Callable

    from detect.learning.module import CountingModule
    from detect.nets.modelfile import Net
    from detect.samples.loading import PatchSet

MOST_MEASURED = 96
"""Training samples of an epoch, at most, by which statistics are measured."""


class InterpolatedWeights(pl.Callback):
    """Weights of the backbone between the pretrained and the trained ones, in place during the whole validation.

    Wortsman et al. 2022 (WiSE-FT). The head keeps its trained weights. Statistics of batch normalisation that learn are
    measured anew, as those of two networks mixed are of neither: over the first samples of the epoch, varied as in
    training, without dropout. Layers that keep theirs (`finetune.keep`, `finetune.freeze_bn`) have them still. So what
    validation chooses is chosen for the weights that are kept; the training itself goes on from its own. Where weights
    are averaged, the average is what is interpolated.

    It stands before `AveragedWeights` among a trainer's callbacks, so that each takes back what it has put in place.

    Args:
        share: of the trained weights, in (0, 1).
        samples: returns the training samples of an epoch.
        batch_size: samples that are measured at once.

    Attributes:
        kept: the whole state with the interpolated weights of the latest epoch; None where the backbone is as it was.
    """

    def __init__(self, share: float, samples: "Callable[[int], PatchSet]", batch_size: int) -> None:
        self.share = share
        self.samples = samples
        self.batch_size = batch_size
        self.kept: dict[str, Tensor] | None = None
        self._first: dict[str, Tensor] = {}
        self._trained: dict[str, Tensor] | None = None
        self._epoch = -1

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Copy the pretrained weights, before those of a checkpoint take their place."""
        net: Any = pl_module.net
        self._first = {name: value.detach().clone() for name, value in net.backbone.named_parameters()}

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Swap the interpolated weights in, after those that are averaged."""
        self._put(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep them, and take the trained weights back."""
        self._take_back(pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Interpolate after an epoch that nothing validated."""
        if self._epoch == trainer.current_epoch:
            return
        averages = [each for each in trainer.callbacks if isinstance(each, AveragedWeights)]  # type: ignore[attr-defined]
        for each in averages:
            each.on_validation_start(trainer, pl_module)
        self._put(trainer, pl_module)
        self._take_back(pl_module)
        for each in averages:
            each.on_validation_end(trainer, pl_module)

    def _put(self, trainer: pl.Trainer, module: Any) -> None:
        """Swap the interpolated weights in, if the backbone has learned."""
        learner: CountingModule = module
        epoch, self._epoch = trainer.current_epoch, trainer.current_epoch
        self.kept, self._trained = None, None
        if epoch < learner.layers.start or not learner.layers.trained:
            return
        self._trained = _copied(learner)
        with torch.no_grad():
            for name, value in learner.net.backbone.named_parameters():
                value.copy_(torch.lerp(self._first[name].to(value.device), value, self.share))
        measure_statistics(learner.net, learner.layers.statistics(epoch), self._batches(epoch))

    def _take_back(self, module: pl.LightningModule) -> None:
        """Keep the interpolated weights, and put the trained ones in their place."""
        if self._trained is not None:
            self.kept = _copied(module)
            module.load_state_dict(self._trained)
            self._trained = None

    def _batches(self, epoch: int) -> Iterator[Tensor]:
        """Yield the pixels (B, bands, H, W) of the first samples of an epoch."""
        samples: Any = self.samples(epoch)
        number = min(len(samples), MOST_MEASURED)
        for start in range(0, number, self.batch_size):
            yield torch.stack([samples[i][0] for i in range(start, min(start + self.batch_size, number))])


def measure_statistics(net: "Net", layers: Sequence[_BatchNorm], batches: Iterator[Tensor]) -> None:
    """Measure the statistics of batch normalisations anew: the mean over batches, as torch's `update_bn` does for all.

    Args:
        net: the network.
        layers: those of its layers that are measured; none reads no batch.
        batches: pixels (B, bands, H, W).
    """
    if not layers:
        return
    with _measuring(net, layers), torch.no_grad():
        for pixels in batches:
            net(channels_last(pixels.to(net.offset.device)))


@contextmanager
def _measuring(net: "Net", layers: Sequence[_BatchNorm]) -> Iterator[None]:
    """Have some layers alone of a network measure, each batch with the same weight."""
    training, momenta = net.training, [layer.momentum for layer in layers]
    net.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.train()
        layer.momentum = None
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        net.train(training)


def _copied(module: pl.LightningModule) -> dict[str, Tensor]:
    """Return a copy of a module's state."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}

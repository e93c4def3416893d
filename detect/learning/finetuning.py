"""Transfer: which layers of a pretrained network learn, when, and how fast."""

import math
from typing import Any

from pytorch_lightning.callbacks import BaseFinetuning
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from detect.learning.hyperparameters import Schedule
from detect.nets.backbones import stage_layers
from detect.nets.modelfile import Net


class Layers:
    """Decides which layers of a network learn in an epoch, and at which rate.

    Args:
        net: the network; its backbone's layers are treated by stages, all others learn at `schedule.lr`.
        schedule: the rates.
        epochs: number of epochs of the whole run.

    Attributes:
        start: the epoch from which `trained` layers of the backbone learn.
        fixed: layers of the backbone that never learn.
        trained: the other layers of the backbone.
        rates: highest learning rate of each of their parameters, by its id.

    Raises:
        ValueError: more stages than the network has, or a stride of none of them.
    """

    def __init__(self, net: Net, schedule: Schedule, epochs: int) -> None:
        self.net = net
        self.schedule = schedule
        self.start = math.ceil(schedule.unfreeze_at * epochs)
        stages = stage_layers(net.backbone)
        first = _first_trained(schedule, [stride for stride, _ in stages])
        self.fixed = [layer for _, layers in stages[:first] for layer in layers]
        self.trained = [layer for _, layers in stages[first:] for layer in layers]
        self.rates: dict[int, float] = {}
        for i, (_, layers) in enumerate(stages[first:]):
            rate = schedule.backbone_lr * schedule.decay ** (len(stages) - 1 - first - i)
            self.rates |= {id(parameter): rate for layer in layers for parameter in layer.parameters()}
        BaseFinetuning.freeze(self.fixed, train_bn=False)

    def set(self, epoch: int) -> None:
        """Set which layers learn in an epoch; the others keep their statistics and apply no stochastic depth."""
        if epoch < self.start:
            BaseFinetuning.freeze(self.trained, train_bn=False)
        else:
            BaseFinetuning.make_trainable(self.trained)
            for layer in self.trained:
                layer.train()
        frozen = self.fixed if epoch >= self.start else self.fixed + self.trained
        for layer in frozen:
            layer.eval()
        if self.schedule.freeze_bn:
            for layer in self.net.backbone.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()

    def statistics(self, epoch: int) -> list[_BatchNorm]:
        """Return the layers whose statistics of batch normalisation learn in an epoch."""
        resting = self.fixed if epoch >= self.start else self.fixed + self.trained
        kept = [self.net.backbone] if self.schedule.freeze_bn else resting
        still = {id(each) for layer in kept for each in layer.modules()}
        return [each for each in self.net.modules() if isinstance(each, _BatchNorm) and id(each) not in still]

    def groups(self) -> list[dict[str, Any]]:
        """Return the optimiser's parameter groups: by rate, by weight decay, and by the epoch from which they learn."""
        fixed = {id(parameter) for layer in self.fixed for parameter in layer.parameters()}
        groups: dict[tuple[float, float, int], list[Tensor]] = {}
        for parameter in self.net.parameters():
            if id(parameter) in fixed:
                continue
            in_backbone = id(parameter) in self.rates
            rate = self.rates[id(parameter)] if in_backbone else self.schedule.lr
            decay = self.schedule.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay, self.start if in_backbone else 0), []).append(parameter)
        return [
            {"params": parameters, "lr": rate, "weight_decay": decay, "start": start}
            for (rate, decay, start), parameters in groups.items()
        ]


def _first_trained(schedule: Schedule, strides: list[int]) -> int:
    """Return the position of the first stage that learns; the number of stages if none does.

    Args:
        schedule: which stages learn.
        strides: of the backbone's stages.

    Raises:
        ValueError: more stages than there are, or a stride of none of them.
    """
    if schedule.top is not None and schedule.top > len(strides):
        raise ValueError(
            f"finetune.top must be at most the number of the network's stages, {len(strides)}, got {schedule.top}"
        )
    first = 0 if schedule.top is None else len(strides) - schedule.top
    if schedule.keep:
        if schedule.keep not in strides:
            raise ValueError(
                f"finetune.keep must be 0 or a stride of the network's stages, {strides}, got {schedule.keep}"
            )
        first = max(first, strides.index(schedule.keep) + 1)
    return len(strides) if schedule.backbone_lr == 0 else first

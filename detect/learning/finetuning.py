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
    """Decides for every layer of a network whether it learns now, and at which rate.

    Args:
        net: its backbone is pretrained, everything else is new.
        schedule: the rates.
        epochs: of the whole run.
    """

    def __init__(self, net: Net, schedule: Schedule, epochs: int) -> None:
        self.net = net
        self.schedule = schedule
        self.start = math.ceil(schedule.unfreeze_at * epochs)
        stages = stage_layers(net.backbone)
        if schedule.top is not None and schedule.top > len(stages):
            raise ValueError(
                f"finetune.top must be at most the number of the network's stages, {len(stages)}, got {schedule.top}"
            )
        first = 0 if schedule.top is None else len(stages) - schedule.top
        if schedule.keep:
            strides = [stride for stride, _ in stages]
            if schedule.keep not in strides:
                raise ValueError(
                    f"finetune.keep must be 0 or a stride of the network's stages, {strides}, got {schedule.keep}"
                )
            first = max(first, strides.index(schedule.keep) + 1)
        if schedule.backbone_lr == 0:
            first = len(stages)
        self.fixed = [layer for _, layers in stages[:first] for layer in layers]
        self.free = [layer for _, layers in stages[first:] for layer in layers]
        self.rates: dict[int, float] = {}
        for i, (_, layers) in enumerate(stages[first:]):
            rate = schedule.backbone_lr * schedule.decay ** (len(stages) - 1 - first - i)
            self.rates |= {id(parameter): rate for layer in layers for parameter in layer.parameters()}
        BaseFinetuning.freeze(self.fixed, train_bn=False)

    def set(self, epoch: int) -> None:
        """Let learn what learns in an epoch; what does not keeps its statistics and applies no stochastic depth."""
        if epoch < self.start:
            BaseFinetuning.freeze(self.free, train_bn=False)
        else:
            BaseFinetuning.make_trainable(self.free)
            for layer in self.free:
                layer.train()
        still = self.fixed if epoch >= self.start else self.fixed + self.free
        for layer in still:
            layer.eval()
        if self.schedule.freeze_bn:
            for layer in self.net.backbone.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()

    def groups(self) -> list[dict[str, Any]]:
        """Give the optimiser's groups: by rate, by whether they decay, and by the epoch in which they begin."""
        fixed = {id(parameter) for layer in self.fixed for parameter in layer.parameters()}
        groups: dict[tuple[float, float, int], list[Tensor]] = {}
        for parameter in self.net.parameters():
            if id(parameter) in fixed:
                continue
            inside = id(parameter) in self.rates
            rate = self.rates[id(parameter)] if inside else self.schedule.lr
            decay = self.schedule.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay, self.start if inside else 0), []).append(parameter)
        return [
            {"params": parameters, "lr": rate, "weight_decay": decay, "start": start}
            for (rate, decay, start), parameters in groups.items()
        ]

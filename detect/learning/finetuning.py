"""Transfer: which layers of a pretrained network learn, when, and how fast."""

import math
from dataclasses import dataclass
from typing import Any

from pytorch_lightning.callbacks import BaseFinetuning
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from detect.nets.backbones import stage_layers
from detect.nets.modelfile import Net


@dataclass(frozen=True)
class Schedule:
    """How the weights move.

    Attributes:
        lr: learning rate of the head at its highest.
        backbone_lr: that of the backbone's deepest layers; 0 keeps the backbone as it is.
        weight_decay: AdamW's; not applied to biases and normalisation layers.
        warmup: share of all steps in which the rate rises linearly, before it falls as a cosine to zero.
        label_smoothing: of the cross-entropy, in [0, 1).
        score_every: epochs between counts of the validation scenes.
        keep: the layers up to the features of this stride keep their weights and statistics; 0 for none.
        freeze_bn: the backbone's batch normalisation keeps its statistics, which small batches would blur.
        decay: factor of the backbone's rate from each stage to the one before it, toward the input, in (0, 1].
        unfreeze_at: share of the epochs in which the head learns alone, in [0, 1).
        top: number of the backbone's last stages that learn; None for all.
    """

    lr: float
    backbone_lr: float
    weight_decay: float
    warmup: float
    label_smoothing: float
    score_every: int
    keep: int = 0
    freeze_bn: bool = False
    decay: float = 1.0
    unfreeze_at: float = 0.0
    top: int | None = None

    def __post_init__(self) -> None:
        if self.lr <= 0 or self.backbone_lr < 0:
            raise ValueError(
                f"finetune.lr must be positive and backbone_lr not negative, got {self.lr}, {self.backbone_lr}"
            )
        for name in ("label_smoothing", "warmup", "unfreeze_at"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"finetune.{name} must be in [0, 1), got {getattr(self, name)}")
        if self.score_every < 1:
            raise ValueError(f"finetune.score_every must be 1 or more, got {self.score_every}")
        if not 0 < self.decay <= 1:
            raise ValueError(f"finetune.decay must be in (0, 1], got {self.decay}")
        if self.top is not None and self.top < 1:
            raise ValueError(f"finetune.top must be 1 or more, or null for all stages, got {self.top}")

    def factor(self, step: int, steps: int, start: int = 0) -> float:
        """Give the share of the highest rate at a step, for layers that begin to learn at `start`.

        Args:
            step: from 0.
            steps: of the whole run.
            start: 0 before this step; then the line of the warm-up, below the cosine that all layers share.
        """
        warm = max(1, round(self.warmup * steps))
        if step < start:
            return 0.0
        rise = min(1.0, (step - start + 1) / warm)
        fall = 0.5 * (1 + math.cos(math.pi * max(0, step - warm) / max(1, steps - warm)))
        return rise * fall if start else (rise if step < warm else fall)


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

"""Hyperparameters of learning: rates over time, weights of losses and classes, the span of a search."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Schedule:
    """Which weights learn, and at which rates.

    Attributes:
        pretrained: whether the backbone begins with pretrained weights, if its `weights` name any.
        lr: highest learning rate of the head; positive.
        backbone_lr: that of the backbone's deepest layers; 0 does not train the backbone.
        decay: factor of the backbone's rate from each stage to the one before it, toward the input, in (0, 1].
        unfreeze_at: share of the epochs in which the head learns alone, in [0, 1).
        top: number of the backbone's last stages that learn; None for all.
        keep: the layers up to the features of this stride do not learn; 0 for none.
        freeze_bn: whether the backbone's batch normalisation keeps its statistics, for small batches.
        weight_decay: AdamW's; not applied to biases and normalisation layers.
        warmup: share of all steps in which the rate rises linearly, before it falls as a cosine to zero.
        label_smoothing: of the cross-entropy of classes, in [0, 1).
        score_every: epochs from one count of the validation scenes to the next, 1 or more.
        interpolate: share of the trained weights in those of the backbone that are kept, the others pretrained, in
            (0, 1].

    Raises:
        ValueError: a number out of its range.
    """

    pretrained: bool
    lr: float
    backbone_lr: float
    decay: float
    unfreeze_at: float
    top: int | None
    keep: int
    freeze_bn: bool
    weight_decay: float
    warmup: float
    label_smoothing: float
    score_every: int
    interpolate: float

    def __post_init__(self) -> None:
        if not self.lr > 0:
            raise ValueError(f"finetune.lr must be positive, got {self.lr}")
        if not self.backbone_lr >= 0:
            raise ValueError(f"finetune.backbone_lr must be 0 or more, got {self.backbone_lr}")
        for name in ("label_smoothing", "warmup", "unfreeze_at"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"finetune.{name} must be in [0, 1), got {getattr(self, name)}")
        if self.score_every < 1:
            raise ValueError(f"finetune.score_every must be 1 or more, got {self.score_every}")
        if not 0 < self.decay <= 1:
            raise ValueError(f"finetune.decay must be in (0, 1], got {self.decay}")
        if not 0 < self.interpolate <= 1:
            raise ValueError(
                "finetune.interpolate must be in (0, 1], 1 for the trained weights (finetune=frozen keeps pretrained "
                f"ones), got {self.interpolate}"
            )
        if self.top is not None and self.top < 1:
            raise ValueError(f"finetune.top must be 1 or more, or null for all stages, got {self.top}")

    def factor(self, step: int, steps: int, start: int = 0) -> float:
        """Return the share of the highest rate at a step, for layers that begin to learn at `start`.

        Args:
            step: from 0.
            steps: of the whole run.
            start: the factor is 0 before this step; then it rises as in the warm-up to the cosine of all layers.
        """
        warm = max(1, round(self.warmup * steps))
        if step < start:
            return 0.0
        rise = min(1.0, (step - start + 1) / warm)
        fall = 0.5 * (1 + math.cos(math.pi * max(0, step - warm) / max(1, steps - warm)))
        return rise * fall if start else (rise if step < warm else fall)


@dataclass(frozen=True)
class ClassBalance:
    """How a cross-entropy of classes compensates for unequal numbers.

    Attributes:
        effective: classes are weighted by the inverse of their effective number (1 - b^n) / (1 - b), b this value in
            [0, 1) and n their number (Cui et al. 2019); 0 for equal weights.
        focal: exponent gamma by which well-classified samples weigh less (Lin et al. 2017), 1 or more; 0 for none.
        adjust: tau of the logit adjustment: tau log(share of the class) is added while training, so that the network
            itself predicts what it would if classes were equally frequent (Menon et al. 2021); 0 for none.
    """

    effective: float
    focal: float
    adjust: float

    def __post_init__(self) -> None:
        if not 0 <= self.effective < 1:
            raise ValueError(f"net.loss.classes.effective must be in [0, 1), got {self.effective}")
        if self.focal != 0 and not self.focal >= 1:
            raise ValueError(f"net.loss.classes.focal must be 0, or 1 and more, got {self.focal}")
        if not self.adjust >= 0:
            raise ValueError(f"net.loss.classes.adjust must be 0 or more, got {self.adjust}")

    def weights(self, number: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weight of each class, 1 on average over the samples.

        Args:
            number: (C,) how many samples of each class are drawn; a class without any is weighted as if it had one.
        """
        count = np.maximum(number, 1.0)
        if self.effective == 0:
            return np.ones(len(count))
        weight = 1 / (1 - self.effective**count)
        drawn = np.where(number > 0, count, 0.0)
        return weight * drawn.sum() / (weight * drawn).sum() if drawn.any() else weight


@dataclass(frozen=True)
class LossWeights:
    """The factor of each term of the loss, and the exponents and the smoothing of the objectness.

    Attributes:
        objectness, box, label: factors of the terms, 0 or more.
        gamma: exponent by which well-classified cells weigh less; 0, or 1 and more.
        beta: exponent by which negative cells near a centre weigh less; 0 or more.
        smoothing: what the target objectness of a cell that holds a centre is less than 1, in [0, 0.5).
        classes: how the class term compensates for unequal numbers.

    Raises:
        ValueError: a number out of its range.
    """

    objectness: float
    box: float
    label: float
    gamma: float
    beta: float
    smoothing: float
    classes: ClassBalance

    def __post_init__(self) -> None:
        for name in ("objectness", "box", "label", "gamma", "beta"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"net.loss.{name} must be 0 or more, got {getattr(self, name)}")
        if 0 < self.gamma < 1:
            raise ValueError(f"net.loss.gamma must be 0, or 1 and more, got {self.gamma}")
        if not 0 <= self.smoothing < 0.5:
            raise ValueError(f"net.loss.smoothing must be in [0, 0.5), got {self.smoothing}")


@dataclass(frozen=True)
class RateSpan:
    """The factors of the configured rates that a search tries.

    Attributes:
        least, most: the first and the last factor; positive, and rising.
        steps: number of factors, in equal ratios; 20 or more.

    Raises:
        ValueError: a number out of its range.
    """

    least: float
    most: float
    steps: int

    def __post_init__(self) -> None:
        if not 0 < self.least < self.most:
            raise ValueError(f"span.least and span.most must be positive and rise, got {self.least} and {self.most}")
        if self.steps < 20:
            raise ValueError(f"span.steps must be 20 or more, got {self.steps}")


@dataclass(frozen=True)
class Mix:
    """How often batches are mixed, and how much.

    Attributes:
        p: share of the batches, in [0, 1].
        alpha: of the Beta(alpha, alpha) from which the weight of the second patch is drawn: 0.2 is mostly near 0 or 1,
            1 anything.
    """

    p: float
    alpha: float

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"p must be in [0, 1], got {self.p}")
        if not self.alpha > 0:
            raise ValueError(f"alpha must be positive, got {self.alpha}")

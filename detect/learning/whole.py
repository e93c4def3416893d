"""Learning of the classifier of whole images: one pattern each, or many; its loss of many, and the Lightning module."""

import logging

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from torch import Tensor, nn
from torch.nn import functional as F

from detect.learning.hyperparameters import ClassBalance, Schedule
from detect.learning.imbalance import ClassLoss
from detect.learning.mixing import BatchMixer
from detect.learning.module import CountingModule, channels_last
from detect.learning.together import samples_of_all
from detect.nets.heads.whole import WholeClassifier

logger = logging.getLogger(__name__)


class ManyLoss(nn.Module):
    """The loss of images of any number of classes: each class is there or not, by itself.

    Args:
        balance: how it compensates for unequal numbers. Weights are of images that show a class; the adjustment adds
            tau times the log odds of the class while training.
        number: (C,) how many images show each class.
        images: how many there are.
        smoothing: share of the target that is spread over there and not there, in [0, 1).
    """

    weight: Tensor
    shift: Tensor

    def __init__(self, balance: ClassBalance, number: NDArray[np.float64], images: int, smoothing: float) -> None:
        super().__init__()
        share = np.clip(number / max(images, 1), 1 / (images + 2), 1 - 1 / (images + 2))
        self.focal, self.smoothing = balance.focal, smoothing
        self.register_buffer("weight", torch.from_numpy(balance.weights(number)).float(), persistent=False)
        shift = balance.adjust * np.log(share / (1 - share))
        self.register_buffer("shift", torch.from_numpy(shift).float(), persistent=False)

    def forward(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Return the loss (B,) of every image: logits (B, C), and 1 for each class that it has, else 0."""
        shifted = logits + self.shift
        target = wanted * (1 - self.smoothing) + self.smoothing / 2
        loss = F.binary_cross_entropy_with_logits(shifted, target, reduction="none")
        if self.focal:
            right = torch.where(wanted > 0.5, shifted.sigmoid(), (-shifted).sigmoid())
            loss = loss * (1 - right) ** self.focal
        return (loss * torch.where(wanted > 0.5, self.weight, 1.0)).mean(dim=1)


class WholeModule(CountingModule):
    """Trains a classifier of whole images.

    Logs `train/loss`, `val/loss`, `val/macro_f1`, and `val/accuracy`, of many classes the share of the images of which
    every class is right; of one class an image `val/balanced_accuracy` too.

    Args:
        net, schedule, seed: as of a `CountingModule`.
        loss: computes the loss of every image.
        mixer: mixes the images of training batches; None for none.
    """

    net: WholeClassifier

    def __init__(
        self,
        net: WholeClassifier,
        schedule: Schedule,
        seed: int,
        loss: ClassLoss | ManyLoss,
        mixer: BatchMixer | None = None,
    ) -> None:
        super().__init__(net, schedule, seed)
        self.loss = loss
        self.mixer = mixer
        self._validated: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch of (pixels, target)."""
        pixels, wanted = batch
        if self.mixer is not None:
            pixels, wanted = self.mixer(pixels.float(), wanted)
        logits = self.net.classify(channels_last(pixels))
        loss = self.loss(logits.float(), wanted).mean()
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, batch_size=len(wanted), prog_bar=True, sync_dist=True
        )
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Compute and store the logits of a batch."""
        pixels, wanted = batch
        self._validated.append((self.net.classify(channels_last(pixels)).float().cpu(), wanted.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the validation images."""
        logits, wanted = samples_of_all(self._validated)
        self._validated.clear()
        many = wanted.is_floating_point()
        found = (logits > 0).float() if many else logits.argmax(dim=1)
        plain = F.binary_cross_entropy_with_logits(logits, wanted) if many else F.cross_entropy(logits, wanted)
        self.log("val/loss", plain)
        self.log("val/accuracy", float(accuracy_score(wanted, found)))
        if not many:
            self.log("val/balanced_accuracy", float(balanced_accuracy_score(wanted, found)))
        there = np.flatnonzero(wanted.sum(dim=0) > 0) if many else np.unique(wanted)
        f1 = f1_score(wanted, found, labels=there, average="macro", zero_division=0.0)
        self.log("val/macro_f1", float(f1), prog_bar=True)

"""Learning of the patch classifier: its Lightning module."""

import logging

import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from torch import Tensor
from torch.nn import functional as F

from detect.learning.hyperparameters import Schedule
from detect.learning.imbalance import ClassLoss
from detect.learning.mixing import BatchMixer
from detect.learning.module import CountingModule, SceneScores, channels_last
from detect.nets.heads.patch import PatchClassifier

logger = logging.getLogger(__name__)


class ClassifierModule(CountingModule):
    """Trains a patch classifier with a cross-entropy.

    Logs `train/loss`, `val/loss`, `val/accuracy` and `val/balanced_accuracy` of the patches, and the scenes' scores.

    Args:
        net, schedule, seed, scene_scores: as of a `CountingModule`.
        loss: computes the loss of every patch.
        mixer: mixes the patches of training batches; None for none.
    """

    net: PatchClassifier

    def __init__(
        self,
        net: PatchClassifier,
        schedule: Schedule,
        seed: int,
        loss: ClassLoss,
        scene_scores: SceneScores | None = None,
        mixer: BatchMixer | None = None,
    ) -> None:
        super().__init__(net, schedule, seed, scene_scores)
        self.loss = loss
        self.mixer = mixer
        self._validated: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch of (pixels, output)."""
        pixels, output = batch
        if self.mixer is not None:
            pixels, output = self.mixer(pixels.float(), output)
        logits = self.net.classify(channels_last(pixels))
        loss = self.loss(logits.float(), output).mean()
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(output), prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Compute and store the logits of a batch."""
        pixels, output = batch
        self._validated.append((self.net.classify(channels_last(pixels)).float().cpu(), output.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the patches and of the scenes."""
        logits, output = (torch.cat(parts) for parts in zip(*self._validated, strict=True))
        self._validated.clear()
        predicted = logits.argmax(dim=1)
        self.log("val/loss", F.cross_entropy(logits, output))
        self.log("val/accuracy", float(accuracy_score(output, predicted)))
        self.log("val/balanced_accuracy", float(balanced_accuracy_score(output, predicted)), prog_bar=True)
        self.log_scenes()

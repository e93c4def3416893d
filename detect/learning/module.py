"""The Lightning modules: what both families share, and the patch classifier's."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from detect.learning.mixing import BatchMixer
from detect.nets import Net, PatchClassifier
from detect.nets.backbones import early_layers

SceneScores = Callable[[Net], Mapping[str, float]]
"""Counts the validation scenes with a network; names and values are logged under `val/`."""


@dataclass(frozen=True)
class Schedule:
    """How the weights move.

    Attributes:
        lr: learning rate of the head at its highest.
        backbone_lr: that of the backbone.
        weight_decay: AdamW's; not applied to biases and normalisation layers.
        warmup: share of all steps in which the rate rises linearly, before it falls as a cosine to zero.
        label_smoothing: of the cross-entropy, in [0, 1).
        score_every: epochs between counts of the validation scenes.
        keep: the layers up to the features of this stride keep their weights and statistics; 0 for none.
        freeze_bn: the backbone's batch normalisation keeps its statistics, which small batches would blur.
    """

    lr: float
    backbone_lr: float
    weight_decay: float
    warmup: float
    label_smoothing: float
    score_every: int
    keep: int = 0
    freeze_bn: bool = False

    def __post_init__(self) -> None:
        if self.lr <= 0 or self.backbone_lr < 0:
            raise ValueError(
                f"finetune.lr must be positive and backbone_lr not negative, got {self.lr}, {self.backbone_lr}"
            )
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"finetune.label_smoothing must be in [0, 1), got {self.label_smoothing}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"finetune.warmup must be in [0, 1), got {self.warmup}")
        if self.score_every < 1:
            raise ValueError(f"finetune.score_every must be 1 or more, got {self.score_every}")


class CountingModule(pl.LightningModule):
    """Moves a network's weights with AdamW, warm-up and cosine, and counts the validation scenes now and then.

    Logs what `scene_scores` gives, `val/f1` first: the F1 of counting whole validation scenes.

    Args:
        net: the network.
        schedule: rates.
        seed: with the epoch it decides dropout, so that a resumed run goes on as an uninterrupted one.
        scene_scores: counts the validation scenes; None where there are only patches.
    """

    def __init__(self, net: Net, schedule: Schedule, seed: int, scene_scores: SceneScores | None = None) -> None:
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)
        self.schedule = schedule
        self.seed = seed
        self.scene_scores = scene_scores
        self._scene_values: Mapping[str, float] = {}
        self.frozen = schedule.backbone_lr == 0
        self.net.backbone.requires_grad_(not self.frozen)
        self.kept = early_layers(net.backbone, schedule.keep) if schedule.keep else []
        for layer in self.kept:
            layer.requires_grad_(False)

    def on_train_epoch_start(self) -> None:
        """Seed the epoch's random numbers; layers that do not learn keep the statistics of their normalisation, too."""
        if self.frozen:
            self.net.backbone.eval()
        if self.schedule.freeze_bn:
            for layer in self.net.backbone.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()
        for layer in self.kept:
            layer.eval()
        torch.manual_seed(epoch_seed(self.seed, self.current_epoch))

    def log_scenes(self) -> None:
        """Count the scenes every `score_every` epochs, in the first and the last; else repeat their scores."""
        epoch, last = self.current_epoch + 1, self.trainer.max_epochs
        due = epoch % self.schedule.score_every == 0 or epoch == last or not self._scene_values
        if self.scene_scores is not None and due:
            self._scene_values = self.scene_scores(self.net)
        for name, value in self._scene_values.items():
            self.log(f"val/{name}", float(value), prog_bar=name == "f1")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the scenes' scores, which epochs between two counts repeat."""
        checkpoint["scene_values"] = {name: float(value) for name, value in self._scene_values.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them up again, so that a resumed run logs what an uninterrupted one does."""
        self._scene_values = checkpoint.get("scene_values", {})

    def configure_optimizers(self) -> Any:
        """AdamW over four groups (backbone or head, decayed or not) and a schedule by step."""
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        warm = max(1, round(self.schedule.warmup * steps))

        def factor(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

        optimizer = AdamW(self._groups())
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}}

    def _groups(self) -> list[dict[str, Any]]:
        groups: dict[tuple[float, float], list[Tensor]] = {}
        for name, parameter in self.net.named_parameters():
            rate = self.schedule.backbone_lr if name.startswith("backbone.") else self.schedule.lr
            decay = self.schedule.weight_decay if parameter.ndim > 1 else 0.0
            if rate > 0 and parameter.requires_grad:
                groups.setdefault((rate, decay), []).append(parameter)
        return [
            {"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()
        ]


class ClassifierModule(CountingModule):
    """Trains a patch classifier with cross-entropy.

    Logs `train/loss`, `val/loss`, `val/accuracy` and `val/balanced_accuracy` of the patches, and the scenes' scores.

    Args:
        net, schedule, seed, scene_scores: as of a `CountingModule`.
        mixer: mixes the patches of training batches; None leaves them.
    """

    net: PatchClassifier

    def __init__(
        self,
        net: PatchClassifier,
        schedule: Schedule,
        seed: int,
        scene_scores: SceneScores | None = None,
        mixer: BatchMixer | None = None,
    ) -> None:
        super().__init__(net, schedule, seed, scene_scores)
        self.mixer = mixer
        self._validated: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Give the loss of a batch of (pixels, output)."""
        pixels, output = batch
        if self.mixer is not None:
            pixels, output = self.mixer(pixels.float(), output)
        logits = self.net.classify(channels_last(pixels))
        loss = F.cross_entropy(logits, output, label_smoothing=self.schedule.label_smoothing)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(output), prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Keep the logits of a batch."""
        pixels, output = batch
        self._validated.append((self.net.classify(channels_last(pixels)).float().cpu(), output.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Score the patches, and the scenes when they are due."""
        logits, output = (torch.cat(parts) for parts in zip(*self._validated, strict=True))
        self._validated.clear()
        predicted = logits.argmax(dim=1)
        self.log("val/loss", F.cross_entropy(logits, output))
        self.log("val/accuracy", float(accuracy_score(output, predicted)))
        self.log("val/balanced_accuracy", float(balanced_accuracy_score(output, predicted)), prog_bar=True)
        self.log_scenes()


def epoch_seed(seed: int, epoch: int) -> int:
    """Give the seed of torch's own draws in an epoch: dropout, and the mixing of batches."""
    return seed * 100_003 + epoch


def channels_last(pixels: Tensor) -> Tensor:
    """Give pixels as float32 in the layout that convolutions on CPUs and GPUs like best."""
    return pixels.float().contiguous(memory_format=torch.channels_last)

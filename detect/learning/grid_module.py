"""The Lightning module that trains a grid head."""

import torch
from torch import Tensor

from detect.learning.finetuning import Schedule
from detect.learning.losses import GridLoss
from detect.learning.module import CountingModule, SceneScores, channels_last
from detect.nets.grid import GridDetector

Batch = tuple[Tensor, dict[str, Tensor]]


class GridModule(CountingModule):
    """Trains a grid head.

    Logs `train/loss` and `val/loss` of crops, their terms as `train/objectness`, `train/box`, `train/label`,
    `train/lost` (objects a crop that found no slot in their cell), and the scenes' scores.

    Args:
        net: the network.
        schedule, seed, scene_scores: as of a `CountingModule`.
        loss: gives the terms.
    """

    net: GridDetector

    def __init__(
        self, net: GridDetector, schedule: Schedule, seed: int, loss: GridLoss, scene_scores: SceneScores | None = None
    ) -> None:
        super().__init__(net, schedule, seed, scene_scores)
        self.loss = loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Give the loss of a batch of (pixels, targets)."""
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the loss of a batch."""
        self._step(batch, "val")

    def on_validation_epoch_end(self) -> None:
        """Score the scenes when they are due."""
        self.log_scenes()

    def _step(self, batch: Batch, stage: str) -> Tensor:
        pixels, targets = batch
        terms = self.loss(self.net(channels_last(pixels)), targets)
        total = torch.stack(list(terms.values())).sum()
        shown = {"loss": total, **terms, "lost": targets["lost"].mean()}
        for name, value in shown.items():
            self.log(f"{stage}/{name}", value.detach(), on_step=False, on_epoch=True, batch_size=len(pixels))
        return total

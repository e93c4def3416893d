"""The Lightning module that those of all heads extend: rates, seeds, and counts of whole validation scenes."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from detect.learning.callbacks import planned_steps
from detect.learning.finetuning import Layers
from detect.learning.hyperparameters import Schedule
from detect.learning.together import place, share_buffers, together
from detect.nets.backbones import parameters_of
from detect.nets.modelfile import Net

logger = logging.getLogger(__name__)

SceneScores = Callable[[Net], Mapping[str, float]]
"""Counts the validation scenes with a network; the scores are logged by their names under `val/`."""


PROCESS_STEP = 1_000_000_007
"""Difference of the seeds of torch's draws of two processes that learn together."""


class CountingModule(pl.LightningModule):
    """Trains a network with AdamW, warm-up and cosine, and counts the validation scenes every few epochs.

    Logs the scores of `scene_scores`, `val/f1` among them: the F1 of counting whole validation scenes.

    Args:
        net: the network.
        schedule: rates, and how often scenes are counted.
        seed: dropout depends on it and the epoch, so that a resumed run continues like an uninterrupted one.
        scene_scores: counts the validation scenes; None where there are only patches.
    """

    def __init__(self, net: Net, schedule: Schedule, seed: int, scene_scores: SceneScores | None = None) -> None:
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)
        self.schedule = schedule
        self.seed = seed
        self.scene_scores = scene_scores
        self._scene_values: Mapping[str, float] = {}
        self._layers: Layers | None = None

    @property
    def layers(self) -> Layers:
        """The layers that learn; to be asked for once the trainer knows its epochs."""
        if self._layers is None:
            self._layers = Layers(self.net, self.schedule, self.trainer.max_epochs or 1)
        return self._layers

    def setup(self, stage: str) -> None:
        """Freeze the layers that never learn, before several devices agree on whose gradients they exchange.

        They are listed anew afterwards: `trainer.sync_batchnorm` puts others in their place.
        """
        if stage == "fit":
            Layers(self.net, self.schedule, self.trainer.max_epochs or 1)

    def on_train_epoch_start(self) -> None:
        """Set which layers learn in the epoch, and seed its random numbers."""
        before = parameters_of(self.net)[0] if self.current_epoch else 0
        self.layers.set(self.current_epoch)
        learning, every = parameters_of(self.net)
        if learning != before:
            logger.info("%s of %s parameters learn", f"{learning:,}", f"{every:,}")
        torch.manual_seed(epoch_seed(self.seed, self.current_epoch) + place() * PROCESS_STEP)

    def log_scenes(self) -> None:
        """Log the scenes' scores: new every `score_every` epochs, in the first and the last; else the previous ones."""
        epoch, last = self.current_epoch + 1, self.trainer.max_epochs
        due = epoch % self.schedule.score_every == 0 or epoch == last or not self._scene_values
        if self.scene_scores is not None and due:
            share_buffers(self.net)
            with together():
                self._scene_values = self.scene_scores(self.net)
        for name, value in self._scene_values.items():
            self.log(f"val/{name}", float(value), prog_bar=name == "f1")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write the scenes' scores into a checkpoint, as epochs between two counts repeat them."""
        checkpoint["scene_values"] = {name: float(value) for name, value in self._scene_values.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Read the scenes' scores from a checkpoint, so that a resumed run logs the same as an uninterrupted one."""
        self._scene_values = checkpoint.get("scene_values", {})

    def configure_optimizers(self) -> Any:
        """Return AdamW, with a parameter group for each rate and starting epoch, and a schedule by step."""
        steps = planned_steps(self.trainer)
        groups = self.layers.groups()
        starts = [group.pop("start") * steps // (self.trainer.max_epochs or 1) for group in groups]
        optimizer = AdamW(groups)
        factors: list[Callable[[int], float]] = [
            partial(self.schedule.factor, steps=steps, start=start) for start in starts
        ]
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, factors), "interval": "step"}}


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of torch's own draws in an epoch: dropout, and the mixing of batches."""
    return seed * 100_003 + epoch


def channels_last(pixels: Tensor) -> Tensor:
    """Return pixels (B, C, H, W) as float32 in the channels-last layout, which is the fastest for convolutions."""
    return pixels.float().contiguous(memory_format=torch.channels_last)

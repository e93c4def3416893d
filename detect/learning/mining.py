"""Mining of hard negatives: the network's false alarms in its training scenes become backgrounds."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from detect.labels.detections import Detections
from detect.learning.together import share_buffers, together
from detect.nets.modelfile import Net
from detect.samples.hard_negatives import HardNegatives, Mining, false_alarms
from detect.samples.labelled_scenes import LabelledScene

logger = logging.getLogger(__name__)


class MineHardNegatives(pl.Callback):
    """Searches the training scenes with the network, and makes its false alarms hard negatives of the next epochs.

    Online hard-example mining by rounds, as in bootstrapped detectors (Sung and Poggio 1998, Felzenszwalb et al. 2010).
    The places are part of the checkpoint, so that a resumed run continues like an uninterrupted one. Of several
    processes each searches a part of the scenes, and all get the same places.

    Args:
        find: returns the network's detections in every scene, by the scene's name.
        scenes: the training scenes.
        hard_negatives: of the sampler that draws the epochs.
        mining: when to search, and what is a false alarm.
    """

    def __init__(
        self,
        find: Callable[[Net], Mapping[str, Detections]],
        scenes: Sequence[LabelledScene],
        hard_negatives: HardNegatives,
        mining: Mining,
    ) -> None:
        self.find = find
        self.scenes = scenes
        self.hard_negatives = hard_negatives
        self.mining = mining

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Search the scenes in an epoch of `mining`, after validation and before the checkpoint is written."""
        self._mine(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Search them in a training that validates nothing."""
        if not trainer.enable_validation:
            self._mine(trainer, pl_module)

    def _mine(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking or trainer.current_epoch not in self.mining.epochs(trainer.max_epochs or 1):
            return
        net: Any = pl_module.net
        training = net.training
        share_buffers(net)
        with together():
            found = self.find(net.eval())
        net.train(training)
        alarms = false_alarms(self.scenes, found, self.mining.distance)
        self.hard_negatives.mined = self.hard_negatives.mined + alarms
        logger.info(
            "%d false alarms in the training images join the backgrounds (epoch %d)",
            len(alarms),
            trainer.current_epoch + 1,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the mined places for a checkpoint: (N, 4) scene, x, y and score."""
        mined = [(*place, score) for place, score in self.hard_negatives.mined]
        return {"mined": torch.tensor(mined, dtype=torch.float64).reshape(-1, 4)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the mined places from a checkpoint, by value.

        Raises:
            ValueError: they are no places in the training scenes.
        """
        mined = state_dict.get("mined")
        if not isinstance(mined, Tensor) or mined.dtype != torch.float64 or mined.ndim != 2 or mined.shape[1] != 4:
            raise ValueError("mined places must be rows of four numbers")
        scene, score = mined[:, 0], mined[:, 3]
        known = (scene >= 0) & (scene < len(self.scenes)) & (scene == scene.floor())
        if not bool((known & (score >= 0) & (score <= 1)).all()):
            raise ValueError("mined places must be in one of the training scenes, with scores in [0, 1]")
        shapes = torch.tensor([each.scene.shape for each in self.scenes], dtype=torch.float64)[scene.long()].flip(1)
        if not bool((mined[:, 1:3].abs() <= 2 * shapes).all()):
            raise ValueError("mined places must be in their scene")
        self.hard_negatives.mined = [((int(i), x, y), score) for i, x, y, score in mined.tolist()]

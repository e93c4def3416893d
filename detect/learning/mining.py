"""Hard negatives: what looks like an object and is none, labelled by a person or found by the network itself."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.random import Generator
from scipy.spatial import cKDTree

from detect.labels.detections import Detections
from detect.learning.splits import LabelledScene
from detect.nets.modelfile import Net

logger = logging.getLogger(__name__)

REPEATS = 4
"""Times that a mined place is drawn in an epoch, on average, at most: one false alarm must not fill a whole share."""

Place = tuple[int, float, float]
"""A scene's position in the list, and x and y in its pixels."""


class LookAlikes:
    """The places of training scenes that are background worth learning from.

    Args:
        scenes: those that train, with the look-alikes that were labelled.

    Attributes:
        labelled: places that a person named.
        mined: places where the network saw objects that are none, with their scores; empty until it has looked.
    """

    def __init__(self, scenes: Sequence[LabelledScene]) -> None:
        self.labelled: list[Place] = [(i, *xy) for i, s in enumerate(scenes) for xy in s.negatives.tolist()]
        self.mined: list[tuple[Place, float]] = []

    def __len__(self) -> int:
        return len(self.labelled) + len(self.mined)

    def most(self, number: int) -> int:
        """Give how many of `number` draws are for look-alikes: with mined ones alone `REPEATS` of each, at most."""
        return number if self.labelled else min(number, REPEATS * len(self.mined))

    def draw(self, number: int, rng: Generator) -> list[Place]:
        """Draw places with replacement: labelled ones with a weight of 1, mined ones with their score."""
        if not number:
            return []
        places = self.labelled + [place for place, _ in self.mined]
        weight = np.array([1.0] * len(self.labelled) + [score for _, score in self.mined])
        return [places[i] for i in rng.choice(len(places), size=number, p=weight / weight.sum())]


@dataclass(frozen=True)
class Mining:
    """When and what to mine.

    Attributes:
        moments: shares of the epochs after which the network looks for its false alarms, in (0, 1).
        apart: pixels of the image files from every object beyond which a detection is a false alarm.
    """

    moments: tuple[float, ...]
    apart: float

    def __post_init__(self) -> None:
        if not all(0 < moment < 1 for moment in self.moments):
            raise ValueError(f"data.mine_at must be shares of the epochs in (0, 1), got {list(self.moments)}")

    def epochs(self, number: int) -> set[int]:
        """Give the epochs, from 0, at whose end the network looks, of `number`; after the last it would be too late."""
        return {max(0, math.ceil(moment * number) - 1) for moment in self.moments} - {number - 1}


class HardNegatives(pl.Callback):
    """Lets the network look over its training scenes, and makes its false alarms backgrounds of the next epochs.

    Online hard-example mining by rounds, as in bootstrapped detectors (Sung and Poggio 1998, Felzenszwalb et al. 2010).
    What was found is part of the checkpoint, so that a resumed run goes on as an uninterrupted one.

    Args:
        find: gives what the network finds in every scene, by the scene's name.
        scenes: those that train.
        look_alikes: of the sampler that draws the epochs.
        mining: when and what.
    """

    def __init__(
        self,
        find: Callable[[Net], Mapping[str, Detections]],
        scenes: Sequence[LabelledScene],
        look_alikes: LookAlikes,
        mining: Mining,
    ) -> None:
        self.find = find
        self.scenes = scenes
        self.look_alikes = look_alikes
        self.mining = mining

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look, if it is time; after validation, and before the checkpoint is written."""
        if trainer.sanity_checking or trainer.current_epoch not in self.mining.epochs(trainer.max_epochs or 1):
            return
        net: Any = pl_module.net
        was = net.training
        found = self.find(net.eval())
        net.train(was)
        alarms = false_alarms(self.scenes, found, self.mining.apart)
        self.look_alikes.mined = self.look_alikes.mined + alarms
        logger.info(
            "%d false alarms in the training images join the backgrounds (epoch %d)",
            len(alarms),
            trainer.current_epoch + 1,
        )

    def state_dict(self) -> dict[str, Any]:
        """Give the places."""
        return {"mined": [[*place, score] for place, score in self.look_alikes.mined]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the places up again."""
        self.look_alikes.mined = [((int(i), x, y), score) for i, x, y, score in state_dict["mined"]]


def false_alarms(
    scenes: Sequence[LabelledScene], found: Mapping[str, Detections], apart: float
) -> list[tuple[Place, float]]:
    """Give the detections farther than `apart` pixels of the file from every object, with their scores."""
    alarms: list[tuple[Place, float]] = []
    for i, labelled in enumerate(scenes):
        table = found[labelled.name]
        if not len(table):
            continue
        away = np.full(len(table), np.inf)
        if len(labelled.objects):
            factor = np.asarray(labelled.scene.factor_xy, np.float64)
            away = cKDTree(labelled.objects.xy / factor).query(table.xy / factor)[0]
        for (x, y), score in zip(table.xy[away > apart].tolist(), table.score[away > apart].tolist(), strict=True):
            alarms.append(((i, x, y), score))
    return alarms

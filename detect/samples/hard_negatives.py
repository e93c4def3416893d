"""Hard negatives: the places that look like an object and are none, labelled by a person or found by the network."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.spatial import cKDTree

from detect.labels.detections import Detections
from detect.samples.labelled_scenes import LabelledScene

logger = logging.getLogger(__name__)

REPEATS = 4
"""Times that a mined place is drawn in an epoch, on average, at most: one false alarm must not fill a whole share."""


Place = tuple[int, float, float]
"""A scene's position in the list, and x and y in its pixels."""


class HardNegatives:
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
            raise ValueError(f"data.mining.at must be shares of the epochs in (0, 1), got {list(self.moments)}")

    def epochs(self, number: int) -> set[int]:
        """Give the epochs, from 0, at whose end the network looks, of `number`; after the last it would be too late."""
        return {max(0, math.ceil(moment * number) - 1) for moment in self.moments} - {number - 1}


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

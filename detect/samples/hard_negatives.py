"""Hard negatives: places that look like an object and are none, labelled by a person or mined by the network."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from detect.labels.detections import Detections
from detect.samples.labelled_scenes import LabelledScene

logger = logging.getLogger(__name__)

MAX_MINED_REPEATS = 4
"""Draws of a mined place in an epoch, on average, at most, so that one false alarm does not fill the whole share."""


Place = tuple[int, float, float]
"""A scene's position in the list, and x and y in its resampled pixels."""


class HardNegatives:
    """The hard negatives of training scenes.

    Args:
        scenes: the training scenes with their labelled negatives.

    Attributes:
        labelled: places that a person labelled as no object.
        mined: places of the network's false alarms, with their scores; empty until mining has run.
    """

    def __init__(self, scenes: Sequence[LabelledScene]) -> None:
        self.labelled: list[Place] = [(i, *xy) for i, s in enumerate(scenes) for xy in s.negatives.tolist()]
        self.mined: list[tuple[Place, float]] = []

    def __len__(self) -> int:
        return len(self.labelled) + len(self.mined)

    def limit(self, number: int) -> int:
        """Return how many of `number` draws can be hard negatives; mined ones alone `MAX_MINED_REPEATS` times each."""
        return number if self.labelled else min(number, MAX_MINED_REPEATS * len(self.mined))

    def draw(self, number: int, rng: Generator) -> list[Place]:
        """Draw places with replacement: labelled ones with a weight of 1, mined ones with their score."""
        if not number:
            return []
        places = self.labelled + [place for place, _ in self.mined]
        weight = np.array([1.0] * len(self.labelled) + [score for _, score in self.mined])
        return [places[i] for i in rng.choice(len(places), size=number, p=weight / weight.sum())]


@dataclass(frozen=True)
class Mining:
    """When hard negatives are mined, and what is a false alarm.

    Attributes:
        moments: shares of the epochs after which the training scenes are searched, in (0, 1).
        distance: a detection farther than this from every object is a false alarm, in pixels of the image files.

    Raises:
        ValueError: a moment outside (0, 1).
    """

    moments: tuple[float, ...]
    distance: float

    def __post_init__(self) -> None:
        if not all(0 < moment < 1 for moment in self.moments):
            raise ValueError(f"data.mining.at must be shares of the epochs in (0, 1), got {list(self.moments)}")

    def epochs(self, number: int) -> set[int]:
        """Return the epochs, from 0, of `number` at whose end to mine; not the last, after which nothing learns."""
        return {max(0, math.ceil(moment * number) - 1) for moment in self.moments} - {number - 1}


def false_alarms(
    scenes: Sequence[LabelledScene], found: Mapping[str, Detections], distance: float
) -> list[tuple[Place, float]]:
    """Return the places of detections far from every object, on valid pixels, with their scores.

    Args:
        scenes: the labelled scenes.
        found: the detections of each scene, by its name, in its resampled pixels.
        distance: least distance from every object, in pixels of the image file.
    """
    from scipy.spatial import cKDTree

    alarms: list[tuple[Place, float]] = []
    for i, labelled in enumerate(scenes):
        table = found[labelled.name]
        if not len(table):
            continue
        away = np.full(len(table), np.inf)
        if len(labelled.objects):
            factor = np.asarray(labelled.scene.factor_xy, np.float64)
            away = cKDTree(labelled.objects.xy / factor).query(table.xy / factor)[0]
        if labelled.coverage is not None:
            away = np.where(labelled.coverage.holds(table.xy), away, 0.0)
        for (x, y), score in zip(
            table.xy[away > distance].tolist(), table.score[away > distance].tolist(), strict=True
        ):
            alarms.append(((i, x, y), score))
    return alarms

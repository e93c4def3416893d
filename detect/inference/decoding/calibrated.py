"""Maps and objects of a network whose scores are made probabilities: the last step of all.

A calibration keeps the order of scores, so that places, classes and what removes what are the same with it and without.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detect.labels.detections import Detections
from detect.nets.facts.probabilities import Calibration


def calibrated(found: Detections, calibration: Calibration | None) -> Detections:
    """Return objects with the probabilities of their scores; as they are without a calibration."""
    return found if calibration is None else replace(found, score=calibration(found.score))


def calibrated_heat(heat: NDArray[np.float32], calibration: Calibration | None) -> NDArray[np.float32]:
    """Return the probability of every class in each cell, (C, h, w) in [0, 1]: their sum is made a probability."""
    if calibration is None:
        return heat
    wide = heat.astype(np.float64)
    there = wide.sum(axis=0).clip(np.finfo(np.float64).tiny, 1)
    return np.asarray(wide * (calibration(there) / there), np.float32)

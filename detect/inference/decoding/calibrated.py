"""The map of a network whose scores are made probabilities."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detect.inference.decoding.geometry import CellGeometry, Turn
from detect.labels.detections import Detections
from detect.nets.facts.probabilities import Calibration

if TYPE_CHECKING:
    from detect.inference.decoding.decoder import Decoder

ROUNDING = 1e-6
"""By how much the score of a probability may be off: what lies between is decoded, and then compared exactly."""


class CalibratedDecoder:
    """Reads maps as a head's decoder does, with probabilities for scores and for thresholds.

    A calibration keeps the order of scores, so that places, classes and what removes what are the same.

    Args:
        decoder: of the head.
        calibration: what makes probabilities of its scores.
    """

    def __init__(self, decoder: "Decoder", calibration: Calibration) -> None:
        self.decoder = decoder
        self.calibration = calibration
        self.channels = decoder.channels

    def heat(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of every class in each cell, (C, h, w) in [0, 1]: their sum is made a probability."""
        heat = self.decoder.heat(logits).astype(np.float64)
        there = heat.sum(axis=0).clip(np.finfo(np.float64).tiny, 1)
        return np.asarray(heat * (self.calibration(there) / there), np.float32)

    def detections(
        self,
        logits: NDArray[np.float32],
        geometry: CellGeometry,
        *,
        separation: float,
        threshold: float,
        rows: int | None = None,
    ) -> Detections:
        """Find the objects of a probability or more."""
        least = max(0.0, float(self.calibration.inverse(threshold)) - ROUNDING) if threshold > 0 else 0.0
        found = self.decoder.detections(logits, geometry, separation=separation, threshold=least, rows=rows)
        found = replace(found, score=self.calibration(found.score))
        return found[found.score >= threshold]

    def turned_back(self, maps: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
        """Return maps of a mirrored tile as the head's decoder does."""
        return self.decoder.turned_back(maps, turn)

    def combined(self, maps: NDArray[np.float32], how: str) -> NDArray[np.float32]:
        """Return the combined maps of several views as the head's decoder does: networks' scores, not probabilities."""
        return self.decoder.combined(maps, how)

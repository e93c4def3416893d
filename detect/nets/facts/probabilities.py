"""What makes probabilities of a network's scores."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

LEAST_SCORE = 1e-9
"""Least score, and least difference to 1, whose log odds are distinguished."""

MIN_CANDIDATE_SCORE = 0.02
"""Least score that a network gives to a candidate: what is below is ground."""

ROUNDING = 1e-6
"""By how much the score of a probability may be off: what lies between is looked at, and then compared exactly."""

SLOPE, INTERCEPT = "slope", "intercept"


@dataclass(frozen=True)
class Calibration:
    """A line from the log odds of scores to those of probabilities (Platt 1999).

    Attributes:
        slope: above 0, so that a higher score stays the higher one.
        intercept: the log odds of a score of 0.5.

    Raises:
        ValueError: the slope is not above 0, or one of the two is not finite.
    """

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.slope) and self.slope > 0 and np.isfinite(self.intercept)):
            raise ValueError(
                f"a calibration needs a finite slope above 0 and a finite intercept, got {self.slope} and "
                f"{self.intercept}"
            )

    def __call__(self, scores: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return the probabilities of scores in [0, 1]."""
        return np.asarray(expit(self.slope * _log_odds(scores) + self.intercept), np.float64)

    def inverse(self, probabilities: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return the scores that have these probabilities, in [0, 1]."""
        return np.asarray(expit((_log_odds(probabilities) - self.intercept) / self.slope), np.float64)

    def keeps(self, scores: NDArray[np.float64], threshold: float) -> bool:
        """Return whether the same scores count at the probability of a threshold, and it tells the threshold again."""
        made = float(self(threshold))
        same = np.array_equal(self(scores) >= made, scores >= threshold)
        return same and abs(self.threshold_of(made) - threshold) < ROUNDING / 2

    def threshold_of(self, probability: float) -> float:
        """Return the score of a probability; 0 where it is below all whose log odds are distinguished."""
        return 0.0 if probability < LEAST_SCORE else float(self.inverse(probability))

    def to_record(self) -> dict[str, float]:
        """Return it as the mapping that a model's card keeps."""
        return {SLOPE: self.slope, INTERCEPT: self.intercept}

    @classmethod
    def from_record(cls, record: Mapping[str, float]) -> "Calibration":
        """Return that of a card.

        Raises:
            ValueError: there are other entries than `slope` and `intercept`, or values that no calibration has.
        """
        if set(record) != {SLOPE, INTERCEPT}:
            raise ValueError(f"a calibration has {SLOPE} and {INTERCEPT}, got {sorted(record)}")
        return cls(float(record[SLOPE]), float(record[INTERCEPT]))


def _log_odds(values: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(np.asarray(values, np.float64), LEAST_SCORE, 1 - LEAST_SCORE)), np.float64)


def candidate_floor(record: Mapping[str, float] | None) -> float:
    """Return the least score of a candidate as detections have it: a probability where a card has a calibration."""
    return MIN_CANDIDATE_SCORE if record is None else float(Calibration.from_record(record)(MIN_CANDIDATE_SCORE))


def network_threshold(record: Mapping[str, float] | None, threshold: float) -> float:
    """Return a model's threshold as a score of the network, where a card has a calibration or not."""
    return threshold if record is None else Calibration.from_record(record).threshold_of(threshold)


def told_unknown(sureness: float, threshold: float) -> bool:
    """Return whether a scene is of none of the classes: not sure enough, or, with a sureness of 0, like none of them.

    Args:
        sureness: how sure a model is that the scene is of some class that it knows.
        threshold: least probability of a class, in [0, 1].
    """
    return sureness == 0 or sureness < threshold

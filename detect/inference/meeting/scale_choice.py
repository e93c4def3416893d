"""The scale of an image chosen without labels: that at which a network answers the most clearly.

Objects of another size than the training's are answered with low scores, or with several. At each scale of a pyramid
the scores say what F1 they stand for, were they probabilities; the scale where that is highest, with some objects
behind it, is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.imagery.resampling import axis_filter, resample
from detect.inference.decoding.decoder import Decoder
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.meeting.sample_windows import SampleGrid
from detect.inference.stitching import Runtime
from detect.nets.net_spec import NetSpec

SCALE_GRID = SampleGrid(side=512, number=16)
"""Windows that are looked at in all scales: larger than the training's objects in any of them."""

FACTORS = tuple(2 ** (step / 3) for step in range(-3, 4))
"""The pyramid: from a half to twice the size, in thirds of an octave, which is as exactly as scales were told (measured
on sea lions and livestock at known scales)."""

LEAST_COUNTED = 0.1
"""Scores below it are left out: ground without objects has more of them the larger it is made."""

LEAST_GAIN = 1.1
"""How many times clearer than at the image's own scale the answer at another one must be."""

LEAST_FOUND = 3.0
"""Sum of the scores above the threshold, the objects expected among them, from which on scales are told at all."""


def clarity(scores: NDArray[np.floating], threshold: float) -> float:
    """Return how clear an answer is: the F1 at a threshold that is expected of scores, times the root of the objects.

    Of n scores at the threshold or above, their sum S is expected to be right, of T in all: F1 = 2 S / (n + T). Few
    objects say little of it, so that it is weighed by sqrt(S).
    """
    taken = scores[scores >= threshold]
    right, there = float(taken.sum()), float(scores[scores >= LEAST_COUNTED].sum())
    return 2 * right**1.5 / (len(taken) + there) if len(taken) else 0.0


def chosen_factor(scores: Mapping[float, NDArray[np.floating]], threshold: float) -> float:
    """Return the factor whose scores are the clearest answer; 1 where another is hardly clearer, or nothing is found.

    An answer that only gets clearer to the end of the pyramid is no peak: it is that of look-alikes, whose number grows
    with the size of the ground.

    Args:
        scores: of what is found in the same windows, by the factor of their size.
        threshold: of the model.
    """
    clear = {factor: clarity(found, threshold) for factor, found in scores.items()}
    best = max(clear, key=lambda factor: (clear[factor], -abs(np.log(factor))))
    found = scores[best][scores[best] >= threshold].sum()
    peak = min(scores) < best < max(scores)
    return best if peak and found >= LEAST_FOUND and clear[best] > LEAST_GAIN * clear.get(1.0, 0.0) else 1.0


@dataclass(frozen=True, eq=False)
class ScaleChoice:
    """What looks at windows in all scales.

    Attributes:
        spec: of the network.
        runtime: maps a batch of tiles.
        decoder: of its maps.
        separation: as of the engine.
        threshold: of the model, as a score of the network in [0, 1].
    """

    spec: NetSpec
    runtime: Runtime
    decoder: Decoder
    separation: float
    threshold: float

    def scores(self, windows: Sequence[NDArray[np.generic]]) -> dict[float, NDArray[np.float64]]:
        """Return the scores of what is found in windows (bands, h, w), by the factor of their size."""
        none = np.empty(0)
        return {
            factor: np.concatenate([none, *(self._scores_of(pixels, factor) for pixels in windows)])
            for factor in FACTORS
        }

    def _scores_of(self, pixels: NDArray[np.generic], factor: float) -> NDArray[np.float64]:
        height, width = pixels.shape[1:]
        shape = max(1, round(height * factor)), max(1, round(width * factor))
        rows, cols = axis_filter(0, shape[0], height, shape[0]), axis_filter(0, shape[1], width, shape[1])
        shown, _ = resample(pixels, rows, cols)
        beyond = [(0, 0), *((0, -side % self.spec.align) for side in shape)]
        logits = self.runtime(np.pad(shown, beyond, mode="reflect")[None])[0]
        places = CellGeometry(self.spec.stride, self.spec.cell_offset, shape)
        found = self.decoder.detections(logits, places, separation=self.separation, threshold=LEAST_COUNTED)
        return found.score

    def factor(self, scores: Mapping[float, NDArray[np.floating]]) -> float:
        """Return the factor by which what was looked at is to be read."""
        return chosen_factor(scores, self.threshold)

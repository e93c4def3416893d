"""`ranked.csv`: the windows that would teach a model most, for labelling; they are chosen, and not drawn by chance."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.survey.partition import SurveyWindows
from detect.labels.detections import Detections
from detect.labels.sheets import sheet_text, writable

HEADER = ("rank", "image", "row", "col", "height", "width", "uncertain", "unlike")
"""Columns: the place from 1, the window, how many objects in it are as good as undecided, how unlike its image is."""


@dataclass(frozen=True, eq=False)
class RankedWindows:
    """Windows in order of what labelling them would teach.

    Attributes:
        windows: of the run.
        uncertain: (N,) number of objects in each that are as good as undecided.
        unlike: (N,) how far each image is from the training images, in [0, 1]; 0 where it is not known.
        order: (M,) positions of the windows, the best first.
    """

    windows: SurveyWindows
    uncertain: NDArray[np.float64]
    unlike: NDArray[np.float64]
    order: NDArray[np.int64]


def undecided(score: NDArray[np.float64], threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how undecided scores are, in [0, 1]: 1 at the threshold, 0 at scores of 0 and 1, linear between.

    Args:
        score: (N,) in [0, 1].
        threshold: (N,) in [0, 1], of the object's class.
    """
    below = np.divide(score, threshold, out=np.ones_like(score), where=threshold > 0)
    above = np.divide(1 - score, 1 - threshold, out=np.ones_like(score), where=threshold < 1)
    return np.minimum(np.minimum(below, above), 1.0)


def ranked_windows(
    windows: SurveyWindows,
    guide: Mapping[str, Detections],
    thresholds: Mapping[str, float],
    unlike: Mapping[str, float],
    left_out: NDArray[np.bool_],
) -> RankedWindows:
    """Rank windows by their undecided objects, which count up to double in images that are unlike the training images.

    Uncertainty of single decisions is the oldest measure of active learning (Lewis and Gale 1994). Windows without any
    come last, those of unlike images first, and then in their order.

    Args:
        windows: of the run.
        guide: what may be an object in each image, below the threshold too.
        thresholds: of each class.
        unlike: how far each image is from the training images, in [0, 1], where it is known.
        left_out: (N,) windows that are not ranked.
    """
    uncertain = np.zeros(len(windows))
    for name, found in guide.items():
        threshold = np.array([thresholds[each] for each in found.classes], np.float64)[found.label]
        weight = undecided(found.score, threshold)
        uncertain += np.bincount(windows.find(name, found.xy), weight, minlength=len(windows))
    far = np.array([unlike.get(name, 0.0) for name in windows.images])[windows.image]
    worth = uncertain * (1 + far)
    order = np.lexsort((np.arange(len(windows)), -far, -worth))
    return RankedWindows(windows, uncertain, far, order[~left_out[order]])


def ranked_bytes(ranked: RankedWindows, most: int) -> bytes:
    """Return the first of ranked windows as CSV.

    Raises:
        ValueError: an image's name cannot be written.
    """
    windows = ranked.windows
    rows = [
        [
            str(number),
            writable(windows.images[int(windows.image[place])], "image name"),
            *map(str, windows.bounds[place].tolist()),
            f"{ranked.uncertain[place]:.3f}",
            f"{ranked.unlike[place]:.3f}",
        ]
        for number, place in enumerate(ranked.order[:most].tolist(), start=1)
    ]
    return sheet_text(HEADER, rows).encode("utf-8")

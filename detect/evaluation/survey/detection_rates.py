"""`Rate`: the detector's recall and precision, estimated from the windows of a survey that a person reviewed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.survey.design import SurveyDesign
from detect.evaluation.survey.intervals import share_interval


@dataclass(frozen=True)
class Rate:
    """A share of objects, with its 95 % interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


def rate(
    design: SurveyDesign, reviewed: NDArray[np.bool_], hits: NDArray[np.integer], objects: NDArray[np.integer]
) -> Rate:
    """Return the share of objects that are hits: of true objects the recall, of counted ones the precision.

    It is the ratio of the two estimated totals, (H + mean_k (h_k / p_k)) / (M + mean_k (m_k / p_k)), H and M what was
    counted in windows that cannot be drawn and were reviewed, with the error of the linearised ratio r (Sarndal,
    Swensson and Wretman 1992, section 5.6), sd((h_k - r m_k) / p_k) / (sqrt(n) (M + mean(m_k / p_k))), and the interval
    of `share_interval`. Where every window was reviewed, it is the share itself.

    Args:
        design: of the survey.
        reviewed: (N,) whether each window was reviewed.
        hits: (N,) pairs of a true and a counted object in each window.
        objects: (N,) true objects, or counted ones, in each window; not fewer than the hits.

    Raises:
        ValueError: a window has more hits than objects.
    """
    if (hits > objects)[reviewed].any():
        raise ValueError("a window of the survey has more hits than objects")
    if bool((reviewed | (design.probability == 0)).all()):
        number = int(objects[reviewed].sum())
        share = int(hits[reviewed].sum()) / number if number else None
        return Rate(share, share, share)
    draws = design.draws[: design.reviewed_draws(reviewed)]
    weight = 1 / design.probability[draws]
    known = reviewed & (design.probability == 0)
    if len(draws) < 2:
        return Rate(None, None, None)
    whole = float(objects[known].sum() + (objects[draws] * weight).mean())
    if not whole:
        return Rate(None, None, None)
    share = min(float(hits[known].sum() + (hits[draws] * weight).mean()) / whole, 1.0)
    rest = (hits[draws] - share * objects[draws]) * weight
    error = float(rest.std(ddof=1) / (np.sqrt(len(draws)) * whole))
    return Rate(share, *share_interval(share, error, int((objects[draws] > 0).sum() + (objects[known] > 0).sum())))

"""`Estimate`: a total with its interval, from the windows of a survey that a person reviewed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from detect.evaluation.survey.design import SurveyDesign

Method = Literal["counted", "t", "exact bound", "none"]
"""How an interval was made: every window was seen, Student's t, a bound where no error was seen, or not at all."""

CONFIDENCE = 0.95
"""Of every interval."""


@dataclass(frozen=True)
class Estimate:
    """A total with its 95 % interval.

    Attributes:
        total: the estimate; NaN where nothing was reviewed.
        low: lower end of the interval, never below `seen`.
        high: upper end, None where nothing bounds it.
        raw: the detector's count of the same.
        seen: objects that a person confirmed or added in the windows reviewed.
        draws: how many draws the estimate rests on.
        error: the standard error.
        method: how the interval was made.
        why: that, in a sentence.
        warning: what to be careful about, in a sentence; None where nothing is known.
    """

    total: float
    low: float
    high: float | None
    raw: int
    seen: int
    draws: int
    error: float
    method: Method
    why: str
    warning: str | None


def estimate(
    design: SurveyDesign, reviewed: NDArray[np.bool_], true: NDArray[np.integer], counts: NDArray[np.integer]
) -> Estimate:
    """Return the total of some objects, with its interval.

    The estimate is the detector's count plus the mean of the weighted errors of the windows drawn (the difference
    estimator on Hansen and Hurwitz's, 1943; Sarndal, Swensson and Wretman 1992, chapter 6): with y the true number in
    a window, c the detector's and p the probability of a draw,

        T = sum_i c_i + mean_k (y_k - c_k) / p_k

    Its mean over surveys is the true total whatever the detector does. A domain (a class, an image, a polygon) is
    estimated by giving only its objects; then estimates of parts add up to that of the whole.

    Args:
        design: of the survey.
        reviewed: (N,) whether each window was reviewed.
        true: (N,) objects that a person says are in each window; not looked at where it was not reviewed.
        counts: (N,) objects that the detector counted in each window.

    Raises:
        ValueError: lengths disagree, or the detector counts something in a window that cannot be drawn, and which was
            not reviewed.
    """
    number = len(design.probability)
    if not len(reviewed) == len(true) == len(counts) == number:
        raise ValueError(f"the survey has {number} windows, got {len(reviewed)}, {len(true)} and {len(counts)} numbers")
    never = (design.probability == 0) & ~reviewed
    if counts[never].any():
        raise ValueError(f"{int(counts[never].sum())} objects are in windows that cannot be drawn; leave them out")
    seen, raw = int(true[reviewed].sum()), int(counts.sum())
    if bool((reviewed | (design.probability == 0)).all()):
        why = "every window was reviewed, so that the total was counted"
        return Estimate(seen, seen, seen, raw, seen, len(design.draws), 0.0, "counted", why, None)
    draws = design.draws[: design.reviewed_draws(reviewed)]
    if len(draws) < 2:
        why = (
            f"{len(draws)} of the windows drawn {'was' if len(draws) == 1 else 'were'} reviewed; an estimate needs two"
        )
        return Estimate(float("nan"), seen, None, raw, seen, len(draws), float("nan"), "none", why, None)
    surely = design.probability == 0
    known = float(counts[~surely].sum() + true[surely & reviewed].sum())
    errors = (true[draws] - counts[draws]) / design.probability[draws]
    total = known + float(errors.mean())
    error = float(errors.std(ddof=1) / np.sqrt(len(draws)))
    half = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, len(draws) - 1))
    return Estimate(
        total, max(seen, total - half), max(seen, total + half), raw, seen, len(draws), error, "t", "Student's t", None
    )

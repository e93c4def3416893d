"""`Estimate`: a total with its interval, from the windows of a survey that a person reviewed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.survey.design import SurveyDesign
from detect.evaluation.survey.intervals import greatest_sum, mean_interval, unseen_share

Method = Literal["counted", "t", "exact bound", "none"]
"""How an interval was made: every window was seen, Student's t, a bound where no error was seen or all draws are of one
window, or not at all."""

TRUST = 10
"""Draws for which the detector's count is trusted as it is, when what it is worth is learned from the draws."""

FEW_DRAWS, FEW_WINDOWS = 30, 5
"""Fewer draws, or fewer windows with errors, than these make an interval that a warning goes with."""

NARROW = 0.05
"""Half an interval over the estimate, up to which it does not matter what few windows it comes from."""

WIDE, DOMINATED, BLIND = 0.5, 0.5, 1 / 3
"""Half an interval over the estimate, and one window's share of the variance, above which a warning goes with it; and
the detector's count over the estimate, below which one does."""


@dataclass(frozen=True)
class Estimate:
    """A total with its 95 % interval.

    Attributes:
        total: the estimate, not rounded; NaN where fewer than two draws were reviewed.
        low: lower end of the interval, never below `seen`.
        high: upper end, None where nothing bounds it.
        raw: the detector's count of the same.
        seen: objects that a person confirmed or added in the windows reviewed.
        draws: how many draws the estimate rests on.
        error: the standard error.
        method: how the interval was made.
        why: that, in words, with what it assumes.
        warning: what to be careful about, in words; None where nothing is known.
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


def trust_in_counts(
    design: SurveyDesign, reviewed: NDArray[np.bool_], true: NDArray[np.integer], counts: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return what the detector's count is worth, b of each draw, learned from the other draws.

    It is the slope of y / p on c / p (y the true number in a window, c the detector's, p the probability of a draw),
    which makes the variance least (the regression estimator; power tuning in prediction-powered inference,
    Angelopoulos, Duchi and Zrnic 2023), drawn towards 1 as if by `TRUST` draws. As the draw itself is left out, b
    does not depend on it, and the estimate stays unbiased; where the detector makes no errors, b is 1.

    Args:
        design: of the survey.
        reviewed: (N,) whether each window was reviewed.
        true: (N,) objects that a person says are in each window.
        counts: (N,) objects that the detector counted in each window.

    Returns:
        (n,) float64, a number for each reviewed draw.
    """
    draws = design.draws[: design.reviewed_draws(reviewed)]
    others = len(draws) - 1
    if others < 2:
        return np.ones(len(draws))
    y, x = true[draws] / design.probability[draws], counts[draws] / design.probability[draws]
    x_sum, y_sum = x.sum() - x, y.sum() - y
    spread = (x @ x - x * x) - x_sum * x_sum / others
    common = (x @ y - x * y) - x_sum * y_sum / others
    known = spread > 1e-9 * max(float(x @ x), 1.0)
    slope = np.divide(common, spread, out=np.ones(len(draws)), where=known)
    return (others * slope + TRUST) / (others + TRUST)


def estimate(
    design: SurveyDesign,
    reviewed: NDArray[np.bool_],
    true: NDArray[np.integer],
    counts: NDArray[np.integer],
    trust: NDArray[np.float64] | None = None,
    inside: NDArray[np.bool_] | None = None,
) -> Estimate:
    """Return the total of some objects, with its interval.

    With y the true number in a window, c the detector's, p the probability of a draw and b_k of `trust_in_counts`, it
    is the mean over the draws k of

        b_k sum_i c_i + (y_k - b_k c_k) / p_k

    the difference estimator (Sarndal, Swensson and Wretman 1992, chapter 6) on draws with replacement (Hansen and
    Hurwitz 1943). Its mean over surveys is the true total whatever the detector does. A part of the objects (a class,
    an image, a polygon) is estimated by giving those alone with the `trust` of the whole; then parts add up to the
    whole. Windows that cannot be drawn but were reviewed count as they are.

    Args:
        design: of the survey.
        reviewed: (N,) whether each window was reviewed.
        true: (N,) objects that a person says are in each window; not looked at where it was not reviewed.
        counts: (N,) objects that the detector counted in each window.
        trust: (n,) of `trust_in_counts`; None learns it from these objects.
        inside: (N,) which windows can hold such objects; None for all.

    Raises:
        ValueError: lengths disagree, or the detector counts something in a window that can neither be drawn nor was
            reviewed.
    """
    _check(design, reviewed, true, counts)
    able = design.probability > 0
    seen, raw = int(true[reviewed].sum()), int(counts.sum())
    if bool((reviewed | ~able).all()):
        why = "every window was reviewed: the objects were counted"
        return Estimate(seen, seen, seen, raw, seen, len(design.draws), 0.0, "counted", why, None)
    draws = design.draws[: design.reviewed_draws(reviewed)]
    if len(draws) < 2:
        why = f"an estimate needs two reviewed draws or more, there are {len(draws)}"
        return Estimate(float("nan"), seen, None, raw, seen, len(draws), float("nan"), "none", why, None)
    trust = trust_in_counts(design, reviewed, true, counts) if trust is None else trust
    known = int(true[~able & reviewed].sum())
    values = known + trust * counts[able].sum() + (true[draws] - trust * counts[draws]) / design.probability[draws]
    total, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(draws)))
    low, high = mean_interval(values)
    wrong = np.unique(draws[true[draws] != counts[draws]])
    alone = len(wrong) > 0 and bool((draws == draws[0]).all())
    method: Method = "t" if len(wrong) and not alone else "exact bound"
    why = _why_t(len(draws)) if method == "t" else _why_bound(len(draws), alone)
    if method != "t":
        others = np.ones_like(able) if inside is None else inside.copy()
        others[wrong] = False
        below, above = _bound(design, len(draws), counts, others)
        counted = known + float(counts[able].sum() + (true[wrong] - counts[wrong]).sum())
        low, high = min(low, counted - below), max(high, counted + above)
    warning = _warning(values, draws, len(wrong), (high - low) / 2, raw) if len(wrong) else None
    if round(total) < seen:
        more = f"by chance, fewer than the {seen} that were seen would be estimated"
        warning = more if warning is None else f"{warning}; {more}"
    return Estimate(total, max(seen, low), max(seen, high), raw, seen, len(draws), error, method, why, warning)


def _check(
    design: SurveyDesign, reviewed: NDArray[np.bool_], true: NDArray[np.integer], counts: NDArray[np.integer]
) -> None:
    """Check that there is a number for each window, and none where nothing can be known."""
    number = len(design.probability)
    if not len(reviewed) == len(true) == len(counts) == number:
        raise ValueError(f"the survey has {number} windows, got {len(reviewed)}, {len(true)} and {len(counts)} numbers")
    never = int(counts[(design.probability == 0) & ~reviewed].sum())
    if never:
        raise ValueError(f"{never} objects are counted in windows that cannot be drawn; leave them out, or review them")


def _bound(
    design: SurveyDesign, draws: int, counts: NDArray[np.integer], inside: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return how many objects too many, and too few, the detector may have counted in windows with unseen errors.

    The windows with errors have a share `unseen_share` of the probability at most. At worst, all that was counted in
    such windows is wrong, or as many again are missing there, one at least in each.
    """
    share = unseen_share(draws)
    probability = np.where(inside, design.probability, 0.0)
    below = greatest_sum(counts.astype(np.float64), probability, share)
    return below, greatest_sum(np.maximum(counts, 1).astype(np.float64), probability, share)


def _why_t(draws: int) -> str:
    """Return in words how an interval by t was made."""
    return (
        f"the mean of {draws} draws, with Student's t and half a draw added as far out as the farthest; it "
        "assumes that what the person says of a window is true, and that no window was left out for what is in it"
    )


def _why_bound(draws: int, alone: bool) -> str:
    """Return in words how a bound was made, where no error was seen or `alone` one window was drawn again and again."""
    seen = f"all {draws} draws are of one window" if alone else f"no error was seen in {draws} draws"
    return (
        f"{seen}, so that with 95 % confidence {'other ' if alone else ''}windows with errors make up less than "
        f"{100 * unseen_share(draws):.1f} % of the draws' probability; it assumes that such a window lacks as many "
        "objects as were counted in it at most, or one"
    )


def _warning(values: NDArray[np.float64], draws: NDArray[np.int64], wrong: int, half: float, raw: int) -> str | None:
    """Return in words why an interval by t may cover less than 95 %, None where no reason is known.

    Args:
        values: (n,) what each draw gives for the total.
        draws: (n,) their windows.
        wrong: windows reviewed in which the detector made errors.
        half: of the interval's width.
        raw: the detector's count.
    """
    total = abs(float(values.mean()))
    squares = (values - values.mean()) ** 2
    reasons = []
    if len(draws) < FEW_DRAWS:
        reasons.append(f"there are {len(draws)} draws, and an interval holds as often as it should from {FEW_DRAWS} on")
    if wrong < FEW_WINDOWS and half > NARROW * total:
        reasons.append(f"errors were seen in {wrong} {'window' if wrong == 1 else 'windows'} alone")
    if np.bincount(draws, squares).max() > DOMINATED * squares.sum() and half > NARROW * total:
        reasons.append("most of the interval comes from one window")
    if raw < BLIND * total:
        reasons.append(f"the detector counts {raw} of them and tells little of where the others are")
    if half > WIDE * total:
        reasons.append("the interval is wide")
    return f"{'; '.join(reasons)}: review more windows" if reasons else None

"""Intervals of 95 % for means of draws, for shares, and for what was never seen to go wrong."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

CONFIDENCE = 0.95
"""Of every interval."""

PSEUDO_DRAWS = 0.5
"""How many draws, as extreme as the most extreme one on its side, are added before an end of an interval is taken."""


def mean_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the interval for the mean of what independent draws give, by Student's t with half a draw added.

    Errors of detectors are rare and of unequal size, so that a sample often lacks the largest: plain t then covers 80
    to 92 % with 10 to 40 draws. Each end is therefore taken of the sample with half a draw more, as far on that side as
    the farthest that was seen, in the way that Agresti and Coull (1998) add successes and failures; where errors are
    many, it changes little (with a whole draw, even errors are covered in more than 98 %, with a third of one, rare
    ones in less than 92 %). Skewness-corrected t (Johnson 1978; Hall 1992) covers no better with few draws, and is up
    to twice as wide.

    Args:
        values: (n,) two or more.

    Returns:
        The lower and the upper end.
    """
    ends = [_end(values, extreme, side) for extreme, side in ((values.min(), -1), (values.max(), 1))]
    return ends[0], ends[1]


def _end(values: NDArray[np.float64], extreme: float, side: int) -> float:
    """Return an end of the interval, below (-1) or above (1): of the values and half a draw of `extreme`."""
    number = len(values) + PSEUDO_DRAWS
    mean = (values.sum() + PSEUDO_DRAWS * extreme) / number
    squares = ((values - mean) ** 2).sum() + PSEUDO_DRAWS * (extreme - mean) ** 2
    quantile = stdtrit(number - 1, (1 + CONFIDENCE) / 2)
    return float(mean + side * quantile * np.sqrt(squares / (number - 1) / number))


def unseen_share(draws: int) -> float:
    """Return the greatest share of the draws' probability that may have errors, where no draw had one.

    If windows of a share q of the probability had errors, n draws would miss them all with a chance of (1 - q)^n; it is
    5 % at q = 1 - 0.05^(1/n).
    """
    return float(-np.expm1(np.log(1 - CONFIDENCE) / draws))


def greatest_sum(values: NDArray[np.float64], probability: NDArray[np.float64], share: float) -> float:
    """Return the greatest sum of values (N,) over windows whose probabilities (N,) add up to a share at most.

    The last window may count in part (Dantzig's bound of the knapsack), so that it is no less than the true greatest.
    """
    able = np.flatnonzero(probability > 0)
    order = able[np.argsort(-values[able] / probability[able], kind="stable")]
    before = np.cumsum(probability[order]) - probability[order]
    part = np.clip((share - before) / probability[order], 0, 1)
    return float((values[order] * part).sum())


def share_interval(share: float, error: float, draws: int) -> tuple[float, float]:
    """Return the interval for a share that was estimated from clusters, by Clopper and Pearson's exact one.

    The number of trials is the one that would give the same standard error, made smaller by the squared ratio of the
    normal's quantile to that of Student's t (Korn and Graubard 1998); where the share is 0 or 1, whose error cannot be
    seen, each draw is one trial.

    Args:
        share: in [0, 1].
        error: its standard error.
        draws: how many have a part in it.
    """
    tail = (1 - CONFIDENCE) / 2
    if share <= 0 or share >= 1 or error <= 0 or draws < 2:
        trials = float(draws)
    else:
        trials = share * (1 - share) / error**2 * (ndtri(1 - tail) / stdtrit(draws - 1, 1 - tail)) ** 2
    hits = share * trials
    low = 0.0 if share <= 0 else float(betaincinv(hits, trials - hits + 1, tail))
    high = 1.0 if share >= 1 else float(betaincinv(hits + 1, trials - hits, 1 - tail))
    return low, high

"""A threshold for new images by their scores alone: those of ground and those of objects, told apart by their shape.

On images unlike the training's, scores of objects shrink, and a threshold chosen at home leaves many out. Among the log
odds of what is found, ground thins out from the floor on like an exponential, and objects are a bell above it; the two
are fitted by expectation and maximisation (Dempster et al. 1977), and the threshold is that of the best F1 expected.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import expon, norm

SURVEY_FLOOR = 0.1
"""Least score that is looked at: below it there is ground alone, of too many kinds for one shape."""

LEAST_SCORES = 20
"""Scores from which on a mixture is fitted."""

STEP = 1 / 64
"""Width in log odds of the bins in which scores are counted, so that the time does not grow with their number."""

STARTS, ROUNDS = (0.5, 0.8, 0.9, 0.97), 300
"""Quantiles at which the two are divided at first, of which the likeliest end is taken, and the rounds from each."""

LEAST_SPREAD = 0.3
"""Least standard deviation of the bell in log odds, so that it cannot shrink to a single score."""

MOST_CHANGE = 3.0
"""How many times more or fewer objects than at the model's own threshold are believed."""

ALMOST = 1e-6
"""Least score, and least difference to 1, whose log odds are distinguished."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class SurveyThreshold:
    """A threshold for the images of a run.

    Attributes:
        value: in [0, 1], a score of the network.
        sentence: how it was found, for the log and the report.
    """

    value: float
    sentence: str


@dataclass(frozen=True)
class ScoreMixture:
    """An exponential and a bell (normal distribution) of log odds above a floor.

    Attributes:
        share: of the bell, in (0, 1).
        middle: of the bell, above the floor.
        spread: its standard deviation.
        fall: mean of the exponential, above the floor.
    """

    share: float
    middle: float
    spread: float
    fall: float

    def parts(self, above: Numbers) -> tuple[Numbers, Numbers]:
        """Return the densities of ground and of objects at log odds above the floor."""
        ground = (1 - self.share) * expon.pdf(above, scale=self.fall)
        return ground, self.share * norm.pdf(above, self.middle, self.spread)

    def improved(self, above: Numbers, number: Numbers) -> "ScoreMixture":
        """Return the mixture after another round, of so many scores at each log odds above the floor."""
        ground, objects = self.parts(above)
        owned = objects / np.maximum(ground + objects, np.finfo(float).tiny)
        mine, others = number * owned, number * (1 - owned)
        total, rest = max(mine.sum(), ALMOST), max(others.sum(), ALMOST)
        middle = float((mine * above).sum() / total)
        spread = float(((mine * (above - middle) ** 2).sum() / total) ** 0.5)
        share = float(np.clip(total / number.sum(), ALMOST, 1 - ALMOST))
        return ScoreMixture(share, middle, max(spread, LEAST_SPREAD), max(float((others * above).sum() / rest), STEP))

    def likelihood(self, above: Numbers, number: Numbers) -> float:
        """Return the logarithm of how likely the scores are."""
        return float((number * np.log(np.maximum(sum(self.parts(above)), np.finfo(float).tiny))).sum())

    def of_objects(self, above: Numbers) -> Numbers:
        """Return the probability of an object at log odds above the floor, ascending; it does not fall."""
        ground, objects = self.parts(above)
        return np.maximum.accumulate(objects / np.maximum(ground + objects, np.finfo(float).tiny))


def fit_mixture(above: Numbers, number: Numbers) -> ScoreMixture:
    """Fit a mixture to so many scores at each of some log odds above the floor, ascending."""
    cumulated = np.cumsum(number) / number.sum()
    fitted = []
    for quantile in STARTS:
        divide = max(1, int(np.searchsorted(cumulated, quantile)))
        low, high = number[:divide].sum(), number[divide:].sum()
        if not high:
            continue
        middle = float((number * above)[divide:].sum() / high)
        fall = max(float((number * above)[:divide].sum() / low), STEP)
        mixture = ScoreMixture(float(high / (low + high)), middle, 1.0, fall)
        for _ in range(ROUNDS):
            mixture = mixture.improved(above, number)
        fitted.append(mixture)
    return max(fitted, key=lambda each: each.likelihood(above, number))


def survey_threshold(
    scores: NDArray[np.floating], own: float, told: Callable[[float], float] = float
) -> SurveyThreshold:
    """Return the threshold for the images of a run by all scores found in them; the model's where they do not tell.

    Args:
        scores: of what is found in all images, in any order, as the network gives them.
        own: threshold of the model, as such a score.
        told: what makes of such a score the one that is told, a probability where scores are made so.
    """
    floor = float(logit(SURVEY_FLOOR))
    odds = logit(np.clip(scores[scores >= SURVEY_FLOOR].astype(np.float64), ALMOST, 1 - ALMOST))
    if len(odds) < LEAST_SCORES:
        few = f"{len(odds)} scores of {told(SURVEY_FLOOR):.3g} or more are too few to tell another"
        return _kept(own, told, few)
    bins, number = np.unique(np.floor((odds - floor) / STEP), return_counts=True)
    if len(bins) < 2:
        return _kept(own, told, "all scores are alike")
    above, counted = (bins + 0.5) * STEP, number.astype(np.float64)
    there = fit_mixture(above, counted).of_objects(above)
    right = np.cumsum((counted * there)[::-1])[::-1]
    f1 = 2 * right / (np.cumsum(counted[::-1])[::-1] + right[0])
    value = float(expit(floor + bins[int(np.argmax(f1))] * STEP))
    found, at_own = int((scores >= value).sum()), int((scores >= own).sum())
    if not at_own / MOST_CHANGE <= found <= MOST_CHANGE * at_own:
        what = f"the scores tell {told(value):.3f}, which finds {found} objects and not {at_own}: that is not believed"
        return _kept(own, told, what)
    sentence = f"threshold {told(value):.3f}, told by the scores of this run (the model's is {told(own):.3f})"
    return SurveyThreshold(value, sentence)


def _kept(own: float, told: Callable[[float], float], why: str) -> SurveyThreshold:
    return SurveyThreshold(own, f"threshold {told(own):.3f}, the model's: {why}")

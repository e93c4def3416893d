"""Made-up objects and detections, and surveys of them drawn many times; for `simulate_survey`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from detect.evaluation.survey.design import draw_windows, size_measure
from detect.evaluation.survey.estimates import estimate
from detect.evaluation.survey.fitted_parts import not_below_seen
from detect.evaluation.survey.partition import SurveyWindows, survey_windows

SIDE = 64
"""Of a window, in pixels; nothing depends on it."""


@dataclass(frozen=True)
class Case:
    """What objects and a detector are like.

    Attributes:
        mean: objects in a window, on average.
        clumping: standard deviation of the logarithm of the expected number, half of its variance shared by neighbours.
        recall: share of the objects of known classes that the detector counts, on average.
        spread: standard deviation of the recall between windows.
        alarms: false alarms for each object.
        scored: share of the objects missed that have a low score.
        unknown: share of the objects that are of a class which the detector cannot see at all.
        noise: candidates of a low score on the ground, in a window.
    """

    mean: float = 4.0
    clumping: float = 1.5
    recall: float = 0.6
    spread: float = 0.2
    alarms: float = 0.1
    scored: float = 0.5
    unknown: float = 0.0
    noise: float = 1.0


CASES = {
    "even, recall 0.9": Case(clumping=0.8, recall=0.9, spread=0.08, alarms=0.05),
    "clustered": Case(clumping=1.8),
    "recall 0.3": Case(recall=0.3, spread=0.15, scored=0.4),
    "recall 0.5": Case(recall=0.5),
    "recall 0.95": Case(recall=0.95, spread=0.04),
    "as many false alarms": Case(mean=3, recall=0.7, alarms=1.0),
    "a class unseen, 30 %": Case(mean=3, recall=0.8, spread=0.1, unknown=0.3),
    "one in three windows": Case(mean=0.3),
    "hardly any error": Case(mean=2, clumping=1, recall=0.98, spread=0.01, alarms=0.02),
    "strongly clustered": Case(clumping=2.6, recall=0.5, spread=0.25, scored=0.3),
    "hardly any object": Case(mean=0.05, recall=0.5),
    "all of classes unseen": Case(mean=2, clumping=1.2, alarms=0.2, scored=0, unknown=1),
    "nothing there": Case(mean=0),
}
"""By name; of the last three no method can know enough, and the program says so."""

UNSURE = ("hardly any object", "all of classes unseen", "nothing there")
"""Cases in which the interval may cover less than 92 % with a warning, or always."""


@dataclass(frozen=True, eq=False)
class World:
    """Windows with what is in them.

    Attributes:
        windows: of the survey.
        true: (N, 2) objects in each window, of known classes and of those that the detector cannot see.
        counts: (N, 2) what the detector counts of them.
        expected: (N,) sums of its scores.
    """

    windows: SurveyWindows
    true: NDArray[np.int64]
    counts: NDArray[np.int64]
    expected: NDArray[np.float64]

    @property
    def probability(self) -> NDArray[np.float64]:
        """(N,) that of a draw of each window."""
        return size_measure(self.windows, self.expected)


def make_world(case: Case, grid: tuple[int, int], seed: int) -> World:
    """Make one scene of (rows, columns) windows with objects and detections by chance."""
    rng = np.random.default_rng(seed)
    windows = survey_windows({"scene": (grid[0] * SIDE, grid[1] * SIDE)}, SIDE)
    number = len(windows)
    shared = gaussian_filter(rng.normal(size=grid), 1.0, mode="wrap").ravel()
    field = np.exp(case.clumping * (shared / shared.std() + rng.normal(size=number)) / np.sqrt(2))
    objects = rng.poisson(case.mean * field / field.mean())
    unknown = rng.binomial(objects, case.unknown)
    known = objects - unknown
    times = case.recall * (1 - case.recall) / case.spread**2 - 1
    hits = rng.binomial(known, rng.beta(case.recall * times, (1 - case.recall) * times, number))
    alarming = np.exp(0.8 * rng.normal(size=number))
    alarms = rng.poisson(case.alarms * case.mean * alarming / alarming.mean())
    weak = rng.binomial(known - hits, case.scored)
    expected = 0.75 * hits + 0.5 * alarms + 0.15 * weak + 0.04 * rng.poisson(case.noise, number)
    nothing = np.zeros(number, np.int64)
    return World(windows, np.stack([known, unknown], axis=1), np.stack([hits + alarms, nothing], axis=1), expected)


@dataclass(frozen=True, eq=False)
class Simulated:
    """What the surveys of a world gave as they tell it, a value each.

    Attributes:
        true: the true total.
        total: (R,) float64, the estimates, none below what was seen.
        raised: (R,) float64, what of that was added for it.
        held: (R,) whether the interval holds the true total.
        warned: (R,) whether a warning goes with it.
        half: (R,) float64, half of the interval's width.
        pixels: mean share of the pixels reviewed.
    """

    true: int
    total: NDArray[np.float64]
    raised: NDArray[np.float64]
    held: NDArray[np.bool_]
    warned: NDArray[np.bool_]
    half: NDArray[np.float64]
    pixels: float


def simulate(
    windows: SurveyWindows,
    probability: NDArray[np.float64],
    true: NDArray[np.int64],
    counts: NDArray[np.int64],
    wanted: int,
    seeds: Sequence[int],
) -> Simulated:
    """Draw, review and estimate once for each seed.

    Args:
        windows: of the survey.
        probability: (N,) of a draw of each window.
        true: (N,) objects in each window.
        counts: (N,) what the detector counts.
        wanted: distinct windows to review.
        seeds: one for each survey.
    """
    found, raised, areas = [], [], []
    for seed in seeds:
        design = draw_windows(probability, wanted, seed)
        reviewed = np.zeros(len(windows), bool)
        reviewed[design.distinct] = True
        unbiased = estimate(design, reviewed, np.where(reviewed, true, 0), counts)
        found.append(not_below_seen(unbiased))
        raised.append(found[-1].total - unbiased.total)
        areas.append(windows.pixels[reviewed].sum() / windows.pixels.sum())
    total, low = np.array([each.total for each in found]), np.array([each.low for each in found])
    high = np.array([np.inf if each.high is None else each.high for each in found])
    known = int(true.sum())
    held = (low <= known + 1e-9) & (known - 1e-9 <= high)
    warned = np.array([each.warning is not None or each.method == "exact bound" for each in found])
    return Simulated(known, total, np.array(raised), held, warned, (high - low) / 2, float(np.mean(areas)))


def summarise(parts: Sequence[Simulated]) -> dict[str, float | None]:
    """Return the numbers of surveys of several worlds; percents of the true totals, None where nothing is there."""
    held, warned = np.concatenate([each.held for each in parts]), np.concatenate([each.warned for each in parts])
    some = [each for each in parts if each.true]
    off = np.concatenate([each.total / each.true - 1 for each in some]) if some else None
    raised = np.concatenate([each.raised / each.true for each in some]) if some else None
    return {
        "coverage": float(held.mean()),
        "warned": float(warned.mean()),
        "unwarned": float(held[~warned].mean()) if not warned.all() else None,
        "width": float(np.mean([each.half.mean() / each.true for each in some])) if some else None,
        "rms_error_percent": None if off is None else 100 * float(np.sqrt((off**2).mean())),
        "bias_percent": None if off is None else 100 * float(off.mean()),
        "raised_percent": None if raised is None else 100 * float(raised.mean()),
    }

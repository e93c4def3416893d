"""`SurveyDesign`: which windows a survey draws, by chance, and with which probability."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.survey.partition import SurveyWindows

UNIFORM_SHARE = 0.2
"""Part of the probability that is spread over all pixels alike, so that what the detector missed can be drawn."""

NEIGHBOUR_SHARE = 0.25
"""Part of the expected number of each of four neighbours that adds to a window's: objects are seldom alone."""


@dataclass(frozen=True, eq=False)
class SurveyDesign:
    """Draws of windows with replacement: each draw takes window i with probability p_i, whatever was drawn before.

    Attributes:
        probability: (N,) float64, p_i of each window; 0 for windows that cannot be drawn; their sum is 1.
        draws: (n,) int64, the positions of the windows drawn, in order; repeats are draws of their own.
        added: (m,) int64, windows taken for sure behind the draws, so that every window that can be drawn is reviewed;
            empty unless all were asked for.

    Raises:
        ValueError: the probabilities do not add up to 1, or a draw is of a window that cannot be drawn.
    """

    probability: NDArray[np.float64]
    draws: NDArray[np.int64]
    added: NDArray[np.int64]

    def __post_init__(self) -> None:
        total = float(self.probability.sum())
        if not (self.probability >= 0).all() or abs(total - 1) > 1e-6:
            raise ValueError(f"the probabilities of a survey's windows must be 0 or more and add up to 1, got {total}")
        taken = np.concatenate([self.draws, self.added])
        if len(taken) and not ((taken >= 0) & (taken < len(self.probability))).all():
            raise ValueError(f"a survey's draws must be windows of its {len(self.probability)}, got {taken.tolist()}")
        if not (self.probability[taken] > 0).all():
            raise ValueError("a survey's draws must be of windows with a probability above 0")

    @cached_property
    def distinct(self) -> NDArray[np.int64]:
        """The windows to review, each once, in order of their first draw."""
        taken = np.concatenate([self.draws, self.added])
        windows, first = np.unique(taken, return_index=True)
        return windows[np.argsort(first)].astype(np.int64)

    def reviewed_draws(self, reviewed: NDArray[np.bool_]) -> int:
        """Return how many draws, from the first on without a gap, are of windows that were reviewed.

        Only those are an unbiased sample: a person may leave out windows for a reason.

        Args:
            reviewed: (N,) whether each window was.
        """
        seen = reviewed[self.draws]
        return len(seen) if seen.all() else int(np.argmin(seen))


def size_measure(
    windows: SurveyWindows, expected: NDArray[np.floating], area: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """Return the probability with which each window is drawn.

    It is 0.8 x the share of a window's expected number, with a quarter of that of its four neighbours, and 0.2 x its
    share of the area; the share of the area alone where nothing is expected anywhere. Sampling in proportion to a guess
    is Hansen and Hurwitz (1943); that of a detector is DISCount (Perez, Maji and Sheldon, AAAI 2024).

    Args:
        windows: of the survey.
        expected: (N,) number of objects that the detector expects in each window, as of `SurveyWindows.weights`.
        area: (N,) pixels of each window that belong to the survey: none for windows that cannot be drawn (outside of
            its polygons, or known already); None for all.

    Returns:
        (N,) float64; their sum is 1.

    Raises:
        ValueError: lengths disagree, a number is negative or not finite, or no window has an area.
    """
    pixels = windows.pixels.astype(np.float64) if area is None else np.asarray(area, np.float64)
    expected = np.asarray(expected, np.float64)
    for name, values in (("expected numbers", expected), ("areas", pixels)):
        if values.shape != (len(windows),) or not (np.isfinite(values) & (values >= 0)).all():
            raise ValueError(f"the {name} of {len(windows)} windows must be as many numbers of 0 or more")
    if not pixels.any():
        raise ValueError("no window can be drawn: none has a part in the survey")
    uniform = pixels / pixels.sum()
    guess = np.where(pixels > 0, expected + NEIGHBOUR_SHARE * windows.neighbour_sums(expected), 0.0)
    if not guess.any():
        return uniform
    mixed = (1 - UNIFORM_SHARE) * guess / guess.sum() + UNIFORM_SHARE * uniform
    return mixed / mixed.sum()


def number_of_draws(probability: NDArray[np.float64], windows: float) -> int:
    """Return the fixed number of draws whose expected number of distinct windows is that asked for, or just above.

    After n draws it is the sum of 1 - (1 - p_i)^n. As the number is fixed before the first draw, nothing that is drawn
    or seen can change it, and nothing is biased.

    Args:
        probability: (N,) of `size_measure`.
        windows: distinct windows wanted, less than those that can be drawn.

    Raises:
        ValueError: fewer than 1, or all windows or more.
    """
    able = int((probability > 0).sum())
    if not 0 < windows < able:
        raise ValueError(f"the windows to draw must be more than 0 and fewer than the {able} that there are: {windows}")
    below, above = 0, 1
    while expected_distinct(probability, above) < windows:
        below, above = above, 2 * above
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if expected_distinct(probability, middle) < windows else (below, middle)
    return above


def expected_distinct(probability: NDArray[np.float64], draws: float) -> float:
    """Return how many distinct windows some draws take on average: the sum of 1 - (1 - p_i)^draws."""
    return float(-np.expm1(draws * np.log1p(-np.minimum(probability, 1 - 1e-15))).sum())


def draw_windows(probability: NDArray[np.float64], windows: int, seed: int) -> SurveyDesign:
    """Draw windows to review, with replacement, from one seeded stream.

    Draw k depends on the seed, k and the probabilities alone, so that asking for more windows later leaves the draws
    that there are as they were. Where all windows that can be drawn (or more) are asked for, half of them are drawn,
    for an estimate while the review goes on, and the others are added in order: then the total is counted.

    Args:
        probability: (N,) of `size_measure`.
        windows: distinct windows to review, on average.
        seed: of the stream.

    Raises:
        ValueError: fewer than 1 window, or a negative seed.
    """
    if windows < 1:
        raise ValueError(f"a survey needs 1 window or more, got {windows}")
    if seed < 0:
        raise ValueError(f"the seed of a survey must be 0 or more, got {seed}")
    able = np.flatnonzero(probability > 0)
    whole = windows >= len(able)
    wanted = max(len(able) / 2, 0.5) if whole else windows
    number = number_of_draws(probability, wanted)
    ends = np.cumsum(probability[able])
    stream = np.random.Generator(np.random.PCG64(seed)).random(number)
    draws = able[np.minimum(np.searchsorted(ends / ends[-1], stream, side="right"), len(able) - 1)]
    added = np.setdiff1d(able, draws) if whole else np.empty(0, np.int64)
    return SurveyDesign(np.asarray(probability, np.float64), draws.astype(np.int64), added.astype(np.int64))

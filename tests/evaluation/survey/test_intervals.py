"""Intervals against numbers worked out by hand, and against scipy's own."""

import numpy as np
import pytest
from scipy import stats

from detect.evaluation.survey.intervals import greatest_sum, mean_interval, share_interval, unseen_share


def test_the_interval_of_a_mean_adds_half_a_draw_on_its_side() -> None:
    """0, 0, 5 with half of a 5: mean 7.5 / 3.5, squares 37.5 - 3.5 mean^2; with half of a 0: 5 / 3.5 and 25."""
    low, high = mean_interval(np.array([0.0, 0, 5]))
    for end, side, mean, squares in ((high, 1, 7.5 / 3.5, 37.5), (low, -1, 5 / 3.5, 25)):
        error = np.sqrt((squares - 3.5 * mean**2) / 2.5 / 3.5)
        assert end == pytest.approx(mean + side * stats.t.ppf(0.975, 2.5) * error)


def test_equal_values_have_no_width() -> None:
    assert mean_interval(np.full(5, 7.0)) == pytest.approx((7, 7))


def test_the_share_that_40_draws_miss_with_a_chance_of_5_percent() -> None:
    assert (1 - unseen_share(40)) ** 40 == pytest.approx(0.05)


def test_the_greatest_sum_fills_the_share_with_the_densest_windows() -> None:
    """Densities 40, 10 and 5 for probabilities 0.1, 0.2 and 0.7: a share of 0.2 takes all of the first, half a next."""
    values, probability = np.array([4.0, 2.0, 3.5]), np.array([0.1, 0.2, 0.7])
    assert greatest_sum(values, probability, 0.2) == pytest.approx(4 + 1)
    assert greatest_sum(values, probability, 1.0) == pytest.approx(9.5)
    assert greatest_sum(values, np.array([0.0, 0.3, 0.7]), 0.3) == pytest.approx(2)


def test_a_share_of_independent_trials_has_clopper_and_pearsons_interval() -> None:
    """12 of 40 with the binomial error sqrt(0.3 x 0.7 / 40) is 40 trials, where draws are without number."""
    exact = stats.binomtest(12, 40).proportion_ci(0.95, method="exact")
    assert share_interval(0.3, np.sqrt(0.3 * 0.7 / 40), 10**9) == pytest.approx((exact.low, exact.high))


def test_few_draws_make_a_share_less_sure() -> None:
    wide, narrow = (share_interval(0.3, 0.07, draws) for draws in (5, 50))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(("share", "hits"), [(0.0, 0), (1.0, 10)])
def test_a_share_of_nothing_or_all_has_a_trial_a_draw(share: float, hits: int) -> None:
    exact = stats.binomtest(hits, 10).proportion_ci(0.95, method="exact")
    assert share_interval(share, 0.0, 10) == pytest.approx((exact.low, exact.high))

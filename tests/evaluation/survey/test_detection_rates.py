"""Recall and precision from drawn windows, against shares worked out by hand."""

import numpy as np
import pytest

from detect.evaluation.survey.detection_rates import Rate, rate
from tests.evaluation.survey.worked import design, marks

HITS, TRUE = np.array([2, 1, 0, 5]), np.array([4, 1, 0, 5])


def test_a_rate_is_the_ratio_of_the_estimated_totals() -> None:
    """Draws of windows 0 and 1 with p of 0.5 and 0.25: (2 / 0.5 + 1 / 0.25) / (4 / 0.5 + 1 / 0.25) = 8 / 12."""
    found = rate(design([0.5, 0.25, 0.125, 0.125], [0, 1]), marks(4, [0, 1]), HITS, TRUE)
    assert found.value == pytest.approx(8 / 12)
    assert found.low is not None and found.high is not None
    assert 0 <= found.low < 8 / 12 < found.high <= 1


def test_with_every_window_reviewed_it_is_the_share() -> None:
    """2 + 1 + 0 + 5 of 10."""
    survey = design([0.25] * 4, [0], added=[1, 2, 3])
    assert rate(survey, marks(4, range(4)), HITS, TRUE) == Rate(0.8, 0.8, 0.8)


def test_windows_that_were_reviewed_before_have_their_part() -> None:
    """Window 3 is known, 5 of 5; the draws of windows 0 and 1 at a half each give (2 + 1) / 0.5 / 2 of 5 / 0.5 / 2."""
    found = rate(design([0.5, 0.5, 0, 0], [0, 1]), marks(4, [0, 1, 3]), HITS, TRUE)
    every = rate(design([0.5, 0.5, 0, 0], [0, 1]), marks(4, [0, 1, 2, 3]), HITS, TRUE)
    assert found.value == pytest.approx((5 + 3) / (5 + 5)) == every.value


@pytest.mark.parametrize("reviewed", [[], [2]])
def test_a_rate_of_no_objects_is_not_defined(reviewed: list[int]) -> None:
    assert rate(design([0.25] * 4, [2, 2, 0]), marks(4, reviewed), HITS, TRUE) == Rate(None, None, None)


def test_all_found_in_every_draw_is_not_sure_to_be_all() -> None:
    """Two draws with objects and no miss: the lower end of two trials of two is 0.025^(1/2)."""
    found = rate(design([0.25] * 4, [3, 1, 2]), marks(4, [1, 2, 3]), HITS, TRUE)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(np.sqrt(0.025))


def test_more_hits_than_objects_are_an_error() -> None:
    with pytest.raises(ValueError, match="more hits than objects"):
        rate(design([0.5, 0.5], [0, 1]), marks(2, [0, 1]), np.array([2, 0]), np.array([1, 0]))

"""Totals from drawn windows, worked out by hand, and what is said of them."""

import numpy as np
import pytest

from detect.evaluation.survey.estimates import estimate, trust_in_counts
from detect.evaluation.survey.intervals import mean_interval, unseen_share
from tests.evaluation.survey.worked import design, marks

TRUE, COUNTS = np.array([5, 2, 0, 1]), np.array([3, 2, 1, 0])
HALVES = [0.5, 0.25, 0.125, 0.125]


def test_the_difference_estimator_by_hand() -> None:
    """The count is 6; draws 0, 1, 0 differ by 2 / 0.5, 0 and 2 / 0.5: 6 + 8 / 3."""
    found = estimate(design(HALVES, [0, 1, 0]), marks(4, [0, 1]), TRUE, COUNTS, np.ones(3))
    assert found.total == pytest.approx(6 + 8 / 3)
    assert found.error == pytest.approx(np.std([4, 0, 4], ddof=1) / np.sqrt(3))
    assert (found.raw, found.seen, found.draws, found.method) == (6, 7, 3, "t")
    low, high = mean_interval(np.array([10.0, 6, 10]))
    assert (found.low, found.high) == pytest.approx((max(low, 7), high))


def test_what_was_not_reviewed_is_not_looked_at() -> None:
    reviewed, survey = marks(4, [0, 1]), design(HALVES, [0, 1, 0])
    other = np.where(reviewed, TRUE, 99)
    assert estimate(survey, reviewed, other, COUNTS) == estimate(survey, reviewed, TRUE, COUNTS)


def test_draws_behind_a_gap_are_seen_and_not_estimated_from() -> None:
    """Draws 0, 1, 2, 3 of which 2 was left out: as if 0 and 1 alone had been drawn, but 3's object was seen."""
    found = estimate(design(HALVES, [0, 1, 2, 3]), marks(4, [0, 1, 3]), TRUE, COUNTS, np.ones(2))
    first = estimate(design(HALVES, [0, 1]), marks(4, [0, 1]), TRUE, COUNTS, np.ones(2))
    assert (found.total, found.draws, found.seen, first.seen) == (first.total, 2, 8, 7)


def test_the_worth_of_a_count_is_learned_from_the_other_draws() -> None:
    """Of even windows with c of 1, 2, 3, 4 and y of 2 c but for the last: without it, the slope is 2, with ten draws at
    1 it is (3 x 2 + 10) / (3 + 10)."""
    counts, true = np.array([1, 2, 3, 4]), np.array([2, 4, 6, 0])
    trust = trust_in_counts(design([0.25] * 4, [0, 1, 2, 3]), marks(4, range(4)), true, counts)
    assert trust[3] == pytest.approx(16 / 13)


def test_a_detector_without_errors_is_trusted_as_it_is() -> None:
    survey = design(HALVES, [0, 1, 0, 2])
    assert trust_in_counts(survey, marks(4, [0, 1, 2]), COUNTS, COUNTS) == pytest.approx([1, 1, 1, 1])


def test_a_survey_of_every_window_is_a_count() -> None:
    survey = design(HALVES, [0], added=[1, 2, 3])
    found = estimate(survey, marks(4, range(4)), TRUE, COUNTS)
    assert (found.total, found.low, found.high, found.error, found.method) == (8, 8, 8, 0, "counted")


def test_windows_that_cannot_be_drawn_count_as_they_were_reviewed() -> None:
    """Window 3 has a probability of 0 and one object; the others are estimated: 6 + 1 + (4 + 0) / 2."""
    survey = design([0.5, 0.25, 0.25, 0], [0, 1])
    found = estimate(survey, marks(4, [0, 1, 3]), TRUE, COUNTS, np.ones(2))
    assert found.total == pytest.approx(6 + 1 + 2)
    assert estimate(survey, marks(4, [0, 1, 2, 3]), TRUE, COUNTS).total == 8


@pytest.mark.parametrize("reviewed", [[], [1]])
def test_fewer_than_two_draws_are_no_estimate(reviewed: list[int]) -> None:
    found = estimate(design(HALVES, [1, 0, 2]), marks(4, reviewed), TRUE, COUNTS)
    assert np.isnan(found.total)
    assert (found.low, found.high, found.method) == (2 * len(reviewed), None, "none")


def test_without_an_error_the_bound_is_exact() -> None:
    """20 draws without an error: windows of 14 % of the probability at most. Densest in objects missed is the second
    (1 / 0.05), then the third (1 / 0.1, but for a part of it); densest in objects counted the first (12 / 0.85)."""
    share = 1 - 0.05 ** (1 / 20)
    counts = np.array([12, 0, 0])
    found = estimate(design([0.85, 0.05, 0.1], [0] * 20), marks(3, [0]), counts, counts)
    assert unseen_share(20) == pytest.approx(share)
    assert (found.total, found.method) == (12, "exact bound")
    assert found.high == pytest.approx(12 + 1 + (share - 0.05) * max(12 / 0.85, 1 / 0.1))
    assert found.low == 12
    assert f"{100 * share:.1f} %" in found.why


def test_one_window_drawn_again_and_again_tells_nothing_of_the_others() -> None:
    """40 are in the first window and 4 are counted elsewhere. Others with errors have 9.5 % of the probability at most,
    which the second may fill: 4 are wrong, or 4 more are there. That the draws agree makes the interval no narrower."""
    true, counts = np.array([40, 9, 0]), np.array([34, 4, 0])
    found = estimate(design([0.85, 0.1, 0.05], [0] * 30), marks(3, [0]), true, counts)
    share = 1 - 0.05 ** (1 / 30)
    assert found.method == "exact bound"
    assert found.high == pytest.approx(40 + 4 + 4 * min(1, share / 0.1))
    assert found.low == pytest.approx(max(40, 44 - 4 * min(1, share / 0.1)))
    assert "all 30 draws are of one window" in found.why
    assert "errors were seen in 1 window alone" in str(found.warning)


def test_nothing_seen_anywhere_is_not_nothing_there() -> None:
    """100 even windows, 29 draws: 1 - 0.05^(1/29) of them may hold an object each."""
    nothing = np.zeros(100, int)
    found = estimate(design([0.01] * 100, range(29)), marks(100, range(29)), nothing, nothing)
    assert (found.total, found.low) == (0, 0)
    assert found.high == pytest.approx(100 * (1 - 0.05 ** (1 / 29)))


def test_a_part_without_errors_is_bounded_by_its_own_windows() -> None:
    """An image of windows 2 and 3 (a quarter of the probability), of which none was drawn, may lack one in each."""
    inside, nothing = marks(4, [2, 3]), np.zeros(4, int)
    found = estimate(design(HALVES, [0, 1]), marks(4, [0, 1]), nothing, nothing, np.ones(2), inside)
    assert (found.total, found.high) == (0, 2)


def test_parts_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(0)
    true, counts = rng.poisson(3, (30, 4)), rng.poisson(3, (30, 4))
    draws = rng.integers(0, 30, 12)
    survey, reviewed = design([1 / 30] * 30, draws.tolist()), marks(30, draws.tolist())
    trust = trust_in_counts(survey, reviewed, true.sum(axis=1), counts.sum(axis=1))
    parts = [estimate(survey, reviewed, true[:, i], counts[:, i], trust).total for i in range(4)]
    whole = estimate(survey, reviewed, true.sum(axis=1), counts.sum(axis=1))
    assert sum(parts) == pytest.approx(whole.total)


@pytest.mark.parametrize(
    ("true", "draws", "words"),
    [
        ([0, 0, 60, 0] + [0] * 36, range(0, 30), "errors were seen in 1 window alone"),
        ([0, 0, 60, 0] + [0] * 36, range(0, 30), "one window"),
        ([0, 0, 60, 0] + [0] * 36, range(0, 30), "the interval is wide"),
        ([2, 1, 0, 3] * 10, range(8), "there are 8 draws"),
    ],
)
def test_what_makes_an_interval_unsure_is_said(true: list[int], draws: range, words: str) -> None:
    """One cluster in one window, seen, is all that is known of the rest; so are a few draws."""
    found = estimate(design([1 / 40] * 40, draws), marks(40, draws), np.array(true), np.zeros(40, int))
    assert found.warning is not None
    assert words in found.warning


def test_an_estimate_below_what_was_seen_says_so() -> None:
    """50 were seen in the window of 0.9; the other, with 4 alarms at 0.1, takes 20 of the estimate of 54 off it."""
    true, counts = np.array([50, 0, 0]), np.array([50, 4, 0])
    found = estimate(design([0.9, 0.05, 0.05], [0, 1]), marks(3, [0, 1]), true, counts, np.ones(2))
    assert found.total == pytest.approx(54 - 40)
    assert found.low == 50
    assert found.high is not None
    assert found.high >= 50
    assert "fewer than the 50 that were seen" in str(found.warning)


@pytest.mark.parametrize(
    ("reviewed", "counts", "words"),
    [
        (marks(3, [0]), COUNTS, "4 windows, got 3, 4 and 4"),
        (marks(4, [0]), COUNTS + 1, "1 objects are counted in windows"),
    ],
)
def test_what_cannot_be_estimated(reviewed: np.ndarray, counts: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        estimate(design([0.5, 0.25, 0.25, 0], [0]), reviewed, TRUE, counts)

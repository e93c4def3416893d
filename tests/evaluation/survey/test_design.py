"""Draws of windows: their probabilities, how many there are, and that more of them leave the first as they were."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detect.evaluation.survey.design import (
    SurveyDesign,
    draw_windows,
    expected_distinct,
    number_of_draws,
    size_measure,
)
from detect.evaluation.survey.partition import survey_windows
from tests.evaluation.survey.worked import design, marks

PROBABILITIES = st.lists(st.integers(1, 50), min_size=3, max_size=30).map(lambda sizes: np.array(sizes) / sum(sizes))


def test_the_size_measure_of_two_by_two_windows() -> None:
    """4 expected in the first, and a quarter of it in its two neighbours: shares 4/6, 1/6, 1/6 and 0, of 0.8."""
    windows = survey_windows({"a": (20, 20)}, 10)
    found = size_measure(windows, np.array([4.0, 0, 0, 0]))
    assert found == pytest.approx([0.8 * 4 / 6 + 0.05, 0.8 / 6 + 0.05, 0.8 / 6 + 0.05, 0.05])


def test_without_anything_expected_all_pixels_are_drawn_alike() -> None:
    windows = survey_windows({"a": (10, 10), "b": (30, 10)}, 30)
    assert size_measure(windows, np.zeros(2)) == pytest.approx([0.25, 0.75])


def test_windows_outside_of_the_survey_are_never_drawn() -> None:
    """Nor is what is expected there given to anything but their neighbours."""
    windows = survey_windows({"a": (10, 30)}, 10)
    found = size_measure(windows, np.array([0.0, 0, 5]), np.array([100.0, 50, 0]))
    assert found == pytest.approx([0.2 * 2 / 3, 0.8 + 0.2 / 3, 0])
    assert 2 not in draw_windows(found, 1, 0).draws


@pytest.mark.parametrize(
    ("expected", "area", "words"),
    [
        (np.zeros(2), None, "expected numbers of 3 windows"),
        (np.array([0, np.nan, 0]), None, "expected numbers"),
        (np.zeros(3), np.array([1.0, -1, 1]), "areas"),
        (np.zeros(3), np.zeros(3), "no window can be drawn"),
    ],
)
def test_what_cannot_be_a_size(expected: NDArray[np.float64], area: NDArray[np.float64] | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        size_measure(survey_windows({"a": (10, 30)}, 10), expected, area)


def test_the_number_of_draws_of_even_windows() -> None:
    """Of 4 even windows n draws take 4 (1 - 0.75^n): 1, 1.75, 2.31; so 2 windows need 3 draws."""
    assert number_of_draws(np.full(4, 0.25), 2) == 3
    assert expected_distinct(np.full(4, 0.25), 3) == pytest.approx(4 * (1 - 0.75**3))


@settings(deadline=None)
@given(PROBABILITIES, st.data())
def test_the_number_of_draws_is_the_least_that_is_enough(probability: NDArray[np.float64], data: st.DataObject) -> None:
    windows = data.draw(st.integers(1, len(probability) - 1))
    number = number_of_draws(probability, windows)
    assert expected_distinct(probability, number) >= windows - 1e-9
    assert number == 1 or expected_distinct(probability, number - 1) < windows


@settings(deadline=None)
@given(PROBABILITIES, st.integers(0, 2**32), st.data())
def test_more_windows_leave_the_first_draws_as_they_were(
    probability: NDArray[np.float64], seed: int, data: st.DataObject
) -> None:
    fewer = data.draw(st.integers(1, len(probability) - 1))
    more = data.draw(st.integers(fewer, len(probability) - 1))
    first, then = draw_windows(probability, fewer, seed), draw_windows(probability, more, seed)
    assert then.draws[: len(first.draws)].tolist() == first.draws.tolist()
    assert then.distinct[: len(first.distinct)].tolist() == first.distinct.tolist()


@settings(deadline=None)
@given(PROBABILITIES, st.integers(0, 2**32), st.integers(0, 3))
def test_all_windows_asked_for_are_all_reviewed_once(probability: NDArray[np.float64], seed: int, above: int) -> None:
    drawn = draw_windows(probability, len(probability) + above, seed)
    assert sorted(drawn.distinct.tolist()) == list(range(len(probability)))


def test_windows_are_drawn_as_often_as_their_probability_says() -> None:
    """Of 40,000 draws a share of 0.1 has a standard error of 0.0015."""
    probability = np.array([0.1, 0.6, 0.0, 0.3])
    seeds = range(400)
    draws = np.concatenate([draw_windows(probability, 2, seed).draws[:2] for seed in seeds])
    shares = np.bincount(draws, minlength=4) / len(draws)
    assert shares == pytest.approx(probability, abs=4 * np.sqrt(0.24 / len(draws)))


def test_reviewed_draws_end_at_the_first_gap() -> None:
    """Draws 3, 1, 3, 0: with windows 1 and 3 reviewed, three; without 1, one; repeats need no second look."""
    survey = design([0.25] * 4, [3, 1, 3, 0])
    assert survey.distinct.tolist() == [3, 1, 0]
    assert [survey.reviewed_draws(marks(4, each)) for each in ([1, 3], [3, 0], [0, 1], [0, 1, 3])] == [3, 1, 0, 4]


@pytest.mark.parametrize(
    ("probability", "draws", "words"),
    [
        ([0.5, 0.4], [0], "add up to 1"),
        ([1.5, -0.5], [0], "0 or more"),
        ([0.5, 0.5], [2], r"windows of its 2, got \[2\]"),
        ([1.0, 0.0], [1], "probability above 0"),
    ],
)
def test_what_cannot_be_a_design(probability: list[float], draws: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        design(probability, draws)


@pytest.mark.parametrize(("windows", "seed", "words"), [(0, 0, "1 window or more"), (1, -1, "seed")])
def test_what_cannot_be_drawn(windows: int, seed: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw_windows(np.full(4, 0.25), windows, seed)


def test_one_window_alone_is_drawn_and_counted() -> None:
    drawn = draw_windows(np.ones(1), 40, 0)
    assert isinstance(drawn, SurveyDesign)
    assert drawn.distinct.tolist() == [0]

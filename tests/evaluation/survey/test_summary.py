"""What a reviewed survey tells: parts that add up, rates, and how many windows would be enough."""

import json

import numpy as np
import pytest

from detect.evaluation.survey.design import SurveyDesign, draw_windows, expected_distinct, size_measure
from detect.evaluation.survey.detection_rates import rate
from detect.evaluation.survey.estimates import Estimate, estimate
from detect.evaluation.survey.partition import survey_windows
from detect.evaluation.survey.summary import (
    ReviewedSurvey,
    SurveyEstimates,
    by_group,
    survey_estimates,
    survey_facts,
    windows_for,
)
from tests.evaluation.survey.worked import design, marks

CLASSES = ("cow", "sheep")
WINDOWS = survey_windows({"a/1": (60, 60), "a/2": (30, 60), "b/3": (50, 50)}, 10)


def reviewed_survey(wanted: int = 20, hits: bool = True) -> ReviewedSurvey:
    """Objects by chance: two thirds found, a false alarm in every other window."""
    rng = np.random.default_rng(3)
    true = rng.poisson(3, (len(WINDOWS), 2))
    found = rng.binomial(true, 2 / 3)
    counts = found + rng.poisson(0.5, true.shape)
    survey = draw_windows(size_measure(WINDOWS, counts.sum(axis=1)), wanted, 0)
    reviewed = marks(len(WINDOWS), survey.distinct.tolist())
    seen = np.where(reviewed[:, None], true, 0)
    return ReviewedSurvey(
        WINDOWS, survey, CLASSES, reviewed, seen, counts, np.where(reviewed[:, None], found, 0) if hits else None
    )


def totals(parts: dict[str, Estimate]) -> float:
    return sum(part.total for part in parts.values())


def told(wanted: int = 20, hits: bool = True) -> SurveyEstimates:
    survey = reviewed_survey(wanted, hits)
    return survey_estimates(survey, by_group(WINDOWS, {"a/1": "a", "a/2": "a", "b/3": "b"}))


def test_classes_images_and_groups_add_up_to_the_whole() -> None:
    found = told()
    for parts in (found.classes, found.images, found.groups):
        assert totals(dict(parts)) == pytest.approx(found.whole.total)
        assert sum(part.seen for part in parts.values()) == found.whole.seen
        assert sum(part.raw for part in parts.values()) == found.whole.raw
    assert found.groups["a"].total == pytest.approx(found.images["a/1"].total + found.images["a/2"].total)


def test_a_survey_of_all_windows_has_counted_all_there_is() -> None:
    """36 + 18 + 25 windows; found are as many as the hits of `reviewed_survey`, which is what its rates are then."""
    found, survey = told(79), reviewed_survey(79)
    assert survey.hits is not None
    assert found.whole.total == survey.true.sum()
    assert found.share_reviewed == 1
    assert found.windows_reviewed == 79
    assert found.recall.value == survey.hits.sum() / survey.true.sum()
    assert found.precision.value == survey.hits.sum() / survey.counts.sum()
    assert found.windows_for_10_percent is None


def test_rates_are_told_with_intervals_that_hold() -> None:
    """Of 200 surveys 180 or more: its chance is above 99 % where intervals cover 94 % or more."""
    rng = np.random.default_rng(0)
    true = rng.poisson(3, len(WINDOWS))
    hits = rng.binomial(true, 2 / 3)
    counts = hits + rng.poisson(0.5, true.shape)
    held = np.zeros(2, int)
    for seed in range(200):
        survey = draw_windows(size_measure(WINDOWS, counts), 30, seed)
        reviewed = marks(len(WINDOWS), survey.distinct.tolist())
        for i, objects in enumerate((true, counts)):
            found = rate(survey, reviewed, np.where(reviewed, hits, 0), np.where(reviewed, objects, 0))
            assert found.low is not None
            assert found.high is not None
            held[i] += found.low <= hits.sum() / objects.sum() <= found.high
    assert (held >= 180).all()


def test_without_pairs_there_are_no_rates() -> None:
    assert told(hits=False).recall.value is None


def test_plain_values_are_json_and_hold_none_for_what_is_not_defined() -> None:
    survey = reviewed_survey()
    nothing = ReviewedSurvey(
        WINDOWS, survey.design, CLASSES, np.zeros_like(survey.reviewed), 0 * survey.true, survey.counts
    )
    for facts in (survey_facts(told()), survey_facts(survey_estimates(nothing))):
        assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert (facts["estimate"], facts["low"], facts["high"]) == (None, 0, None)
    assert facts["count"] == survey.counts.sum()


def test_half_the_width_needs_four_times_the_draws() -> None:
    """An upper end 20 % above 100 of 30 draws: 10 % takes 120, and 240 x (1 - (1 - 1/240)^120) windows of 240."""
    known = Estimate(100, 80, 120, 90, 50, 30, 1.0, "t", "", None)
    survey = design([1 / 240] * 240, range(30))
    assert windows_for(survey, known, 0.1) == np.ceil(240 * (1 - (1 - 1 / 240) ** 120))
    assert windows_for(survey, known, 0.2) == np.ceil(expected_distinct(survey.probability, 30))


@pytest.mark.parametrize("true", [0, 1])
def test_without_an_error_or_an_object_it_cannot_be_told_how_many_are_enough(true: int) -> None:
    survey = SurveyDesign(np.full(40, 1 / 40), np.arange(30), np.empty(0, np.int64))
    counts = np.full(40, true)
    assert windows_for(survey, estimate(survey, marks(40, range(30)), counts, counts), 0.1) is None

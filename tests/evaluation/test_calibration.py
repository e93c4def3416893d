import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.evaluation.calibration import (
    expected_counts,
    fit_calibration,
    hits_by_score,
    probable,
    reliability,
    with_probabilities,
)
from detect.evaluation.matching import Criterion
from detect.labels.detections import Detections

NEAR = Criterion(3)


def line(x: list[float], score: list[float] | None = None) -> Detections:
    """Place objects of one class on a line."""
    xy = np.stack([np.array(x, float), np.zeros(len(x))], axis=1)
    return Detections(xy, np.ones(len(x)) if score is None else np.array(score), np.zeros(len(x), np.int64), ("a",))


def drawn(number: int, shrunk: float) -> tuple[Detections, Detections]:
    """Draw candidates whose probability is known, with scores of other log odds, and the objects among them."""
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.02, 0.98, number)
    score = 1 / (1 + ((1 - probability) / probability) ** shrunk)
    x = np.arange(number) * 10.0
    return line(x.tolist(), score.tolist()), line(x[rng.random(number) < probability].tolist())


def test_known_probabilities_come_back() -> None:
    """Log odds halved on the way are doubled again: the slope is 2 and the intercept 0."""
    found, truth = drawn(20000, 0.5)
    fitted = fit_calibration({"i": found}, {"i": truth}, NEAR, 0.5)
    assert fitted is not None
    assert fitted.slope == pytest.approx(2, abs=0.1)
    assert fitted.intercept == pytest.approx(0, abs=0.1)


def test_probabilities_add_up_to_the_objects() -> None:
    """Of n objects and m others the sum is that of the targets, n (n + 1) / (n + 2) + m / (m + 2)."""
    found, truth = drawn(1000, 0.5)
    fitted = fit_calibration({"i": found}, {"i": truth}, NEAR, 0.5)
    assert fitted is not None
    n, m = len(truth), len(found) - len(truth)
    assert fitted(found.score).sum() == pytest.approx(n * (n + 1) / (n + 2) + m / (m + 2), rel=1e-3)


def test_calibrated_scores_are_more_reliable() -> None:
    found, truth = drawn(5000, 0.5)
    fitted = fit_calibration({"i": found}, {"i": truth}, NEAR, 0.5)
    assert fitted is not None
    made = probable({"i": found}, fitted)
    before, after = (reliability(each, {"i": truth}, NEAR)["ece"] for each in ({"i": found}, made))
    assert after < 0.03 < before


def test_scores_that_part_objects_from_the_rest_have_finite_probabilities() -> None:
    found = line([10.0 * i for i in range(40)], [0.9] * 20 + [0.1] * 20)
    fitted = fit_calibration({"i": found}, {"i": line([10.0 * i for i in range(20)])}, NEAR, 0.5)
    assert fitted is not None
    assert fitted(0.9) == pytest.approx(21 / 22, abs=1e-3)
    assert fitted(0.1) == pytest.approx(1 / 22, abs=1e-3)


def test_of_too_few_there_is_none_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert fit_calibration({"i": line([0, 10], [0.9, 0.1])}, {"i": line([0])}, NEAR, 0.5) is None
    assert "2 candidates in the validation images 1 are objects" in caplog.text


def test_scores_that_are_the_wrong_way_round_are_not_turned(caplog: pytest.LogCaptureFixture) -> None:
    found = line([10.0 * i for i in range(40)], [0.1] * 20 + [0.9] * 20)
    assert fit_calibration({"i": found}, {"i": line([10.0 * i for i in range(20)])}, NEAR, 0.5) is None
    assert "less often" in caplog.text


def test_a_line_so_steep_that_scores_at_the_threshold_are_one_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """Scores of 0.5 -+ 0.025 are -+0.1 in log odds, their probabilities 1 / 22 and 21 / 22 -+3.04: a slope of 30.

    Then 0.85 has log odds of 52, and is 1 to the last digit; 0.5 is a half.
    """
    found = {"i": line([10.0 * i for i in range(40)], [0.525] * 20 + [0.475] * 20)}
    truth = {"i": line([10.0 * i for i in range(20)])}
    made = fit_calibration(found, truth, NEAR, 0.5)
    assert made is not None and made.slope == pytest.approx(30.4, abs=0.5)
    assert fit_calibration(found, truth, NEAR, 0.85) is None
    assert "scores near the threshold 0.850 would all be 1 (slope" in caplog.text


def test_the_higher_of_two_candidates_of_an_object_is_it() -> None:
    found, truth = line([0, 1], [0.6, 0.9]), line([0])
    assert hits_by_score(found, NEAR.candidate_pairs(found, truth)).tolist() == [False, True]


@settings(max_examples=50)
@given(st.integers(0, 10**6))
def test_as_many_are_marked_above_any_threshold_as_are_matched_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 15, 2)
    found = line((rng.random(n) * 20).tolist(), rng.permutation(np.linspace(0.1, 0.9, n)).tolist())
    truth = line((rng.random(m) * 20).tolist())
    marked = hits_by_score(found, NEAR.candidate_pairs(found, truth))
    for threshold in found.score:
        kept = found.score >= threshold
        assert marked[kept].sum() == len(NEAR.match(found[kept], truth))


def test_reliability_of_known_numbers() -> None:
    """Two at 0.95, both there: off by 0.05. Four at 0.25, two there: off by 0.25. (2 x 0.05 + 4 x 0.25) / 6.

    Squares: 2 x 0.05^2 + 2 x 0.75^2 + 2 x 0.25^2 = 1.255.
    """
    found = line([0, 10, 20, 30, 40, 50], [0.95, 0.95, 0.25, 0.25, 0.25, 0.25])
    scores = reliability({"i": found}, {"i": line([0, 10, 20, 30])}, NEAR)
    assert scores["ece"] == pytest.approx(1.1 / 6)
    assert scores["brier"] == pytest.approx(1.255 / 6)
    assert [row["found"] for row in scores["reliability"]] == [4, 2]
    assert [row["there"] for row in scores["reliability"]] == [0.5, 1.0]
    assert reliability({"i": line([])}, {"i": line([0])}, NEAR) == {
        "ece": None,
        "brier": None,
        "reliability": [],
    }


def test_expected_counts_of_known_numbers() -> None:
    """Sums 1.5 of 1 and 0.5 of 2: off by 0.5 and -1.5; together 2 of 3, -33 %; squares 0.25 and 2.25."""
    found = {"i": line([0, 10], [0.9, 0.6]), "j": line([0], [0.5])}
    errors = expected_counts(found, {"i": line([0]), "j": line([0, 10])})
    assert errors["expected"] == pytest.approx(2.0)
    assert errors["expected_mae"] == pytest.approx(1.0)
    assert errors["expected_rmse"] == pytest.approx(1.25**0.5)
    assert errors["expected_bias_percent"] == pytest.approx(-100 / 3)


def test_scores_of_what_was_found_are_told_from_those_of_all_candidates() -> None:
    """Found is one at 0.9 that is there, off by 0.1; all are it and one at 0.2 that is not: (0.1 + 0.2) / 2."""
    every, truth = {"i": line([0, 10], [0.9, 0.2])}, {"i": line([0])}
    found = {"i": every["i"][every["i"].score > 0.5]}
    plain = {"per_image": {"i": {"true": 1}}, "f1": 1.0}
    scores = with_probabilities(plain, found, every, truth, NEAR, probable=True)
    assert scores["f1"] == 1.0
    assert scores["ece_found"] == pytest.approx(0.1)
    assert scores["ece"] == pytest.approx(0.15)
    assert scores["per_image"]["i"] == {"true": 1, "expected": pytest.approx(1.1)}
    left = with_probabilities(plain, found, every, truth, NEAR, probable=False)
    assert left["ece"] == scores["ece"] and left["per_image"] == plain["per_image"]
    assert not any(name.startswith("expected") for name in left)


def test_of_the_found_alone_nothing_is_told_of_all_candidates() -> None:
    """One of two at 0.9 is there: off by 0.4."""
    found, truth = {"i": line([0, 10], [0.9, 0.9])}, {"i": line([0])}
    for made in (False, True):
        scores = with_probabilities({"per_image": {"i": {}}}, found, None, truth, NEAR, probable=made)
        assert scores["ece"] is None and scores["brier"] is None
        assert scores["ece_found"] == pytest.approx(0.4)
        assert [row["found"] for row in scores["reliability"]] == [2]
        assert not any(name.startswith("expected") for name in scores)


def test_other_images_are_an_error() -> None:
    with pytest.raises(ValueError, match="other images"):
        fit_calibration({"i": line([0])}, {"j": line([0])}, NEAR, 0.5)

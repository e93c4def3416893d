"""A threshold told by scores alone: ground that thins out, and objects that are a bell above it."""

import numpy as np
import pytest
from scipy.special import expit, logit

from detect.evaluation.score_mixture import MOST_CHANGE, SURVEY_FLOOR, ScoreMixture, fit_mixture, survey_threshold


def drawn(
    ground: int, objects: int, middle: float, spread: float = 0.8, fall: float = 0.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of ground, and of objects around `middle` in log odds."""
    rng = np.random.default_rng(seed)
    return expit(logit(SURVEY_FLOOR) + rng.exponential(fall, ground)), expit(rng.normal(middle, spread, objects))


def best_f1(ground: np.ndarray, objects: np.ndarray, threshold: float) -> float:
    right = (objects >= threshold).sum()
    return 2 * right / (right + (ground >= threshold).sum() + len(objects))


def test_the_densities_by_hand() -> None:
    """At 1 of a fall of 2: 0.75 exp(-0.5) / 2; in the middle of a bell of 1: 0.25 / sqrt(2 pi)."""
    ground, objects = ScoreMixture(0.25, 1.0, 1.0, 2.0).parts(np.array([1.0]))
    np.testing.assert_allclose(ground, 0.75 * np.exp(-0.5) / 2)
    np.testing.assert_allclose(objects, 0.25 / np.sqrt(2 * np.pi))


def test_what_was_drawn_is_found_again() -> None:
    """2000 of ground and 1000 objects, 4 above the floor: share, middle, spread and fall within a tenth."""
    rng = np.random.default_rng(1)
    above = np.sort(np.concatenate([rng.exponential(0.5, 2000), rng.normal(4, 0.8, 1000)]))
    found = fit_mixture(above, np.ones(len(above)))
    wanted = (1 / 3, 4.0, 0.8, 0.5)
    np.testing.assert_allclose((found.share, found.middle, found.spread, found.fall), wanted, rtol=0.1)


@pytest.mark.parametrize("middle", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_f1_at_the_threshold_is_nearly_the_best_there_is(middle: float, seed: int) -> None:
    """Wherever the objects' scores lie, from a threshold that leaves out a third of them.

    The best is chosen with hindsight among all scores, which is worth up to 0.03 for 300 objects in much ground.
    """
    ground, objects = drawn(1500, 300, middle, seed=seed)
    own = float(np.quantile(objects, 1 / 3))
    scores = np.concatenate([ground, objects])
    told = survey_threshold(scores, own).value
    best = max(best_f1(ground, objects, each) for each in np.unique(scores))
    assert best_f1(ground, objects, told) > best - 0.03


def test_scores_that_shrink_take_the_threshold_along() -> None:
    """Objects at 0.73 and, on other images, at 0.5: a lower threshold, and not less than the ground."""
    home, away = (np.concatenate(drawn(1500, 300, middle)) for middle in (2.0, 0.0))
    at_home = survey_threshold(home, 0.5).value
    assert survey_threshold(away, at_home).value < at_home - 0.05


def test_the_order_of_the_scores_changes_nothing() -> None:
    scores = np.concatenate(drawn(500, 100, 1.0))
    assert survey_threshold(scores, 0.5) == survey_threshold(scores[::-1], 0.5)


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        (np.full(19, 0.9), "19 scores of 0.1 or more are too few"),
        (np.full(500, 0.05), "0 scores of 0.1 or more are too few"),
        (np.full(500, 0.9), "all scores are alike"),
    ],
)
def test_where_scores_do_not_tell_the_threshold_is_the_models(scores: np.ndarray, why: str) -> None:
    told = survey_threshold(scores, 0.37)
    assert told.value == 0.37 and "0.370, the model's" in told.sentence and why in told.sentence


def test_a_count_that_would_be_another_altogether_is_not_believed() -> None:
    """300 objects and a threshold far above nearly all of them: more than three times the count at it is only told."""
    scores = np.concatenate(drawn(1500, 300, 1.0))
    own = 0.97
    told = survey_threshold(scores, own)
    assert told.value == own and "not believed" in told.sentence
    assert (scores >= survey_threshold(scores, 0.6).value).sum() > MOST_CHANGE * (scores >= own).sum()

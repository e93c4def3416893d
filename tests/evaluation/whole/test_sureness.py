import numpy as np
import pytest
from scipy.special import expit, softmax

from detect.evaluation.whole.sureness import at_temperature, familiar_within, temperature_of, there_from


def test_the_temperature_that_made_scores_too_sure_is_found() -> None:
    """Classes are drawn by softmax(z), and the network says softmax(3 z): dividing by 3 puts that right."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (20_000, 4))
    truth = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    found = temperature_of(truth, softmax(3 * logits, axis=1))
    assert found == pytest.approx(3.0, rel=0.05)
    made = at_temperature(softmax(3 * logits, axis=1), 3.0, many=False)
    assert made == pytest.approx(softmax(logits, axis=1), abs=1e-4)


def test_of_many_classes_too() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, (10_000, 3))
    truth = (rng.random((10_000, 3)) < expit(logits)).astype(float)
    assert temperature_of(truth, expit(logits / 2)) == pytest.approx(0.5, rel=0.05)


def test_a_network_that_was_always_right_is_not_made_certain() -> None:
    """Ten images at 0.9 of two classes, all right: with one doubtful image they end near 10.5 of 11, not at 1."""
    sure = np.tile([[0.9, 0.1]], (10, 1))
    made = at_temperature(sure, temperature_of(np.zeros(10, np.int64), sure), many=False)
    assert made[0, 0] == pytest.approx(10.5 / 11, abs=0.01)


@pytest.mark.parametrize(("share", "beyond"), [(0.0, 0), (0.05, 4), (0.1, 9), (0.5, 49)])
def test_no_more_known_images_are_called_unknown_than_were_asked_for(share: float, beyond: int) -> None:
    """Of 100 distances the limit is one of them, at or above the quantile: at 0.95 x 99 = 94.05 the 96th, which four
    pass; at 0.9 x 99 = 89.1 the 91st; at 49.5 the 51st."""
    far = np.random.default_rng(0).permutation(np.linspace(0.01, 1, 100))
    assert (far > familiar_within(far, share)).sum() == beyond


def test_a_limit_is_between_images_and_not_far_beyond_them() -> None:
    """Halfway from 0.50 to 0.51; from 0.5 to 0.9 no more than a twentieth beyond; and so beyond the last."""
    assert familiar_within(np.array([0.1, 0.5, 0.51]), 0.5) == pytest.approx(0.505)
    assert familiar_within(np.array([0.1, 0.5, 0.9]), 0.5) == pytest.approx(0.525)
    assert familiar_within(np.array([0.1, 0.4]), 0.0) == pytest.approx(0.42)


def test_a_class_is_there_from_where_f1_is_best() -> None:
    """Those with the class have 0.6 and 0.8, those without 0.1 and 0.4: all between 0.4 and 0.6 are right."""
    truth = np.array([[1.0], [1.0], [0.0], [0.0]])
    found = there_from(truth, np.array([[0.6], [0.8], [0.1], [0.4]]))
    assert found == pytest.approx(0.5, abs=0.02)


def test_without_images_there_is_no_temperature() -> None:
    with pytest.raises(ValueError, match="known classes"):
        temperature_of(np.empty(0, np.int64), np.empty((0, 2)))

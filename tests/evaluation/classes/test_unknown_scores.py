import numpy as np
import pytest

from detect.evaluation.classes.unknown_scores import passing_threshold, unknown_figures


def test_figures_of_a_known_order() -> None:
    """Known 0.9, 0.8, 0.5 and unknown 0.6, 0.2: of six pairs five are in order. Below 0.7 are one of three known and
    both unknown. All three known are needed for 95 %, from 0.5 on, where one unknown of two passes."""
    made = unknown_figures(np.array([0.9, 0.8, 0.5]), np.array([0.6, 0.2]), 0.7)
    assert (made.known, made.unknown) == (3, 2)
    assert made.auroc == pytest.approx(5 / 6)
    assert made.false_unknown_rate == pytest.approx(1 / 3) and made.unknown_rate == 1
    assert made.false_known_rate_at_95 == 0.5


def test_what_is_at_the_threshold_passes() -> None:
    assert unknown_figures(np.array([0.7]), np.array([0.7]), 0.7).false_unknown_rate == 0


def test_without_examples_of_a_kind_nothing_is_defined_of_it() -> None:
    made = unknown_figures(np.array([0.9]), np.empty(0), 0.5)
    assert made.auroc is None and made.unknown_rate is None and made.false_unknown_rate == 0


def test_nineteen_of_twenty_are_enough() -> None:
    assert passing_threshold(np.arange(20) / 20) == pytest.approx(1 / 20)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_confidence_is_a_finite_number(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"known: .*got {wrong}"):
        unknown_figures(np.array([0.5, wrong]), np.array([0.5]), 0.5)

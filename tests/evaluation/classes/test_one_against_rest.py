import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detect.evaluation.classes.classified import of_one_class
from detect.evaluation.classes.one_against_rest import ClassCurves, curves_of


def curves(truth: list[int], of_b: list[float]) -> ClassCurves:
    """Return the curves of the second of two classes."""
    values = np.stack([1 - np.array(of_b), of_b], axis=1)
    return curves_of(of_one_class(np.array(truth), values, ("a", "b")))[1]


def test_areas_of_a_known_order() -> None:
    """By probability: b, a, b, a. Of the four pairs (b, a) three are in order: AUC 3/4.

    Precision where a b is found: 1/1 and 2/3, recall steps by 1/2 each: (1 + 2/3) / 2.
    """
    made = curves([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    assert (made.examples, made.others) == (2, 2)
    assert made.roc_auc == pytest.approx(3 / 4) and made.average_precision == pytest.approx(5 / 6)
    assert made.roc[0].tolist() == [np.inf, 0, 0] and made.roc[-1].tolist() == [0.1, 1, 1]


def test_the_nearest_point_may_lie_between_two_corners() -> None:
    """The points at 0.7, 0.6 and 0.5 are (1/4, 1/4), (2/4, 2/4) and (3/4, 3/4), on one line, whose ends are (0, 0) and
    (1, 1); squared distances from (0, 1) are 10/16, 8/16 and 10/16, and 1 at the ends."""
    made = curves([0, 1] * 4, [0.7, 0.7, 0.6, 0.6, 0.5, 0.5, 0.4, 0.4])
    assert made.nearest is not None and made.nearest.threshold == 0.6
    assert (made.nearest.false_positive_rate, made.nearest.true_positive_rate) == (0.5, 0.5)
    assert 0.6 not in made.roc[:, 0]


def test_of_points_as_near_the_highest_threshold_is_taken() -> None:
    """(0, 1/2) at 0.9 and (1/2, 1) at 0.7 are 1/2 away both."""
    made = curves([1, 0, 1, 0], [0.9, 0.7, 0.7, 0.1])
    assert made.nearest is not None and made.nearest.threshold == 0.9


def test_equal_probabilities_tell_nothing() -> None:
    made = curves([0, 1, 1], [0.5, 0.5, 0.5])
    assert made.roc_auc == 0.5 and made.average_precision == pytest.approx(2 / 3)


@pytest.mark.parametrize(("truth", "roc", "precision"), [([0, 0], None, None), ([1, 1], None, 1.0)])
def test_curves_of_a_class_that_none_or_all_are_of_are_not_defined(truth, roc, precision) -> None:
    made = curves(truth, [0.4, 0.6])
    assert made.roc_auc is roc and made.nearest is None and len(made.roc) == 0
    assert made.average_precision == precision


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=30))
def test_no_threshold_is_nearer_than_the_nearest_point(rows: list[tuple[bool, int]]) -> None:
    truth, values = np.array([row[0] for row in rows]), np.array([row[1] for row in rows]) / 6
    made = curves(truth.astype(int).tolist(), values.tolist())
    if truth.all() or not truth.any():
        assert made.nearest is None
        return
    assert made.nearest is not None
    rates = [(values[~truth] >= least).mean() ** 2 + (values[truth] < least).mean() ** 2 for least in (*values, 2)]
    point = made.nearest
    here = point.false_positive_rate**2 + (1 - point.true_positive_rate) ** 2
    assert here == pytest.approx(min(rates))
    assert (values[~truth] >= point.threshold).mean() == pytest.approx(point.false_positive_rate)

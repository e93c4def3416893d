import numpy as np
import pytest

from detect.evaluation.classes.class_figures import confusions_of, figures_of
from detect.evaluation.classes.classified import of_many_classes, of_one_class


def test_confusions_in_percent_of_each_true_class() -> None:
    """Of four a, three are found and one is taken for b; the only b is found: 75 and 25 %, 0 and 100 %."""
    values = np.array([[0.9, 0.1]] * 3 + [[0.2, 0.8]] * 2)
    made = confusions_of(of_one_class(np.array([0, 0, 0, 0, 1]), values, ("a", "b")))
    assert made.numbers.tolist() == [[3, 1], [0, 1]] and made.examples.tolist() == [4, 1]
    assert made.percent.tolist() == [[75, 25], [0, 100]]


def test_a_class_without_examples_has_no_percent_and_is_told() -> None:
    made = figures_of(of_one_class(np.array([0, 0]), np.array([[0.9, 0.1], [0.4, 0.6]]), ("a", "b")))
    assert made.confusions.percent[0].tolist() == [50, 50] and np.isnan(made.confusions.percent[1]).all()
    assert [said.split(":")[0] for said in made.remarks] == ["no example of b", "every example is of a"]


def test_what_is_unknown_has_a_row_and_a_column() -> None:
    """An a, in which nothing is found by a least 0.7, and one of no class, taken for b."""
    made = confusions_of(of_one_class(np.array([0, -1]), np.array([[0.6, 0.4], [0.1, 0.9]]), ("a", "b"), least=0.7))
    assert made.true == made.found == ("a", "b", "unknown")
    assert made.numbers.tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 0]]


def test_a_class_that_is_called_unknown_is_another_than_the_unknown() -> None:
    made = confusions_of(of_one_class(np.array([-1]), np.array([[0.6, 0.4]]), ("a", "unknown")))
    assert made.true == ("a", "unknown", "no_unknown")


def test_examples_of_two_classes_are_in_two_rows() -> None:
    """The first is of a and b, and a is found; the second is of b, and both are found: of two b, a is found in two."""
    truth, values = np.array([[1, 1], [0, 1]], bool), np.array([[0.9, 0.1], [0.8, 0.9]])
    made = confusions_of(of_many_classes(truth, values, ("a", "b")))
    assert made.numbers.tolist() == [[1, 0], [2, 1]] and made.percent.tolist() == [[100, 0], [100, 50]]


def test_calibration_is_of_the_likeliest_class_and_of_each() -> None:
    """Both are sure to 0.8 and one is right: 0.8 - 0.5 = 0.3. Of b, which neither is: 0.2 and 0.8 too much."""
    made = figures_of(of_one_class(np.array([0, 0]), np.array([[0.8, 0.2], [0.2, 0.8]]), ("a", "b"))).calibration
    assert list(made) == ["all classes", "a", "b"]
    assert made["all classes"]["ece"] == pytest.approx(0.3)
    assert made["b"]["ece"] == pytest.approx((0.2 + 0.8) / 2)


def test_ties_are_told() -> None:
    made = figures_of(of_one_class(np.array([0, 1]), np.full((2, 2), 0.5), ("a", "b")))
    assert any("in 2 of 2 examples several classes" in said for said in made.remarks)


def test_examples_of_no_class_are_told_from_the_others_by_the_highest_probability() -> None:
    """Known with 0.9 and 0.6, of no class with 0.55: both in order; below 0.7 are one known of two, and the other."""
    values = np.array([[0.9, 0.1], [0.4, 0.6], [0.55, 0.45]])
    made = figures_of(of_one_class(np.array([0, 1, -1]), values, ("a", "b"), least=0.7))
    assert made.unknown is not None and made.unknown.auroc == 1 and made.unknown.false_unknown_rate == 0.5
    assert made.unknown.unknown_rate == 1 and made.confusions.numbers[-1].tolist() == [0, 0, 1]
    assert figures_of(of_one_class(np.array([0]), values[:1], ("a", "b"))).unknown is None


def test_where_likeness_to_the_training_is_known_it_tells_those_of_no_class() -> None:
    """The unknown one has the highest probability (0.9), and is the farthest: 1 by likeness, 0 by probability. One of
    the known two is beyond the limit too."""
    values, familiar = np.array([[0.8, 0.2], [0.3, 0.7], [0.9, 0.1]]), np.array([0.2, -0.1, -0.4])
    made = of_one_class(np.array([0, 1, -1]), values, ("a", "b"), familiar=familiar)
    assert made.found.tolist() == [[True, False], [False, False], [False, False]]
    told = figures_of(made).unknown
    assert told is not None and (told.auroc, told.auroc_by_probability) == (1, 0)
    assert (told.threshold, told.false_unknown_rate, told.unknown_rate) == (0, 0.5, 1)

import numpy as np
import pytest

from detect.evaluation.classes.classified import of_many_classes, of_one_class


def test_found_is_the_most_probable_class_the_first_of_equal_ones() -> None:
    made = of_one_class(np.array([0, 1, 1]), np.array([[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]]), ("a", "b"))
    assert made.truth.tolist() == [[True, False], [False, True], [False, True]]
    assert made.found.tolist() == [[True, False], [False, True], [True, False]]
    assert made.ties == 1


def test_below_a_least_probability_nothing_is_found() -> None:
    values = np.array([[0.6, 0.4], [0.7, 0.3], [0.3, 0.7]])
    assert of_one_class(np.array([0, 0, 1]), values, ("a", "b"), least=0.65).found.any(axis=1).tolist() == [0, 1, 1]


def test_an_example_of_no_class_has_none() -> None:
    assert not of_one_class(np.array([-1]), np.array([[0.6, 0.4]]), ("a", "b")).truth.any()


def test_examples_of_many_classes_have_those_of_a_probability_or_more() -> None:
    made = of_many_classes(np.array([[1, 1]], bool), np.array([[0.5, 0.49]]), ("a", "b"))
    assert made.found.tolist() == [[True, False]] and made.many


@pytest.mark.parametrize(
    ("truth", "values", "classes", "said"),
    [
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], ("a", "b"), r"two\.png: the probability of a is nan.*\(1 of 2"),
        ([0, 1], [[0.5, 0.5], [0.5, 1.5]], ("a", "b"), r"two\.png: the probability of b is 1\.5"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], ("a", "b"), r"labels must be in \[0, 2\), or -1, got 0 to 2"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.5]], ("a", "a"), "must differ"),
        ([0, 1], [[1.0], [1.0]], ("a", "b"), "shape"),
        ([], np.empty((0, 2)), ("a", "b"), "1 or more"),
    ],
)
def test_what_cannot_be_judged_is_named(truth, values, classes, said) -> None:
    with pytest.raises(ValueError, match=said):
        of_one_class(np.array(truth, int), np.array(values, float), classes, ("one.png", "two.png")[: len(truth)])

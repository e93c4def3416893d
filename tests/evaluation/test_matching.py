import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.evaluation import match_points
from detect.labels import Detections

CLASSES = ("a", "b")
RADIUS = 3.0


def points(*rows: tuple[float, float, str]) -> Detections:
    return Detections.truth(np.array([row[:2] for row in rows]).reshape(-1, 2), [row[2] for row in rows], CLASSES)


tables = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from(CLASSES)), max_size=5
).map(lambda rows: points(*rows))  # fmt: skip


def brute_force(found: Detections, truth: Detections, same_class: bool) -> tuple[int, float]:
    """Try every pairing: the most pairs, then the least distance, as (-pairs, distance)."""
    if len(found) > len(truth):
        found, truth = truth, found
    best = (0, 0.0)
    for chosen in itertools.permutations([*range(len(truth)), *[None] * len(found)], len(found)):
        pairs = [(i, j) for i, j in enumerate(chosen) if j is not None]
        distances = [math.dist(found.xy[i], truth.xy[j]) for i, j in pairs]
        agree = not same_class or all(found.names[i] == truth.names[j] for i, j in pairs)
        if agree and all(each <= RADIUS for each in distances):
            best = min(best, (-len(pairs), sum(distances)))
    return best


@settings(max_examples=60, deadline=None)
@given(found=tables.filter(lambda one: len(one) < 5), truth=tables.filter(lambda one: len(one) < 5), same=st.booleans())
def test_it_is_as_good_as_trying_every_pairing(found: Detections, truth: Detections, same: bool) -> None:
    match = match_points(found, truth, RADIUS, same_class=same)
    pairs, distance = brute_force(found, truth, same)
    assert (-len(match), match.distance.sum()) == (pairs, pytest.approx(distance))


@given(found=tables, truth=tables, same=st.booleans())
@settings(max_examples=60, deadline=None)
def test_pairs_are_one_to_one_within_reach_and_symmetric(found: Detections, truth: Detections, same: bool) -> None:
    match = match_points(found, truth, RADIUS, same_class=same)
    assert len(set(match.truth_index)) == len(set(match.found_index)) == len(match)
    apart = np.hypot(*(found.xy[match.found_index] - truth.xy[match.truth_index]).T)
    np.testing.assert_array_equal(apart, match.distance)
    assert (match.distance <= RADIUS).all()
    assert sorted([*match.missed, *match.truth_index]) == list(range(match.n_truth)) == list(range(len(truth)))
    assert sorted([*match.spurious, *match.found_index]) == list(range(match.n_found)) == list(range(len(found)))
    back = match_points(truth, found, RADIUS, same_class=same)
    assert len(back) == len(match)
    assert back.distance.sum() == pytest.approx(match.distance.sum())


def test_more_pairs_go_before_shorter_ones() -> None:
    """Found at 0 and 2, true at 2 and 4: the pair of distance 0 would leave the rest 4 apart."""
    match = match_points(points((0, 0, "a"), (2, 0, "a")), points((2, 0, "a"), (4, 0, "a")), 3)
    assert match.truth_index.tolist() == [0, 1]
    assert match.distance.tolist() == [2, 2]


def test_the_radius_itself_is_within_reach() -> None:
    assert len(match_points(points((0, 0, "a")), points((3, 4, "a")), 5)) == 1
    assert len(match_points(points((0, 0, "a")), points((3, 4, "a")), 4.999999)) == 0


def test_coincident_points_match() -> None:
    assert match_points(points((1, 1, "a")), points((1, 1, "a")), 1e-3).distance.tolist() == [0]


def test_classes_are_compared_by_name() -> None:
    found = Detections.truth(np.zeros((1, 2)), ["b"], ("b", "a"))
    assert len(match_points(found, points((0, 0, "b")), 1, same_class=True)) == 1
    assert len(match_points(found, points((0, 0, "a")), 1, same_class=True)) == 0
    assert len(match_points(found, points((0, 0, "a")), 1)) == 1


def test_thousands_of_touching_objects_keep_their_partners() -> None:
    """On a grid of 10 px, moved by 1 px, every object is nearest to itself; the reach of 25 px spans about 20."""
    grid = np.stack(np.meshgrid(np.arange(50), np.arange(50)), axis=-1).reshape(-1, 2) * 10.0
    truth = Detections.truth(grid, ["a"] * len(grid), CLASSES)
    match = match_points(truth.shifted(1, 0), truth, 25)
    np.testing.assert_array_equal(match.found_index, match.truth_index)
    assert match.distance.tolist() == [1.0] * 2500


@pytest.mark.parametrize("radius", [0, -1, math.nan, math.inf])
def test_a_radius_must_be_positive(radius: float) -> None:
    with pytest.raises(ValueError, match=f"positive number of pixels, got {radius}"):
        match_points(points(), points(), radius)

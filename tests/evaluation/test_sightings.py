"""Sightings of one object in different images are one, neighbours in one image never."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.evaluation import sightings
from detect.evaluation.sightings import Sightings, objects_seen


def seen(*rows: tuple[float, float, int], reach: float = 1.0, label: list[int] | None = None) -> list[int]:
    """The objects of sightings at x, y in an image."""
    table = np.array(rows, np.float64).reshape(-1, 3)
    at = np.column_stack([table[:, :2], np.zeros(len(table))])
    labels = np.zeros(len(table), np.int64) if label is None else np.array(label, np.int64)
    found = Sightings(at, table[:, 2].astype(np.int64), labels, np.full(len(table), reach))
    return objects_seen(found).tolist()


def test_two_within_reach_are_one_and_beyond_it_two() -> None:
    assert seen((0, 0, 0), (1, 0, 1)) == [0, 0]
    assert seen((0, 0, 0), (1.001, 0, 1)) == [0, 1]
    assert seen() == []


def test_two_of_one_image_stay_two_and_the_nearest_is_joined() -> None:
    assert seen((0, 0, 0), (0.1, 0, 0)) == [0, 1]
    assert seen((0, 0, 0), (0.6, 0, 0), (0.4, 0, 1)) == [0, 1, 1]
    assert seen((0, 0, 0), (0.3, 0, 0), (0.1, 0, 1), (0.4, 0, 1)) == [0, 1, 0, 1]


def test_a_row_of_near_ones_does_not_become_one() -> None:
    """A, B and C at 0, 0.8 and 1.6: the nearest pair of equal ones is the first; C is beyond reach of A."""
    assert seen((0, 0, 0), (0.8, 0, 1), (1.6, 0, 2)) == [0, 0, 1]


def test_a_sighting_of_the_same_class_comes_first() -> None:
    """At 0.2 is one of another class, at 0.5 one of the same; alone, the one of another class is the same object."""
    assert seen((0, 0, 0), (0.2, 0, 1), (0.5, 0, 1), label=[0, 1, 0]) == [0, 1, 0]
    assert seen((0, 0, 0), (0.2, 0, 1), label=[0, 1]) == [0, 0]


def test_a_place_that_is_not_known_is_no_others() -> None:
    assert seen((np.nan, 0, 0), (np.nan, 0, 1), (0, 0, 2), (0, 0, 3)) == [0, 1, 2, 2]


def test_of_two_reaches_the_greater_counts() -> None:
    at = np.array([[0.0, 0, 0], [2, 0, 0]])
    label = np.zeros(2, np.int64)
    found = Sightings(at, np.array([0, 1]), label, np.array([0.5, 2.0]))
    assert objects_seen(found).tolist() == [0, 0]


@given(
    rows=st.lists(st.tuples(st.floats(0, 6), st.floats(0, 6), st.integers(0, 3)), max_size=25),
    reach=st.floats(0.1, 3),
)
@settings(max_examples=150, deadline=None)
def test_every_object_has_one_sighting_an_image_all_within_reach(
    rows: list[tuple[float, float, int]], reach: float
) -> None:
    """Numbers go up by first sighting; two objects that could be one are none only where a rule forbids it."""
    objects = np.array(seen(*rows, reach=reach), np.int64)
    assert objects.tolist() == [] or np.unique(objects).tolist() == list(range(objects.max() + 1))
    _, first = np.unique(objects, return_index=True)
    assert (np.diff(first) > 0).all()
    table = np.array(rows).reshape(-1, 3)
    for number in range(len(first)):
        members = table[objects == number]
        assert len(set(members[:, 2])) == len(members)
        away = np.hypot(*(members[:, None, :2] - members[None, :, :2]).reshape(-1, 2).T)
        assert (away <= reach * (1 + 1e-12)).all()
    for one in range(len(first)):
        for other in range(one):
            both = table[(objects == one) | (objects == other)]
            away = np.hypot(*(both[:, None, :2] - both[None, :, :2]).reshape(-1, 2).T)
            assert len(set(both[:, 2])) < len(both) or away.max() > reach * (1 - 1e-12)


@pytest.mark.parametrize("images", [2, 3, 6])
@pytest.mark.parametrize("noise", [0.0, 0.3, 0.49])
def test_planted_objects_are_counted_once(images: int, noise: float) -> None:
    """400 objects 3 apart, each seen in most images, up to half of the reach beside its place: 400 in all."""
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(np.arange(20), np.arange(20)), axis=-1).reshape(-1, 2) * 3.0
    rows, truth = [], []
    for image in range(images):
        shown = np.flatnonzero((rng.random(400) < 0.8) | (image == 0))
        turn = rng.uniform(0, 2 * np.pi, len(shown))
        away = noise * np.sqrt(rng.random(len(shown)))
        at = places[shown] + away[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        rows += [(x, y, image) for x, y in at]
        truth += shown.tolist()
    objects = np.array(seen(*rows))
    assert objects.max() + 1 == 400
    assert (np.array(truth)[np.unique(objects, return_index=True)[1]][objects] == truth).all()


@pytest.mark.parametrize("at_once", [1, 7, 2_000_000])
def test_pairs_are_all_that_the_greater_reach_of_two_allows(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As found one by one, images of coarse and fine pixels together, however many are looked at together."""
    monkeypatch.setattr(sightings, "NEIGHBOURS_AT_ONCE", at_once)
    rng = np.random.default_rng(3)
    image, at = rng.integers(0, 5, 80), rng.uniform(0, 10, (80, 3))
    reach = np.array([0.5, 3.0, 1.0, 1.0, 0.1])[image]
    at[5] = np.nan
    found = Sightings(at, image, np.zeros(80, np.int64), reach)
    wanted = {
        (i, j)
        for i in range(80)
        for j in range(i + 1, 80)
        if image[i] != image[j] and np.linalg.norm(at[i] - at[j]) <= max(reach[i], reach[j])
    }
    one, other = sightings._near_pairs(found)
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == wanted and len(one) == len(wanted) > 50


def test_a_reach_far_beyond_the_objects_distances_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 places in each of two images, all within reach: 2,500 pairs."""
    rows = [(i, 0, image) for image in (0, 1) for i in range(50)]
    monkeypatch.setattr(sightings, "MOST_PAIRS", 2500)
    assert max(seen(*rows, reach=100)) == 49
    monkeypatch.setattr(sightings, "MOST_PAIRS", 2499)
    with pytest.raises(ValueError, match=r"2,499 pairs.*100 m; set a smaller one, or overlap=keep"):
        seen(*rows, reach=100)

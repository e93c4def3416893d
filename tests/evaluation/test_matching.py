import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.evaluation.matching import Criterion, match_points, overlapping_pairs
from detect.labels.detections import Detections

CLASSES = ("a", "b")
RADIUS = 3.0


def points(*rows: tuple[float, float, str]) -> Detections:
    return Detections.truth(np.array([row[:2] for row in rows]).reshape(-1, 2), [row[2] for row in rows], CLASSES)


tables = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from(CLASSES)), max_size=5).map(
    lambda rows: points(*rows)
)


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
def test_pairs_are_one_to_one_within_the_radius_and_symmetric(found: Detections, truth: Detections, same: bool) -> None:
    match = match_points(found, truth, RADIUS, same_class=same)
    assert len(set(match.truth_index)) == len(set(match.found_index)) == len(match)
    distance = np.hypot(*(found.xy[match.found_index] - truth.xy[match.truth_index]).T)
    np.testing.assert_array_equal(distance, match.distance)
    assert (match.distance <= RADIUS).all()
    assert sorted([*match.missed, *match.truth_index]) == list(range(match.n_truth)) == list(range(len(truth)))
    assert sorted([*match.spurious, *match.found_index]) == list(range(match.n_found)) == list(range(len(found)))
    back = match_points(truth, found, RADIUS, same_class=same)
    assert len(back) == len(match)
    assert back.distance.sum() == pytest.approx(match.distance.sum())


def test_more_pairs_go_before_shorter_ones() -> None:
    """Found at 0 and 2, true at 2 and 4: the pair of distance 0 would leave the others at a distance of 4."""
    match = match_points(points((0, 0, "a"), (2, 0, "a")), points((2, 0, "a"), (4, 0, "a")), 3)
    assert match.truth_index.tolist() == [0, 1]
    assert match.distance.tolist() == [2, 2]


def test_the_radius_is_inclusive() -> None:
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
    """On a grid of 10 px, moved by 1 px, every object is nearest to itself; 25 px around it are about 20."""
    grid = np.stack(np.meshgrid(np.arange(50), np.arange(50)), axis=-1).reshape(-1, 2) * 10.0
    truth = Detections.truth(grid, ["a"] * len(grid), CLASSES)
    match = match_points(truth.shifted(1, 0), truth, 25)
    np.testing.assert_array_equal(match.found_index, match.truth_index)
    assert match.distance.tolist() == [1.0] * 2500


@pytest.mark.parametrize("radius", [0, -1, math.nan, math.inf])
def test_a_radius_must_be_positive(radius: float) -> None:
    with pytest.raises(ValueError, match=f"radius.* {radius}"):
        match_points(points(), points(), radius)


def boxed(*rows: tuple[float, float, float, float]) -> Detections:
    """Boxes x1, y1, x2, y2 of class a."""
    table = np.array(rows, np.float64).reshape(-1, 4)
    return Detections.truth((table[:, :2] + table[:, 2:]) / 2, ["a"] * len(table), CLASSES, table[:, 2:] - table[:, :2])


corner = st.integers(0, 6)
box_tables = st.lists(st.tuples(corner, corner, st.integers(1, 5), st.integers(1, 5)), max_size=6).map(
    lambda rows: boxed(*((x, y, x + w, y + h) for x, y, w, h in rows))
)


def iou_of(one: np.ndarray, other: np.ndarray) -> float:
    sides = [max(0.0, min(one[2 + i], other[2 + i]) - max(one[i], other[i])) for i in (0, 1)]
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    shared = sides[0] * sides[1]
    return shared / (sum(areas) - shared)


@given(found=box_tables, truth=box_tables, iou=st.sampled_from([0.1, 0.3, 0.5, 0.9]))
@settings(max_examples=60, deadline=None)
def test_pairs_of_boxes_are_those_of_at_least_the_iou(found: Detections, truth: Detections, iou: float) -> None:
    pairs = overlapping_pairs(found, truth, iou)
    wanted = {
        (i, j): 1 - iou_of(one, other)
        for i, one in enumerate(found.boxes_xyxy)
        for j, other in enumerate(truth.boxes_xyxy)
        if iou_of(one, other) >= iou - 1e-12
    }
    at = list(zip(pairs.found_index.tolist(), pairs.truth_index.tolist(), strict=True))
    assert at == sorted(wanted)
    np.testing.assert_allclose(pairs.distance, [wanted[place] for place in at], atol=1e-12)
    match = Criterion(1.0, iou).match(found, truth)
    assert len(set(match.truth_index)) == len(set(match.found_index)) == len(match)
    back = Criterion(1.0, iou).match(truth, found)
    assert len(back) == len(match) and back.distance.sum() == pytest.approx(match.distance.sum())


@pytest.mark.parametrize(("iou", "pairs"), [(0.5, 1), (0.501, 0), (1.0, 0)])
def test_the_iou_itself_is_enough(iou: float, pairs: int) -> None:
    """Boxes of 3 x 1, one pixel apart: 2 of 4 pixels are shared. Their centres are near, which does not count."""
    found, truth = boxed((0, 0, 3, 1)), boxed((1, 0, 4, 1))
    assert len(Criterion(99.0, iou).match(found, truth)) == pairs
    assert len(Criterion(99.0).match(found, truth)) == 1
    assert len(Criterion(0.1, 0.5).match(found, truth)) == 1
    assert Criterion(1.0, 1.0).match(found, found).distance.tolist() == [0]


def test_more_pairs_of_boxes_go_before_better_ones() -> None:
    """The first found box is the second true one to the pixel; taking both pairs, at 0.5 and 0.6, leaves none over."""
    found, truth = boxed((0, 0, 10, 10), (0, 0, 6, 10)), boxed((0, 0, 10, 10), (0, 0, 10, 5))
    match = Criterion(1.0, 0.5).match(found, truth)
    assert match.truth_index.tolist() == [1, 0]
    np.testing.assert_allclose(match.distance, [0.5, 0.4])


def test_thousands_of_boxes_keep_their_partners() -> None:
    """2,500 touching boxes, each with its own one moved by a pixel of ten: IoU 9 / 11; with its neighbour 1 / 19."""
    grid = np.stack(np.meshgrid(np.arange(50), np.arange(50)), axis=-1).reshape(-1, 2) * 10.0
    truth = boxed(*np.concatenate([grid, grid + 10], axis=1))
    match = Criterion(1.0, 0.3).match(truth.shifted(1, 0), truth)
    np.testing.assert_array_equal(match.found_index, match.truth_index)
    np.testing.assert_allclose(match.distance, np.full(2500, 1 - 9 / 11))


def test_boxes_of_very_different_sizes_may_overlap_enough() -> None:
    """100 x 1 and 100 x 8 share an eighth; 100 x 100 holds 10 x 100 at its edge, a tenth, 45 pixels off its centre."""
    thin, wide = boxed((0, 0, 100, 1)), boxed((0, 0, 100, 8))
    assert Criterion(1.0, 0.125).match(thin, wide).distance.tolist() == [0.875]
    small, large = boxed((90, 0, 100, 100)), boxed((0, 0, 100, 100))
    for one, other in ((small, large), (large, small)):
        assert Criterion(1.0, 0.1).match(one, other).distance.tolist() == [0.9]
        assert len(Criterion(1.0, 0.101).match(one, other)) == 0


def test_boxes_of_other_classes_are_paired_unless_classes_must_agree() -> None:
    one = boxed((0, 0, 4, 4))
    other = Detections.truth(one.xy, ["b"], CLASSES, one.wh)
    assert len(Criterion(1.0, 0.5).match(one, other)) == 1
    assert len(Criterion(1.0, 0.5).match(one, other, same_class=True)) == 0


def test_an_iou_is_above_zero_and_only_of_boxes() -> None:
    for iou in (0.0, -0.5, 1.1, math.nan):
        with pytest.raises(ValueError, match=rf"IoU.*\(0, 1\].* {iou}"):
            Criterion(1.0, iou)
    with pytest.raises(ValueError, match="points"):
        Criterion(1.0, 0.5).match(points((0, 0, "a")), boxed((0, 0, 1, 1)))
    assert len(Criterion(1.0, 0.5).match(Detections.empty(CLASSES, boxes=True), boxed((0, 0, 1, 1)))) == 0

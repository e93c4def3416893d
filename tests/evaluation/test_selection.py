from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.evaluation import selection
from detect.evaluation.matching import Criterion, match_points
from detect.evaluation.selection import select_threshold
from detect.labels.detections import Detections

CLASSES = ("a",)
NEAR = Criterion(3)


def scored(rows: Sequence[tuple[float, float]]) -> Detections:
    """Place objects on a line, each (x, score)."""
    table = np.array(rows, np.float64).reshape(-1, 2)
    xy = np.stack([table[:, 0], np.zeros(len(table))], axis=1)
    return Detections(xy, table[:, 1], np.zeros(len(table), np.int64), CLASSES)


def true(*x: float) -> Detections:
    return scored([(each, 1.0) for each in x])


def test_the_threshold_is_in_the_middle_between_true_and_false() -> None:
    found = scored([(0, 0.9), (10, 0.7), (50, 0.3), (60, 0.1)])
    chosen = select_threshold({5.0: {"i": found}}, {"i": true(0, 10)}, NEAR, "f1")
    assert chosen.threshold == (0.7 + 0.3) / 2
    assert (chosen.separation, chosen.f1, chosen.precision, chosen.recall, chosen.bias_percent) == (5, 1, 1, 1, 0)


def test_of_equals_the_middle_one_is_taken() -> None:
    """Nothing is hit, so F1 is 0 at each of the candidates 0.85, 0.75, 0.65, 0.55 and the lowest score, 0.42.

    Log odds of the ends are 1.73 and -0.32; their middle, 0.71, is that of 0.67.
    """
    found = scored([(0, 0.9), (50, 0.8), (60, 0.7), (70, 0.6), (80, 0.42)])
    chosen = select_threshold({5.0: {"i": found}}, {"i": true(1000, 1100, 1200)}, NEAR, "f1")
    assert (chosen.f1, chosen.bias_percent) == (0, 0)
    assert chosen.threshold == pytest.approx(0.65)


def test_the_middle_of_the_range_within_one_standard_error_is_taken() -> None:
    """Of 100 true objects 50 are found at 0.9 and up, then there are false alarms between 0.7 and 0.4, five at each.

    F1 is 100 / 150 = 0.667 with none, 100 / 155, 100 / 160 = 0.625 with ten and 100 / 165 = 0.606 with fifteen; one
    standard error is sqrt(0.667 * 0.333 / 100) = 0.047, so up to ten may be kept: thresholds 0.8, 0.65 and 0.55, with
    log odds of 1.39, 0.62 and 0.20. The middle of the ends is 0.79, to which 0.65 is nearest.
    """
    alarms = [(10_000.0 + 10 * i, score) for i, score in enumerate([0.7] * 5 + [0.6] * 5 + [0.5] * 5 + [0.4] * 5)]
    found = scored([(10.0 * i, 0.9) for i in range(50)] + alarms)
    chosen = select_threshold({5.0: {"i": found}}, {"i": true(*(10.0 * i for i in range(100)))}, NEAR, "f1")
    assert chosen.threshold == pytest.approx(0.65)
    assert chosen.f1 == pytest.approx(100 / 155)


def test_a_good_range_ends_where_f1_falls_off() -> None:
    """Ten hits at 0.9, ten alarms at 0.8, ten hits at 0.3, of 30: F1 20 / 40, 20 / 50, 40 / 60; slack 0.05."""
    found = scored(
        [(10.0 * i, 0.9) for i in range(10)]
        + [(9_000.0 + 10 * i, 0.8) for i in range(10)]
        + [(1_000.0 + 10 * i, 0.3) for i in range(10)]
    )
    truth = {"i": true(*(10.0 * i for i in range(10)), *(1_000.0 + 10 * i for i in range(20)))}
    chosen = select_threshold({5.0: {"i": found}}, truth, NEAR, "f1")
    assert chosen.threshold == 0.3 and chosen.f1 == pytest.approx(40 / 60)


@pytest.mark.parametrize("order", [(8.0, 6.0, 4.0), (0.2, 0.5, 0.7)])
def test_of_equal_separations_the_first_is_taken(order: tuple[float, ...]) -> None:
    found = {"i": scored([(0, 0.9), (2, 0.4)])}
    for select in ("f1", "count"):
        assert select_threshold(dict.fromkeys(order, found), {"i": true(0)}, NEAR, select).separation == order[0]


def test_a_better_separation_goes_before_an_earlier_one() -> None:
    good, bad = {"i": scored([(0, 0.9), (10, 0.8)])}, {"i": scored([(0, 0.9)])}
    assert select_threshold({8.0: bad, 4.0: good}, {"i": true(0, 10)}, NEAR, "f1").separation == 4


@pytest.mark.parametrize(("alarms", "chosen"), [(4, 4.0), (12, 8.0)])
def test_an_earlier_separation_is_kept_within_one_standard_error(alarms: int, chosen: float) -> None:
    """Of 100 objects 50 are found, F1 100 / 150 = 0.667, one standard error sqrt(0.667 * 0.333 / 100) = 0.047.

    The first separation has false alarms with the scores of its hits: four give 100 / 154 = 0.649, which is as good;
    twelve 100 / 162 = 0.617, which is not.
    """
    hits = [(10.0 * i, 0.9) for i in range(50)]
    truth = {"i": true(*(10.0 * i for i in range(100)))}
    worse = scored(hits + [(10_000.0 + 10 * i, 0.9) for i in range(alarms)])
    candidates = {4.0: {"i": worse}, 8.0: {"i": scored(hits)}}
    assert select_threshold(candidates, truth, NEAR, "f1").separation == chosen


def test_where_nothing_is_found_below_the_weakest_object_the_range_reaches_down_to_what_was_looked_for() -> None:
    """Two objects of 0.98 and 0.8 and nothing else from 0.2 on: the middle of 0.2 and 0.8 in log odds is a half.

    The floor counts nothing where an alarm lies below: between 0.8 and its 0.6, 0.7 is the only threshold of F1 1.
    """
    alone, alarm = scored([(0, 0.98), (10, 0.8)]), scored([(0, 0.98), (10, 0.8), (500, 0.6)])
    chosen = select_threshold({5.0: {"i": alone}}, {"i": true(0, 10)}, NEAR, "f1", 0.2)
    assert chosen.threshold == pytest.approx(0.5) and chosen.f1 == 1 and chosen.bias_percent == 0
    assert select_threshold({5.0: {"i": alone}}, {"i": true(0, 10)}, NEAR, "f1").threshold == 0.8
    assert select_threshold({5.0: {"i": alarm}}, {"i": true(0, 10)}, NEAR, "f1", 0.2).threshold == pytest.approx(0.7)


def test_of_thresholds_that_count_all_the_middle_is_taken() -> None:
    """Both of 0.9 and 0.8 are counted from 0.8 down to the floor of 0.2: the middle of these in log odds is 0.5."""
    alone = scored([(0, 0.9), (10, 0.8)])
    chosen = select_threshold({5.0: {"i": alone}}, {"i": true(0, 10)}, NEAR, "count", 0.2)
    assert chosen.threshold == pytest.approx(0.5) and chosen.bias_percent == 0


def test_the_lowest_score_is_kept_where_all_are_wanted() -> None:
    chosen = select_threshold({4.0: {"i": scored([(0, 0.9), (10, 0.2)])}}, {"i": true(0, 10)}, NEAR, "f1")
    assert chosen.threshold == 0.2 and chosen.recall == 1


def test_count_takes_the_least_bias_near_the_best_f1_and_f1_the_middle() -> None:
    """Of 200 objects 180 are hit at 0.9, then false alarms come one by one: F1 360 / 380 = 0.947 at 180 kept.

    One standard error is sqrt(0.947 * 0.053 / 200) = 0.0158: down to 0.9316, which is 360 / 386.4, so 6 alarms,
    thresholds 0.65 to 0.345 with log odds of 0.62 and -0.64; nearest to their middle, -0.01, is 0.395 with one alarm:
    181 of 200. With 6 alarms 186 are counted, the nearest to 200 in that range.
    """
    hits = [(10.0 * i, 0.9) for i in range(180)]
    found = {"i": scored(hits + [(10_000.0 + 10 * j, 0.4 - 0.01 * j) for j in range(25)])}
    truth = {"i": true(*(10.0 * i for i in range(200)))}
    chosen = select_threshold({4.0: found}, truth, NEAR, "f1")
    assert chosen.bias_percent == pytest.approx(-9.5) and chosen.threshold == pytest.approx(0.395)
    chosen = select_threshold({4.0: found}, truth, NEAR, "count")
    assert chosen.bias_percent == pytest.approx(-7) and chosen.threshold == pytest.approx(0.345)
    assert chosen.f1 == pytest.approx(360 / 386)


def test_count_does_not_leave_the_best_f1_far_behind() -> None:
    """One of two objects is found, then a false alarm: F1 2/3 at 1 kept, 2/4 at 2 kept: too far for the right count."""
    found = {"i": scored([(0, 0.9), (100, 0.5)])}
    assert select_threshold({4.0: found}, {"i": true(0, 10)}, NEAR, "count").threshold == pytest.approx(0.7)


images = st.lists(st.tuples(st.integers(0, 15), st.sampled_from([0.1, 0.3, 0.5, 0.8])), max_size=6).map(scored)


@given(found=st.tuples(images, images), truth=st.tuples(images, images))
@settings(max_examples=50, deadline=None)
def test_no_threshold_is_better_by_more_than_the_error(
    found: tuple[Detections, ...], truth: tuple[Detections, ...]
) -> None:
    if not (sum(map(len, found)) and sum(map(len, truth))):
        return
    by_image, true_by = dict(zip("xy", found, strict=True)), dict(zip("xy", truth, strict=True))
    chosen = select_threshold({1.0: by_image}, true_by, Criterion(2), "f1")

    def f1(threshold: float) -> float:
        kept = [each[each.score >= threshold] for each in found]
        hits = sum(len(match_points(one, other, 2)) for one, other in zip(kept, truth, strict=True))
        return 2 * hits / (sum(map(len, kept)) + sum(map(len, truth)))

    assert chosen.f1 == f1(chosen.threshold)
    assert chosen.f1 >= max(f1(threshold) for threshold in (0.0, 0.2, 0.4, 0.7)) - 0.05 - 1e-9


def test_scores_that_differ_in_the_last_bit_are_separated() -> None:
    high = float(np.nextafter(0.5, 1))
    found = scored([(0, high), (100, 0.5)])
    chosen = select_threshold({4.0: {"i": found}}, {"i": true(0)}, NEAR, "f1")
    assert chosen.f1 == 1
    assert (found.score >= chosen.threshold).tolist() == [True, False]


def test_pairs_are_looked_for_once_and_thousands_of_scores_are_matched_at_two_hundred_thresholds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The work does not grow with the number of scores: 3,000 of them, and two separations."""
    rng = np.random.default_rng(0)
    found = {f"{i}": scored(np.stack([rng.uniform(0, 5000, 1000), rng.uniform(size=1000)], 1)) for i in range(3)}
    truth = {name: true(*rng.uniform(0, 5000, 200)) for name in found}
    searched: list[int] = []
    matched: list[int] = []
    pairs, match = Criterion.candidate_pairs, selection.maximum_bipartite_matching
    monkeypatch.setattr(
        Criterion, "candidate_pairs", lambda self, one, other: searched.append(len(one)) or pairs(self, one, other)
    )
    monkeypatch.setattr(
        selection,
        "maximum_bipartite_matching",
        lambda graph, **how: matched.append(graph.shape[0]) or match(graph, **how),
    )
    select_threshold({1.0: found, 2.0: found}, truth, Criterion(10), "f1")
    assert searched == [1000] * 6
    assert len(matched) == 2 * 200 and max(matched) == 3000


def test_an_impossible_choice_is_refused() -> None:
    found = {"i": scored([(0, 0.9)])}
    with pytest.raises(ValueError, match=r"1 images.*no annotated objects"):
        select_threshold({4.0: found}, {"i": true()}, NEAR, "f1")
    with pytest.raises(ValueError, match="nothing was found"):
        select_threshold({4.0: {"i": true()}}, {"i": true(0)}, NEAR, "f1")
    with pytest.raises(ValueError, match=r"\['j'\]"):
        select_threshold({4.0: found}, {"i": true(0), "j": true()}, NEAR, "f1")
    with pytest.raises(ValueError, match=r"'f1'.*'count'.*'best'"):
        select_threshold({4.0: found}, {"i": true(0)}, NEAR, "best")  # type: ignore[arg-type]

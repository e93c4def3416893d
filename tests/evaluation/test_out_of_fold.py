import numpy as np
import pytest

from detect.evaluation.matching import Criterion
from detect.evaluation.out_of_fold import FoldFound, best_epoch, pooled
from detect.evaluation.scene_validation import Candidates, CountSettings, NothingFoundError
from detect.labels.detections import Detections

COUNTING = CountSettings(Criterion(3), "f1")


def at(*rows: tuple[float, float]) -> Detections:
    """Place objects on a line, each (x, score)."""
    table = np.array(rows, np.float64).reshape(-1, 2)
    xy = np.stack([table[:, 0], np.zeros(len(table))], axis=1)
    return Detections(xy, table[:, 1], np.zeros(len(table), np.int64), ("a",))


def candidates(**tables: Detections) -> Candidates:
    """What is found with one separation."""
    return {4.0: tables}


TRUTH = {name: at(*((10 * i, 1.0) for i in range(50))) for name in ("one", "two")}
"""A hundred objects in two scenes."""


def found(hits: int, alarms: int = 0) -> Detections:
    """The first of a scene's objects, and false alarms with the same score."""
    return at(*((10 * i, 0.9) for i in range(hits)), *((1000 + 10 * i, 0.9) for i in range(alarms)))


def test_every_scene_is_as_the_fold_found_it_that_left_it_out() -> None:
    folds = [FoldFound(2, {2: candidates(one=found(3))}), FoldFound(2, {2: candidates(two=found(5))})]
    assert {name: len(table) for name, table in pooled(folds, 2)[4.0].items()} == {"one": 3, "two": 5}


def test_the_best_epoch_is_the_last_within_a_standard_error() -> None:
    """Kept and hit are 90, 96, 92 and 80 of 100: F1 is 180/190, 192/196, 184/192 and 160/180.

    The best, 0.980, has a standard error of sqrt(0.980 x 0.020 / 100) = 0.014: 0.958 is farther below, but with 94
    after the third epoch, 188/194 = 0.969 is not.
    """
    for third, epoch in ((46, 2), (47, 3)):
        hits = {1: 45, 2: 48, 3: third, 4: 40}
        folds = [FoldFound(4, {n: candidates(**{name: found(k)}) for n, k in hits.items()}) for name in TRUTH]
        best = best_epoch(folds, TRUTH, COUNTING)
        assert best.share == epoch / 4
        assert best.f1[2] == pytest.approx(192 / 196) and best.f1[4] == pytest.approx(160 / 180)
        assert len(best.candidates[4.0]["two"]) == hits[epoch]


def test_one_threshold_holds_for_all_scenes() -> None:
    """Each alone is found without a fault; at one threshold, the false alarms of one cost more than its objects."""
    strong = at(*((10 * i, 0.9) for i in range(50)), *((1000 + 10 * i, 0.6) for i in range(50)))
    weak = at(*((10 * i, 0.5) for i in range(50)))
    folds = [FoldFound(1, {1: candidates(one=strong)}), FoldFound(1, {1: candidates(two=weak)})]
    assert best_epoch(folds, TRUTH, COUNTING).f1 == {1: pytest.approx(2 * 100 / (150 + 100))}


def test_an_epoch_that_found_nothing_is_passed_over_and_none_at_all_is_an_error() -> None:
    nothing = candidates(one=found(0), two=found(0))
    folds = [FoldFound(2, {1: nothing, 2: candidates(one=found(50), two=found(50))})]
    best = best_epoch(folds, TRUTH, COUNTING)
    assert (best.share, best.f1) == (1.0, {2: 1.0})
    with pytest.raises(NothingFoundError, match="train longer"):
        best_epoch([FoldFound(2, {1: nothing, 2: nothing})], TRUTH, COUNTING)


def test_only_epochs_that_all_folds_counted_are_compared() -> None:
    """A limit of time ends one fold before the other."""
    folds = [
        FoldFound(3, {1: candidates(one=found(10)), 3: candidates(one=found(50))}),
        FoldFound(3, {1: candidates(two=found(10))}),
    ]
    assert best_epoch(folds, TRUTH, COUNTING).share == 1 / 3
    with pytest.raises(ValueError, match=r"trainer\.max_time"):
        best_epoch([folds[0], FoldFound(3, {2: candidates(two=found(1))})], TRUTH, COUNTING)

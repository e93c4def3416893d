"""The choice of a score threshold and of how detections are kept apart, on labelled images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.special import logit

from detect.evaluation.matching import Criterion
from detect.labels.detections import Detections

_CANDIDATES = 200
_USUAL = 3
_F1_SLACK = 0.05
_SAME = 1e-12
_SURE = 1e-6


@dataclass(frozen=True)
class Selection:
    """A threshold and what it gives on the images it was chosen on, whatever the objects' classes.

    Attributes:
        threshold: objects with this score or more are kept.
        separation: the separation radius in pixels, or the IoU of NMS.
        f1: of the kept objects.
        precision: of the kept objects.
        recall: of the kept objects.
        bias_percent: 100 (found - true) / true over all images.
    """

    threshold: float
    separation: float
    f1: float
    precision: float
    recall: float
    bias_percent: float


@dataclass(frozen=True, eq=False)
class _Curve:
    """Thresholds for one way of separation, descending, with kept objects and pairs at each."""

    separation: float
    place: int
    threshold: NDArray[np.float64]
    kept: NDArray[np.int64]
    hits: NDArray[np.int64]
    n_truth: int

    @property
    def f1(self) -> NDArray[np.float64]:
        return 2 * self.hits / (self.kept + self.n_truth)

    def selection(self, row: int) -> Selection:
        kept, hits = int(self.kept[row]), int(self.hits[row])
        return Selection(
            threshold=float(self.threshold[row]),
            separation=self.separation,
            f1=float(self.f1[row]),
            precision=hits / kept,
            recall=hits / self.n_truth,
            bias_percent=100 * (kept - self.n_truth) / self.n_truth,
        )


def select_threshold(
    candidates: Mapping[float, Mapping[str, Detections]],
    truth: Mapping[str, Detections],
    criterion: Criterion,
    select: Literal["f1", "count"] = "f1",
) -> Selection:
    """Choose the threshold and the separation (radius, or IoU of NMS) that serve best on labelled images.

    Candidates are the midpoints between neighbouring scores and the lowest score itself, thinned to 200: three quarters
    of them keep up to three times as many objects as there are.
    Objects are matched as in `Criterion.match`, whatever their class, over all images together.

    `f1` takes the first separation whose highest F1 is within one standard error of the highest of all:
    sqrt(F1 (1 - F1) / n) of n true objects, at most 0.05; and there the middle, in log odds, of the range of thresholds
    around its own best whose F1 is within that, too. A few labelled objects cannot tell such settings apart
    (the one-standard-error rule, Breiman et al. 1984), so that what was thought best beforehand stands, and the
    threshold farthest from where F1 falls off carries over best to images in which objects look more or less sure.

    `count` takes, among all with an F1 within 0.05 of the highest, the one whose total count is nearest the true one;
    then the higher F1, the earlier separation, the higher threshold.

    Args:
        candidates: for each separation, the likeliest first, what is found in each image at a very low threshold.
        truth: the annotated objects of the same images.
        criterion: when an object is found.
        select: `f1` or `count`.

    Raises:
        ValueError: there are no annotated objects, nothing is found at all, the images differ, or `select` is unknown.
    """
    if select not in {"f1", "count"}:
        raise ValueError(f"select must be 'f1' or 'count', got {select!r}")
    if not sum(map(len, truth.values())):
        raise ValueError(
            f"no threshold can be chosen: the {len(truth)} images hold no annotated objects; "
            "label some objects in the validation images, or set the threshold yourself"
        )
    used = [value for value, found in candidates.items() if sum(map(len, found.values()))]
    if not used:
        raise ValueError(
            "no threshold can be chosen: nothing was found at any score; train longer, or set the threshold yourself"
        )
    curves = [_curve(place, value, candidates[value], truth, criterion) for place, value in enumerate(used)]
    return _best_f1(curves) if select == "f1" else _best_count(curves)


def _curve(
    place: int,
    separation: float,
    found: Mapping[str, Detections],
    truth: Mapping[str, Detections],
    criterion: Criterion,
) -> _Curve:
    """Match at every candidate threshold; the images are blocks of one graph, its rows sorted by score."""
    if set(found) != set(truth):
        raise ValueError(f"found and true objects are of other images: {sorted(set(found) ^ set(truth))}")
    names = list(truth)
    score = np.concatenate([found[name].score for name in names])
    order = np.argsort(-score, kind="stable")
    graph = _graph(found, truth, names, criterion)[order]
    threshold, kept = _candidates(score[order], graph.shape[1])
    hits = [int((maximum_bipartite_matching(graph[:k], perm_type="column") >= 0).sum()) for k in kept]
    return _Curve(float(separation), place, threshold, kept, np.array(hits, np.int64), graph.shape[1])


def _graph(
    found: Mapping[str, Detections], truth: Mapping[str, Detections], names: list[str], criterion: Criterion
) -> csr_array:
    """Join the pairs within reach of all images: rows found, columns true objects, in the order of `names`."""
    rows, cols, row, col = [], [], 0, 0
    for name in names:
        near = criterion.near(found[name], truth[name])
        rows.append(near.found_index + row)
        cols.append(near.truth_index + col)
        row, col = row + near.n_found, col + near.n_truth
    places = (np.concatenate(rows), np.concatenate(cols))
    return coo_array((np.ones(len(places[0]), np.int8), places), shape=(row, col)).tocsr()


def _candidates(score: NDArray[np.float64], n_truth: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give thresholds for scores sorted from the highest, and how many objects each keeps.

    Most keep up to `_USUAL` times the number of true objects, where the best F1 lies; the weak rest is thinned more.
    """
    kept = np.append(np.flatnonzero(score[:-1] > score[1:]) + 1, len(score))
    usual = int(np.searchsorted(kept, _USUAL * n_truth, side="right"))
    if len(kept) > _CANDIDATES:
        rest = _CANDIDATES // 4
        kept = np.concatenate([_thinned(kept[:usual], _CANDIDATES - rest), _thinned(kept[usual:], rest)])
    lower = score[np.minimum(kept, len(score) - 1)]
    upper = score[kept - 1]
    middle = (lower + upper) / 2
    return np.where(middle > lower, middle, upper), kept.astype(np.int64)


def _thinned(kept: NDArray[np.intp], number: int) -> NDArray[np.intp]:
    if len(kept) <= number:
        return kept
    return kept[np.unique(np.linspace(0, len(kept) - 1, number).round().astype(np.int64))]


def _best_f1(curves: list[_Curve]) -> Selection:
    best = max(curve.f1.max() for curve in curves)
    slack = min(math.sqrt(best * (1 - best) / curves[0].n_truth), _F1_SLACK) + _SAME
    curve = next(curve for curve in curves if curve.f1.max() >= best - slack)
    good = curve.f1 >= best - slack
    first = last = int(curve.f1.argmax())
    while first > 0 and good[first - 1]:
        first -= 1
    while last < len(good) - 1 and good[last + 1]:
        last += 1
    odds = logit(curve.threshold.clip(_SURE, 1 - _SURE))
    away = np.abs(odds[first : last + 1] - (odds[first] + odds[last]) / 2).round(9)
    return curve.selection(first + int(np.lexsort((-curve.f1[first : last + 1], away))[0]))


def _best_count(curves: list[_Curve]) -> Selection:
    best = max(curve.f1.max() for curve in curves)
    good = [(curve, row) for curve in curves for row in np.flatnonzero(curve.f1 >= best - _F1_SLACK).tolist()]

    def rank(candidate: tuple[_Curve, int]) -> tuple[float, float, int, float]:
        curve, row = candidate
        return -abs(curve.kept[row] - curve.n_truth), curve.f1[row], -curve.place, curve.threshold[row]

    curve, row = max(good, key=rank)
    return curve.selection(row)

"""The choice of a score threshold and of a separation of detections, on labelled images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.special import expit, logit

from detect.evaluation.matching import Criterion
from detect.labels.detections import Detections

_MAX_THRESHOLDS = 200
"""Candidate thresholds that are tried."""

_MAX_KEPT_PER_TRUE = 3
"""Kept objects per true object up to which thresholds are sampled more densely."""

MAX_F1_SLACK = 0.05
"""Greatest difference to the highest F1 of a threshold that may be chosen."""

_F1_TOLERANCE = 1e-12
"""Rounding error of F1: smaller differences are none."""

_MIN_SCORE_FOR_ODDS = 1e-6
"""Least score, and least difference to 1, whose log odds are distinguished."""


@dataclass(frozen=True)
class Selection:
    """A threshold, a separation and their scores on the images they were chosen on, whatever the objects' classes.

    Attributes:
        threshold: objects with this score or more are kept.
        separation: radius in pixels, or greatest IoU of boxes.
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
    """The numbers of kept objects and of pairs at the candidate thresholds, descending, for one separation."""

    separation: float
    rank: int
    threshold: NDArray[np.float64]
    kept: NDArray[np.int64]
    hits: NDArray[np.int64]
    n_truth: int

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 at each threshold."""
        return 2 * self.hits / (self.kept + self.n_truth)

    def selection(self, row: int) -> Selection:
        """Return one of the thresholds with its scores."""
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
    select: Literal["f1", "count"],
    floor: float = 1.0,
) -> Selection:
    """Choose the threshold and the separation (radius, or IoU of boxes) with the best scores on labelled images.

    Candidate thresholds are the midpoints between neighbouring scores and the lowest score, thinned to 200: three
    quarters of them keep up to three times as many objects as are annotated. Objects are matched as in
    `Criterion.match`, whatever their class, over all images together.

    `f1` takes the first separation whose highest F1 is within one standard error of the highest of all,
    sqrt(F1 (1 - F1) / n) of n true objects, at most 0.05; and of it the middle, in log odds, of the range of thresholds
    around its own best whose F1 is within that error, too. Differences within one standard error of a few labelled
    objects are not significant (the one-standard-error rule, Breiman et al. 1984): the earlier separation wins ties,
    and the middle of the range is the threshold at which F1 depends least on a shift of the scores in other images.
    A range below which nothing is found reaches down to `floor`: else the weakest object of these images would be the
    least that is found in others.

    `count` takes, of the same separation and range, the threshold whose total count is nearest the true one; of several
    equally near ones beside each other the middle.

    Args:
        candidates: for each separation, the preferred one first, what is found in each image at a very low threshold.
        truth: the annotated objects of the same images.
        criterion: the rule by which objects are matched.
        select: `f1` or `count`.
        floor: the least score that was looked for; 1 where that is not known.

    Returns:
        The chosen threshold and separation, with their scores on these images.

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
    curves = [_curve(rank, value, candidates[value], truth, criterion) for rank, value in enumerate(used)]
    return _best(curves, select, floor)


def _curve(
    rank: int,
    separation: float,
    found: Mapping[str, Detections],
    truth: Mapping[str, Detections],
    criterion: Criterion,
) -> _Curve:
    """Match at every candidate threshold.

    The pairs of all images are one bipartite graph with its rows sorted by score: a threshold keeps its first rows.
    """
    if set(found) != set(truth):
        raise ValueError(f"found and true objects are of other images: {sorted(set(found) ^ set(truth))}")
    names = list(truth)
    score = np.concatenate([found[name].score for name in names])
    order = np.argsort(-score, kind="stable")
    graph = _graph(found, truth, names, criterion)[order]
    threshold, kept = _candidate_thresholds(score[order], graph.shape[1])
    hits = [int((maximum_bipartite_matching(graph[:k], perm_type="column") >= 0).sum()) for k in kept]
    return _Curve(float(separation), rank, threshold, kept, np.array(hits, np.int64), graph.shape[1])


def _graph(
    found: Mapping[str, Detections], truth: Mapping[str, Detections], names: list[str], criterion: Criterion
) -> csr_array:
    """Return the candidate pairs of all images: rows found, columns true objects, in the order of `names`."""
    rows, cols, row, col = [], [], 0, 0
    for name in names:
        pairs = criterion.candidate_pairs(found[name], truth[name])
        rows.append(pairs.found_index + row)
        cols.append(pairs.truth_index + col)
        row, col = row + pairs.n_found, col + pairs.n_truth
    entries = (np.concatenate(rows), np.concatenate(cols))
    return coo_array((np.ones(len(entries[0]), np.int8), entries), shape=(row, col)).tocsr()


def _candidate_thresholds(score: NDArray[np.float64], n_truth: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return thresholds for scores in descending order, and the number of objects that each keeps.

    Most keep up to `_MAX_KEPT_PER_TRUE` times the number of true objects, among which the best F1 is; lower scores are
    thinned more.
    """
    kept = np.append(np.flatnonzero(score[:-1] > score[1:]) + 1, len(score))
    dense = int(np.searchsorted(kept, _MAX_KEPT_PER_TRUE * n_truth, side="right"))
    if len(kept) > _MAX_THRESHOLDS:
        rest = _MAX_THRESHOLDS // 4
        kept = np.concatenate([_thin(kept[:dense], _MAX_THRESHOLDS - rest), _thin(kept[dense:], rest)])
    lower = score[np.minimum(kept, len(score) - 1)]
    upper = score[kept - 1]
    middle = (lower + upper) / 2
    return np.where(middle > lower, middle, upper), kept.astype(np.int64)


def _thin(kept: NDArray[np.intp], number: int) -> NDArray[np.intp]:
    """Return at most `number` of the values, evenly spaced by position, the first and the last among them."""
    if len(kept) <= number:
        return kept
    return kept[np.unique(np.linspace(0, len(kept) - 1, number).round().astype(np.int64))]


def _best(curves: list[_Curve], select: Literal["f1", "count"], floor: float) -> Selection:
    """Choose separation and threshold; see `select_threshold`."""
    best = max(curve.f1.max() for curve in curves)
    slack = min(math.sqrt(best * (1 - best) / curves[0].n_truth), MAX_F1_SLACK) + _F1_TOLERANCE
    curve = next(curve for curve in curves if curve.f1.max() >= best - slack)
    wanted = curve.f1 >= best - slack
    first, last = _run_around(wanted, int(curve.f1.argmax()))
    if select == "count":
        bias = np.abs(curve.kept - curve.n_truth)
        least = int(bias[first : last + 1].argmin()) + first
        first, last = _run_around(wanted & (bias == bias[least]), least)
    return _middle(curve, first, last, floor)


def _run_around(wanted: NDArray[np.bool_], row: int) -> tuple[int, int]:
    """Return the first and the last of the wanted rows on both sides of one, without a gap."""
    first = last = row
    while first > 0 and wanted[first - 1]:
        first -= 1
    while last < len(wanted) - 1 and wanted[last + 1]:
        last += 1
    return first, last


def _middle(curve: _Curve, first: int, last: int, floor: float) -> Selection:
    """Return the threshold in the middle, in log odds, of a range, which reaches down to the floor from the lowest."""
    log_odds = logit(curve.threshold.clip(_MIN_SCORE_FOR_ODDS, 1 - _MIN_SCORE_FOR_ODDS))
    nothing_lower = last == len(log_odds) - 1
    bottom = min(log_odds[last], logit(floor)) if nothing_lower and 0 < floor < 1 else log_odds[last]
    middle = (log_odds[first] + bottom) / 2
    if middle < log_odds[last]:
        return replace(curve.selection(last), threshold=float(expit(middle)))
    from_middle = np.abs(log_odds[first : last + 1] - middle).round(9)
    return curve.selection(first + int(np.lexsort((-curve.f1[first : last + 1], from_middle))[0]))

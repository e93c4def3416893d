"""Optimal one-to-one matching of found with annotated objects, by distance of centres or IoU of boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

from detect.labels.detections import Detections

PART_PAIRS = 512
"""About how many pairs are matched at once; the time for a part grows with its square."""


@dataclass(frozen=True, eq=False)
class Match:
    """Pairs of found and annotated objects of one scene.

    Attributes:
        found_index: (P,) int64, the found object of each pair, ascending.
        truth_index: (P,) int64, its annotated object.
        distance: (P,) float64, pixels between their centres; 1 - IoU where boxes were matched.
        n_found: number of found objects.
        n_truth: number of annotated objects.
    """

    found_index: NDArray[np.int64]
    truth_index: NDArray[np.int64]
    distance: NDArray[np.float64]
    n_found: int
    n_truth: int

    def __len__(self) -> int:
        return len(self.found_index)

    @property
    def missed(self) -> NDArray[np.int64]:
        """Positions of the annotated objects without a partner, ascending."""
        return np.setdiff1d(np.arange(self.n_truth), self.truth_index)

    @property
    def spurious(self) -> NDArray[np.int64]:
        """Positions of the found objects without a partner, ascending."""
        return np.setdiff1d(np.arange(self.n_found), self.found_index)


@dataclass(frozen=True)
class Criterion:
    """The rule by which a found object may be paired with an annotated one.

    Attributes:
        radius: greatest distance of their centres, in pixels of the objects' coordinates.
        iou: least IoU of their boxes; where it is given, the radius is not used.

    Raises:
        ValueError: the radius is not positive, or the IoU is outside (0, 1].
    """

    radius: float
    iou: float | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.radius) and self.radius > 0):
            raise ValueError(f"the match radius must be a positive number of pixels, got {self.radius}")
        if self.iou is not None and not 0 < self.iou <= 1:
            raise ValueError(f"the IoU at which boxes match must be in (0, 1], got {self.iou}")

    @property
    def bound(self) -> float:
        """The greatest `Match.distance` of a pair."""
        return self.radius if self.iou is None else 1 - self.iou

    def candidate_pairs(self, found: Detections, truth: Detections) -> Match:
        """Return every pair that the rule allows, sorted by found, then annotated object; objects may repeat."""
        if self.iou is None:
            return near_pairs(found.xy, truth.xy, self.radius)
        return overlapping_pairs(found, truth, self.iou)

    def match(self, found: Detections, truth: Detections, *, same_class: bool = False) -> Match:
        """Return a one-to-one matching with the most pairs and, among those, the least total distance.

        The same input always has the same pairs.

        Args:
            found: the found objects.
            truth: the annotated objects.
            same_class: pair only objects whose class names agree.

        Raises:
            ValueError: an IoU is asked of points.
        """
        pairs = self.candidate_pairs(found, truth)
        if same_class:
            names, others = np.array(found.names, object), np.array(truth.names, object)
            agree = names[pairs.found_index] == others[pairs.truth_index]
            pairs = Match(
                pairs.found_index[agree], pairs.truth_index[agree], pairs.distance[agree], len(found), len(truth)
            )
        return _best_pairs(pairs, max(self.bound, 1e-3))


def match_points(found: Detections, truth: Detections, radius: float, *, same_class: bool = False) -> Match:
    """Return a one-to-one matching by the distance of centres; see `Criterion.match`.

    Args:
        found: the found objects.
        truth: the annotated objects.
        radius: the greatest distance of a pair in pixels, inclusive.
        same_class: pair only objects whose class names agree.

    Raises:
        ValueError: `radius` is not a positive number.
    """
    return Criterion(radius).match(found, truth, same_class=same_class)


def near_pairs(found_xy: NDArray[np.float64], truth_xy: NDArray[np.float64], radius: float) -> Match:
    """Return every pair within a radius, sorted by found, then annotated object; objects may repeat.

    Args:
        found_xy: (N, 2) centres of the found objects.
        truth_xy: (M, 2) centres of the annotated objects.
        radius: the greatest distance of a pair in pixels, inclusive.

    Raises:
        ValueError: `radius` is not a positive number.
    """
    if not (np.isfinite(radius) and radius > 0):
        raise ValueError(f"the match radius must be a positive number of pixels, got {radius}")
    n_found, n_truth = len(found_xy), len(truth_xy)
    if not (n_found and n_truth):
        return Match(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), n_found, n_truth)
    # the tree compares rounded squares: it searches a slightly larger radius, and the exact distance decides
    near = cKDTree(found_xy).sparse_distance_matrix(cKDTree(truth_xy), radius * (1 + 1e-9), output_type="ndarray")
    order = np.lexsort((near["j"], near["i"]))
    i, j = near["i"][order].astype(np.int64), near["j"][order].astype(np.int64)
    distance = np.hypot(*(found_xy[i] - truth_xy[j]).T)
    inside = distance <= radius
    return Match(i[inside], j[inside], distance[inside], n_found, n_truth)


def overlapping_pairs(found: Detections, truth: Detections, iou: float) -> Match:
    """Return every pair of boxes with at least an IoU, sorted by found, then annotated object; objects may repeat.

    A box of that IoU with another is at most 1 / IoU times as wide and high, which bounds the distance of centres.

    Args:
        found: the found boxes.
        truth: the annotated boxes.
        iou: the least IoU of a pair, inclusive.

    Raises:
        ValueError: the objects are points.
    """
    one, other = found.boxes_xyxy, truth.boxes_xyxy
    if not (len(one) and len(other)):
        return Match(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), len(found), len(truth))
    assert truth.wh is not None
    max_distance = float(np.hypot(*truth.wh.T).max()) * (1 + 1 / iou) / 2
    near = near_pairs(found.xy, truth.xy, max_distance)
    i, j = near.found_index, near.truth_index
    sides = np.maximum(np.minimum(one[i, 2:], other[j, 2:]) - np.maximum(one[i, :2], other[j, :2]), 0)
    shared = sides.prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    value = shared / (areas[0][i] + areas[1][j] - shared)
    enough = value >= iou
    return Match(i[enough], j[enough], 1 - value[enough], len(found), len(truth))


def _best_pairs(pairs: Match, radius: float) -> Match:
    """Choose the best one-to-one matching among pairs no farther apart than `radius`.

    Objects that no chain of pairs connects do not depend on each other, so that the time is in proportion to them: they
    are matched in parts of some `PART_PAIRS` pairs.
    """
    used, found = np.unique(pairs.found_index, return_inverse=True)
    wanted, truth = np.unique(pairs.truth_index, return_inverse=True)
    if not len(used):
        return pairs
    edges = coo_array((np.ones(len(found)), (found, len(used) + truth)), shape=(len(used) + len(wanted),) * 2)
    chain = connected_components(edges, directed=False)[1][found]
    part = (np.cumsum(np.bincount(chain)) // PART_PAIRS)[chain]
    order = np.argsort(part, kind="stable")
    starts = np.flatnonzero(np.diff(part[order])) + 1
    chosen = [
        each[_best_of(found[each], truth[each], pairs.distance[each], radius)] for each in np.split(order, starts)
    ]
    kept = np.sort(np.concatenate(chosen))
    return Match(pairs.found_index[kept], pairs.truth_index[kept], pairs.distance[kept], pairs.n_found, pairs.n_truth)


def _best_of(
    found_index: NDArray[np.int64], truth_index: NDArray[np.int64], distance: NDArray[np.float64], radius: float
) -> NDArray[np.intp]:
    """Return which of some pairs, sorted by found, then annotated object, are the best one-to-one matching.

    It is a full matching of the sparse graph (Jonker and Volgenant's algorithm) in which every found object may also be
    paired with a dummy of its own, at a cost above all distances together: as few dummies as possible are used. The 1
    added to every cost changes no order; scipy reads a zero as no edge.
    """
    used, found = np.unique(found_index, return_inverse=True)
    wanted, truth = np.unique(truth_index, return_inverse=True)
    rows = np.arange(len(used))
    dummy_cost = radius * (min(len(used), len(wanted)) + 1)
    cost = coo_array(
        (
            np.concatenate([distance, np.full(len(used), dummy_cost)]) + 1,
            (np.concatenate([found, rows]), np.concatenate([truth, len(wanted) + rows])),
        ),
        shape=(len(used), len(wanted) + len(used)),
    ).tocsr()
    row, col = min_weight_full_bipartite_matching(cost)
    real = col < len(wanted)
    key = found * len(wanted) + truth
    return np.searchsorted(key, row[real] * len(wanted) + col[real])

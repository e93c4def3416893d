"""Separation: which of many objects remain when each, from the strongest down, removes the later ones too near to it.

The result is that of the sequential greedy loop (non-maximum suppression), ties included. What may be in conflict is
found with k-d trees among neighbours, so that time grows with the objects and their neighbours, not with the square of
the objects; where most objects are neighbours, torchvision's loop over all is as good.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torchvision.ops import nms

from detect.labels.detections import Detections

FIRST_CHUNK, CHUNK_GROWTH = 1024, 4
"""Objects whose conflicts are looked for at once: the first time, and how many times as many then. The strongest remove
most of the others, which are not looked at again."""

FEW = 48
"""Objects up to which all pairs are compared: that costs less than a tree."""

MOST_PAIRS, PAIRS_PER_OBJECT = 1 << 21, 16
"""Most pairs of neighbours that are held at once: a number, or so many times the objects, unless a single one has more.
Trees are made again for each such part, so that the parts must not become more with the objects."""

CROWDED = 1 / 128
"""Share of all pairs of a class from which on neighbours are too many for trees: comparing all is faster then."""

NEAR = 1 + 1e-9
"""Factor on the reach of trees, which compare rounded numbers; the exact rule decides afterwards."""

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]
Conflict = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.bool_]]
"""Marks the pairs (stronger, weaker) of which the first removes the second."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where objects are, for the search of neighbours.

    Attributes:
        at: (N, D) coordinates.
        reach: (N,) of each object: two are neighbours where their distance is at most the larger reach of the two.
        exponent: of the distance (Minkowski's): 2, or infinity for the largest difference along an axis.
        ratio: least ratio of the reaches of two neighbours, in [0, 1]; 0 for any.
    """

    at: NDArray[np.float64]
    reach: NDArray[np.float64]
    exponent: float
    ratio: float


def separated_boxes(found: Detections, order: NDArray[np.intp], iou: float) -> NDArray[np.intp]:
    """Return the boxes that non-maximum suppression keeps, ascending: one removes later ones of its class.

    As torchvision's `nms`, class by class in float64. An IoU above t bounds both boxes: along each axis they share more
    than t of the longer side, so that the sides' ratio is more than t, and the centres are less than 1 - t of the
    longer side apart.

    Args:
        found: the boxes.
        order: their positions from the strongest down.
        iou: boxes that overlap by more are in conflict, in [0, 1].
    """
    assert found.wh is not None
    ranked = found[order]
    assert ranked.wh is not None
    boxes = ranked.boxes_xyxy
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    longest = ranked.wh.max(axis=1)

    def overlap(one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.bool_]:
        low = np.maximum(boxes[one, :2], boxes[other, :2])
        sides = np.maximum(np.minimum(boxes[one, 2:], boxes[other, 2:]) - low, 0)
        shared = sides[:, 0] * sides[:, 1]
        return np.asarray(shared / (area[one] + area[other] - shared) > iou)

    apart = ranked.label * (2 * longest.max(initial=0.0) + 1)
    places = Places(np.column_stack([ranked.xy, apart]), longest * (1 - iou) * NEAR, np.inf, iou / NEAR)
    if _crowded(places, ranked.label):
        return np.sort(order[_by_class(boxes, ranked.label, iou)])
    return np.sort(order[_remaining(places, overlap)])


def _crowded(places: Places, label: NDArray[np.int64]) -> bool:
    """Return whether the strongest have so many neighbours that all pairs of a class may as well be compared."""
    if len(label) <= FIRST_CHUNK:
        return False
    everyone = np.arange(len(label))
    alike = _alike(places, everyone, _trees(places, everyone), FIRST_CHUNK)
    near = sum(first.number_near(second, places.exponent) for first, second in alike)
    return bool(near > CROWDED * np.bincount(label)[label[:FIRST_CHUNK]].sum())


def _by_class(boxes: NDArray[np.float64], label: NDArray[np.int64], iou: float) -> NDArray[np.intp]:
    """Return the boxes, which stand from the strongest down, that torchvision's non-maximum suppression keeps."""
    strength = torch.arange(len(boxes), 0, -1, dtype=torch.float64)
    members = np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label))[:-1])
    return np.concatenate([each[nms(torch.from_numpy(boxes[each]), strength[each], iou).numpy()] for each in members])


def separated_points(found: Detections, order: NDArray[np.intp], radius: float) -> NDArray[np.intp]:
    """Return the points that remain, ascending, when each removes the later ones closer than `radius`.

    Args:
        found: the points.
        order: their positions from the strongest down.
        radius: in pixels.
    """
    if radius <= 0 or len(found) < 2:
        return np.arange(len(found))
    xy = found.xy[order]

    def closer(one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.bool_]:
        return np.asarray(np.hypot(*(xy[other] - xy[one]).T) < radius)

    return np.sort(order[_remaining(Places(xy, np.full(len(xy), radius * NEAR), 2, 1.0), closer)])


def _remaining(places: Places, conflict: Conflict) -> NDArray[np.intp]:
    """Return the positions that remain, ascending, of objects that stand from the strongest down."""
    kept: list[int] = []
    waiting = np.arange(len(places.at))
    size = FIRST_CHUNK
    while len(waiting):
        number, (one, other) = _neighbours(places, waiting, min(size, len(waiting)))
        one, other = waiting[one], waiting[other]
        real = conflict(one, other)
        gone = _chosen(waiting[:number], one[real], other[real], len(places.at))
        kept += waiting[:number][~gone[waiting[:number]]].tolist()
        later = waiting[number:]
        waiting = later[~gone[later]]
        size = CHUNK_GROWTH * number
    return np.array(kept, np.intp)


def _chosen(chunk: NDArray[np.intp], one: NDArray[np.intp], other: NDArray[np.intp], number: int) -> NDArray[np.bool_]:
    """Mark the objects, of `number`, that those of a chunk remove, one after the other; a removed one removes none."""
    by_first = np.argsort(one, kind="stable")
    other = other[by_first]
    starts = np.searchsorted(one[by_first], chunk)
    stops = np.searchsorted(one[by_first], chunk, side="right")
    gone = np.zeros(number, bool)
    for position, start, stop in zip(chunk.tolist(), starts.tolist(), stops.tolist(), strict=True):
        if start < stop and not gone[position]:
            gone[other[start:stop]] = True
    return gone


def _neighbours(places: Places, waiting: NDArray[np.intp], size: int) -> tuple[int, Pairs]:
    """Find the neighbours of the first `size` waiting objects, or of fewer where they are too many, among later ones.

    Returns:
        The number of objects whose neighbours were looked for, and the pairs (of positions in `waiting`).
    """
    if len(waiting) <= FEW:
        return len(waiting), _pairs_of_few(places, waiting)
    trees = _trees(places, waiting)
    most = max(MOST_PAIRS, PAIRS_PER_OBJECT * len(waiting))
    while True:
        alike = _alike(places, waiting, trees, size)
        if size == 1 or sum(first.number_near(second, places.exponent) for first, second in alike) <= most:
            break
        size = max(1, size // CHUNK_GROWTH)
    found = [first.pairs(second, places.exponent) for first, second in alike]
    one, other = (np.concatenate(parts) for parts in zip(*found, strict=True))
    later = one < other
    return size, (one[later], other[later])


def _pairs_of_few(places: Places, waiting: NDArray[np.intp]) -> Pairs:
    """Return the neighbours among a few objects, as positions in `waiting`, the stronger one first."""
    one, other = _all_pairs(len(waiting))
    apart = np.abs(places.at[waiting[other]] - places.at[waiting[one]])
    far = apart.max(axis=1, initial=0.0) if places.exponent == np.inf else np.sqrt(np.square(apart).sum(axis=1))
    near = far <= NEAR * places.reach[waiting].max(initial=0.0)
    return one[near], other[near]


@lru_cache(FEW + 1)
def _all_pairs(number: int) -> Pairs:
    """Return the pairs of so many objects, the stronger one first; nobody writes to them."""
    return np.triu_indices(number, 1)


def _trees(places: Places, waiting: NDArray[np.intp]) -> list["_Tree"]:
    """Return a tree for each power of two below the reaches: objects of alike reach are searched with one radius."""
    level = np.floor(np.log2(np.maximum(places.reach[waiting], np.finfo(np.float64).tiny)))
    return [_Tree(places, waiting, np.flatnonzero(level == each)) for each in np.unique(level)]


def _alike(
    places: Places, waiting: NDArray[np.intp], trees: Sequence["_Tree"], size: int
) -> list[tuple["_Tree", "_Tree"]]:
    """Return trees of the first `size` waiting objects, each with every tree whose members may be their neighbours."""
    begun = [tree.members[: np.searchsorted(tree.members, size)] for tree in trees]
    firsts = [_Tree(places, waiting, members) for members in begun if len(members)]
    return [(first, second) for first in firsts for second in trees if first.may_meet(second, places.ratio)]


class _Tree:
    """The k-d tree of some waiting objects.

    Attributes:
        members: their positions in `waiting`, ascending.
        reach: the largest of theirs.
    """

    def __init__(self, places: Places, waiting: NDArray[np.intp], members: NDArray[np.intp]) -> None:
        self.members = members
        self.reach = float(places.reach[waiting[members]].max(initial=0.0))
        self.tree = cKDTree(places.at[waiting[members]])

    def may_meet(self, other: "_Tree", ratio: float) -> bool:
        """Return whether a member of this tree and one of another, each within one level, may have alike reaches."""
        return 2 * min(self.reach, other.reach) >= ratio * max(self.reach, other.reach)

    def number_near(self, other: "_Tree", exponent: float) -> int:
        """Count the pairs of neighbours of this and of another tree."""
        return int(self.tree.count_neighbors(other.tree, self._radius(other), exponent))

    def pairs(self, other: "_Tree", exponent: float) -> Pairs:
        """Return the pairs of neighbours of this and of another tree, and a few that are farther apart."""
        near = self.tree.sparse_distance_matrix(other.tree, self._radius(other), exponent, output_type="ndarray")
        return self.members[near["i"]], other.members[near["j"]]

    def _radius(self, other: "_Tree") -> float:
        return NEAR * max(self.reach, other.reach)

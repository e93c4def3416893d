"""Sightings: detections of different images that show one object, on ground that several photographs show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


class TooManyPairsError(ValueError):
    """More sightings are within reach than can be compared."""


MOST_PAIRS = 20_000_000
"""Most pairs of sightings within reach: they take some 2 GB."""

NEIGHBOURS_AT_ONCE = 2_000_000
"""Neighbours, of the same image too, that are looked at together; of one sighting all are."""


@dataclass(frozen=True, eq=False)
class Sightings:
    """Detections of a survey, image by image, in the order of the images.

    Attributes:
        at: (N, 3) float64, places in metres, in whichever axes; a row that is not finite is of a place that is not
            known, and is no other's.
        image: (N,) int64, which image each is of.
        label: (N,) int64, its class.
        reach: (N,) float64, the distance in metres within which it and another one are one; of two the greater counts.
    """

    at: NDArray[np.float64]
    image: NDArray[np.int64]
    label: NDArray[np.int64]
    reach: NDArray[np.float64]


def objects_seen(sightings: Sightings) -> NDArray[np.int64]:
    """Return the number of the object of each sighting, from 0 by their first sightings.

    Two sightings are joined where they are of different images and within reach, those of one class before those of
    two, and the nearest first, as long as an object has one sighting of an image and all of them are within reach of
    each other: neighbours in one image stay two, and a row of near ones does not grow into one.

    Returns:
        (N,) the object of each sighting.

    Raises:
        TooManyPairsError: more than `MOST_PAIRS` are within reach: it is far greater than the objects' distances.
    """
    one, other = _near_pairs(sightings)
    parts = _Parts(sightings)
    for start in range(0, len(one), NEIGHBOURS_AT_ONCE):
        some = slice(start, start + NEIGHBOURS_AT_ONCE)
        for first, second in zip(one[some].tolist(), other[some].tolist(), strict=True):
            parts.join(first, second)
    roots = np.array([parts.root(i) for i in range(len(sightings.at))], np.int64)
    _, first_of, numbers = np.unique(roots, return_index=True, return_inverse=True)
    order = np.empty(len(first_of), np.int64)
    order[np.argsort(first_of, kind="stable")] = np.arange(len(first_of))
    return np.asarray(order[numbers.reshape(-1)], np.int64)


def _near_pairs(sightings: Sightings) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of different images that are within reach, in the order in which they are joined."""
    known = np.flatnonzero(np.isfinite(sightings.at).all(axis=1))
    if len(known) < 2:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    found, number = [np.empty((2, 0), np.intp)], 0
    for pairs in _pairs_of_images(sightings, known):
        found.append(pairs)
        number += pairs.shape[1]
        if number > MOST_PAIRS:
            raise TooManyPairsError(
                f"more than {MOST_PAIRS:,} pairs of objects in different images are within overlap_radius_m, of up to "
                f"{sightings.reach.max():.3g} m; set a smaller one, or overlap=keep"
            )
    one, other = np.concatenate(found, axis=1)
    distance = np.linalg.norm(sightings.at[one] - sightings.at[other], axis=1)
    order = np.lexsort((other, one, distance, sightings.label[one] != sightings.label[other]))
    return one[order], other[order]


def _pairs_of_images(sightings: Sightings, known: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield pairs (2, M) of different images within reach, the earlier sighting first; each by the one of more reach.

    One image of coarse pixels does not make all others look as far as it does.
    """
    at, image, reach = sightings.at[known], sightings.image[known], sightings.reach[known]
    tree = cKDTree(at)
    numbers = np.cumsum(tree.query_ball_point(at, reach, return_length=True))
    start = 0
    while start < len(at):
        before = numbers[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(numbers, before + NEIGHBOURS_AT_ONCE, side="right")))
        near = tree.query_ball_point(at[start:stop], reach[start:stop])
        one = np.repeat(np.arange(start, stop), [len(each) for each in near])
        other = np.concatenate([np.asarray(each, np.intp) for each in near])
        first = (reach[one] > reach[other]) | ((reach[one] == reach[other]) & (one < other))
        kept = first & (image[one] != image[other])
        yield known[np.sort(np.stack([one[kept], other[kept]]), axis=0)]
        start = stop


class _Parts:
    """Sightings that are joined so far; the first of each part stands for it."""

    def __init__(self, sightings: Sightings) -> None:
        self.at: Sequence[Sequence[float]] = sightings.at.tolist()
        self.image: Sequence[int] = sightings.image.tolist()
        self.reach: Sequence[float] = sightings.reach.tolist()
        self.parent = list(range(len(self.at)))
        self.members: dict[int, list[int]] = {}

    def root(self, place: int) -> int:
        """Return the sighting that stands for the part of one."""
        while self.parent[place] != place:
            self.parent[place] = self.parent[self.parent[place]]
            place = self.parent[place]
        return place

    def join(self, one: int, other: int) -> None:
        """Join the parts of two sightings, if the rules allow it."""
        first, second = sorted((self.root(one), self.root(other)))
        if first == second:
            return
        left, right = self.members.get(first, [first]), self.members.get(second, [second])
        if all(self._fit(i, j) for i in left for j in right):
            self.parent[second] = first
            self.members[first] = left + right
            self.members.pop(second, None)

    def _fit(self, one: int, other: int) -> bool:
        if self.image[one] == self.image[other]:
            return False
        away = sum((a - b) ** 2 for a, b in zip(self.at[one], self.at[other], strict=True)) ** 0.5
        return away <= max(self.reach[one], self.reach[other])

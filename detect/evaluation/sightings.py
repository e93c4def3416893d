"""Sightings: detections of different images that show one object, on ground that several photographs show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


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
    """
    one, other = _near_pairs(sightings)
    parts = _Parts(sightings)
    for first, second in zip(one.tolist(), other.tolist(), strict=True):
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
    pairs = cKDTree(sightings.at[known]).query_pairs(float(sightings.reach.max()), output_type="ndarray")
    one, other = known[pairs].T
    distance = np.linalg.norm(sightings.at[one] - sightings.at[other], axis=1)
    reach = np.maximum(sightings.reach[one], sightings.reach[other])
    fits = (sightings.image[one] != sightings.image[other]) & (distance <= reach)
    one, other, distance = one[fits], other[fits], distance[fits]
    order = np.lexsort((other, one, distance, sightings.label[one] != sightings.label[other]))
    return one[order], other[order]


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

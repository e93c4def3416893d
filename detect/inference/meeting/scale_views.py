"""Test-time augmentation by scale: an image looked at in several sizes, and what is found in them put together.

The map of every size is stitched exactly and decoded by itself, since maps of other strides on the ground have no cells
in common; objects are then matched one to one between the sizes, and their scores averaged: those of the network, of
which probabilities are made afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from detect.inference.decoding.geometry import LOG_ODDS_STEPS
from detect.inference.decoding.separation import separated_boxes, separated_points
from detect.labels.detections import Detections, concatenate

FLOOR = 0.02
"""Least score of what is matched, and the score of an object at a size at which nothing is found."""

NEAREST = 4
"""Objects found so far that are compared with a new one: the nearest."""

LEAST_OVERLAP = 0.3
"""Least IoU of two boxes that are one object seen at two sizes."""


@dataclass(frozen=True)
class ScaleViews:
    """The sizes of an image that are looked at beside its own.

    Attributes:
        factors: by which it is larger, none of them 1.
        reach: of two points that are one object seen at two sizes, in pixels at its own size.
        separation: as of the engine.
    """

    factors: tuple[float, ...]
    reach: float
    separation: float

    def floor(self, threshold: float) -> float:
        """Return the least score that is decoded where objects are wanted from a threshold on."""
        return min(FLOOR, threshold)

    def merged(self, views: Sequence[Detections], threshold: float, least: float | None = None) -> Detections:
        """Return the objects of all sizes, in pixels of the own one.

        A score is the mean over the sizes, with the floor where nothing is found, so that it changes with no jump where
        one falls below it. Places and sizes are weighed by what scores are above the floor, and the class is the one
        with most of that.

        Args:
            views: what is found at each size, from the floor on, all in pixels of the own one, which comes first.
            threshold: least mean score in [0, 1], which the floor is not above.
            least: mean score to keep instead, from the floor on.
        """
        floor = self.floor(threshold)
        found, members = views[0], [np.arange(len(views[0]))]
        for view in views[1:]:
            own = self._matched(found, view)
            new = np.flatnonzero(own < 0)
            own[new] = len(found) + np.arange(len(new))
            members.append(own)
            found = concatenate([found, view[new]])
        mean = self._averaged(found, views, members, floor)
        order = np.argsort(-np.round(mean.score * LOG_ODDS_STEPS), kind="stable")
        separated = separated_points if mean.wh is None else separated_boxes
        kept = mean[separated(mean, order, self.separation)]
        return kept[kept.score >= (threshold if least is None else least)]

    def _matched(self, found: Detections, view: Detections) -> NDArray[np.intp]:
        """Return for each object of a view the one found before that it is, -1 of a new one; no two have the same."""
        own = np.full(len(view), -1, np.intp)
        if not len(found) or not len(view):
            return own
        near = min(NEAREST, len(found))
        _, others = cKDTree(found.xy).query(view.xy, near)
        objects = np.repeat(np.arange(len(view)), near)
        others = np.asarray(others, np.intp).reshape(-1)
        apart, most = _distance(view[objects], found[others], self.reach)
        taken = np.zeros(len(found), np.bool_)
        for pair in np.argsort(apart, kind="stable"):
            if apart[pair] > most:
                break
            one, other = objects[pair], others[pair]
            if own[one] < 0 and not taken[other]:
                own[one], taken[other] = other, True
        return own

    def _averaged(
        self, found: Detections, views: Sequence[Detections], members: Sequence[NDArray[np.intp]], floor: float
    ) -> Detections:
        """Return the objects with their mean scores, places, sizes and classes."""
        every, own = concatenate(views), np.concatenate(members)
        above = np.maximum(every.score - floor, 0)
        weight = above + 1e-9
        total = np.bincount(own, weight, len(found))

        def mean_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
            sums = [np.bincount(own, weight * column, len(found)) for column in values.T]
            return np.stack(sums, axis=1) / total[:, None]

        votes = np.zeros((len(found), len(found.classes)))
        np.add.at(votes, (own, every.label), weight)
        score = np.minimum(floor + np.bincount(own, above, len(found)) / len(views), 1)
        wh = None if every.wh is None else mean_of(every.wh)
        return Detections(mean_of(every.xy), score, votes.argmax(axis=1), found.classes, wh)


def _distance(one: Detections, other: Detections, reach: float) -> tuple[NDArray[np.float64], float]:
    """Return how far pairs of objects are from being the same, and the most that they may be."""
    if one.wh is None or other.wh is None:
        return np.hypot(*(one.xy - other.xy).T), reach
    low = np.maximum(one.xy - one.wh / 2, other.xy - other.wh / 2)
    sides = np.maximum(np.minimum(one.xy + one.wh / 2, other.xy + other.wh / 2) - low, 0)
    shared = sides.prod(axis=1)
    return 1 - shared / (one.wh.prod(axis=1) + other.wh.prod(axis=1) - shared), 1 - LEAST_OVERLAP

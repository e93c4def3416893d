"""`ReviewObject`: an object of an image as a person and the page see it, and where it lies."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeGuard, get_args

import numpy as np

from detect.imagery.windows import Window
from detect.labels.detections import Detections

Status = Literal["found", "candidate", "accepted", "rejected", "relabelled", "moved", "added"]
"""What is known of an object: the run found it, or kept it as a candidate below the threshold, or a person said it."""

SURE = frozenset({"accepted", "relabelled", "moved", "added"})
"""Of an object with such a status a person said that it is there."""

DIGITS = 3
"""Decimals of coordinates, as in the tables of a run."""


@dataclass(frozen=True)
class ReviewObject:
    """An object: a point, or a box by its centre and size, in pixels of the image file.

    Attributes:
        id: `d:<x>:<y>:<label>` of what a run found, as its tables write it; `a:<number of the act>` of what was added.
        x: of the centre, to the right.
        y: of the centre, down.
        w: width; None for points.
        h: height; None for points.
        label: its class name.
        score: in [0, 1]; 1 for what a person added.
        status: what is known of it.
    """

    id: str
    x: float
    y: float
    w: float | None
    h: float | None
    label: str
    score: float
    status: Status

    @property
    def sure(self) -> bool:
        """Whether a person said that it is there."""
        return self.status in SURE

    def inside(self, window: Window, shape: tuple[int, int]) -> bool:
        """Return whether its centre is in a window of an image of `shape`; the image's far edges are in its last."""
        x = self.x if self.x < shape[1] else math.nextafter(shape[1], 0)
        if not window.col <= x < window.col_stop:
            return False
        y = self.y if self.y < shape[0] else math.nextafter(shape[0], 0)
        return window.row <= y < window.row_stop


def is_status(text: object) -> TypeGuard[Status]:
    """Return whether a text is a status."""
    return text in get_args(Status)


def rounded(value: float) -> float:
    """Return a coordinate to the decimals of the tables, 0 without a sign."""
    return round(float(value), DIGITS) + 0.0


def review_objects(found: Detections, status: Status) -> Iterator[ReviewObject]:
    """Yield detections as objects; of several at one place with one label, those behind the first have a number."""
    seen: dict[str, int] = {}
    for i, (x, y) in enumerate(found.xy.tolist()):
        label = found.classes[found.label[i]]
        name = f"d:{rounded(x):.{DIGITS}f}:{rounded(y):.{DIGITS}f}:{label}"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name = f"{name}:{seen[name]}"
        w, h = (None, None) if found.wh is None else found.wh[i].tolist()
        yield ReviewObject(name, rounded(x), rounded(y), w, h, label, float(found.score[i]), status)


def typical_size(found: Detections, label: str) -> tuple[float, float] | None:
    """Return the median width and height of the boxes of a class, or of all where it has none; None without boxes."""
    if found.wh is None or not len(found):
        return None
    own = np.array([name == label for name in found.names], bool)
    w, h = np.median(found.wh[own if own.any() else slice(None)], axis=0).tolist()
    return rounded(w), rounded(h)


def as_detections(objects: list[ReviewObject], classes: tuple[str, ...], boxes: bool) -> Detections:
    """Return objects as a person's labels: of score 1."""
    xy = np.array([[each.x, each.y] for each in objects], np.float64).reshape(-1, 2)
    wh = np.array([[each.w or math.nan, each.h or math.nan] for each in objects], np.float64).reshape(-1, 2)
    return Detections.truth(xy, [each.label for each in objects], classes, wh if boxes else None)

"""`corrections.csv`: what a person said is in the windows of images that they reviewed, a row an object.

Inside a reviewed window everything is labelled; outside of all of them nothing is known.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window
from detect.labels.annotations import AnnotationError
from detect.labels.detections import Detections, concatenate
from detect.labels.reading.reviewed_rows import HEADER, WINDOW, ReviewedRow, reviewed_rows, window_words
from detect.labels.sheets import number_text, read_sheet, sheet_text, writable
from detect.labels.window_cover import covered


@dataclass(frozen=True, eq=False)
class ReviewedWindow:
    """A window of an image in which a person has named every object.

    Attributes:
        image: the image's name.
        window: in pixels of the image file.
        objects: what is in it, score 1; an empty table states that nothing is.

    Raises:
        ValueError: an object's centre is not in the window; its far edges count, which may be those of the image.
    """

    image: str
    window: Window
    objects: Detections

    def __post_init__(self) -> None:
        outside = np.flatnonzero(~_reaches(self.window, self.objects.xy))
        if len(outside):
            x, y = self.objects.xy[outside[0]].tolist()
            raise ValueError(
                f"{self.image}: an object at x {number_text(x)}, y {number_text(y)} is not in its window, "
                f"{window_words(self.window)}"
            )

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """The window as x1, y1, x2, y2."""
        return self.window.col, self.window.row, self.window.col_stop, self.window.row_stop


@dataclass(frozen=True, eq=False)
class Corrections:
    """The windows that a person has reviewed, in the order in which they did.

    Where two overlap, the later one says what is there: the objects of the earlier one that are in it are left out, so
    that every object is there once.

    Attributes:
        windows: the reviewed windows.
        classes: the class names, the same for every window.

    Raises:
        ValueError: a window of other classes, or points in one and boxes in another.
    """

    windows: tuple[ReviewedWindow, ...]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if any(each.objects.classes != self.classes for each in self.windows):
            raise ValueError(f"all reviewed windows must be of the classes {list(self.classes)}")
        if len({each.objects.wh is None for each in self.windows if len(each.objects)}) > 1:
            raise ValueError("some reviewed windows have points and others boxes; keep them in two files")
        object.__setattr__(self, "windows", tuple(_without_repeats(self.windows)))

    @property
    def boxes(self) -> bool:
        """Whether the objects are boxes; else points."""
        return any(each.objects.wh is not None for each in self.windows if len(each.objects))

    @property
    def images(self) -> tuple[str, ...]:
        """The names of the images of which something was reviewed, in order of their first window."""
        return tuple(dict.fromkeys(each.image for each in self.windows))

    def of(self, image: str) -> tuple[ReviewedWindow, ...]:
        """Return the reviewed windows of an image."""
        return self._of_images.get(image, ())

    @cached_property
    def _of_images(self) -> dict[str, tuple[ReviewedWindow, ...]]:
        return {name: tuple(self.windows[place] for place in places) for name, places in _places(self.windows).items()}

    @cached_property
    def _corners(self) -> dict[str, NDArray[np.int64]]:
        """The windows (N, 4) of each image as x1, y1, x2, y2."""
        return {name: np.array([each.corners for each in windows]) for name, windows in self._of_images.items()}

    def objects(self, image: str) -> Detections:
        """Return all objects in the reviewed windows of an image."""
        found = [each.objects for each in self.of(image) if len(each.objects)]
        return concatenate(found) if found else Detections.empty(self.classes, boxes=self.boxes)

    def covers(self, image: str, window: Window) -> bool:
        """Return whether reviewed windows of an image together cover a window whole."""
        if image not in self._of_images:
            return False
        corners = window.col, window.row, window.col_stop, window.row_stop
        near = np.flatnonzero(_meeting(self._corners[image], corners)).tolist()
        return covered([self._of_images[image][place].window for place in near], window)

    def objects_in(self, image: str, window: Window) -> Detections:
        """Return the objects in the reviewed part of a window of an image; edges are half-open.

        Points on the image's far edges must have been moved into it (`clamp_far_edges`), to be in a window.
        """
        found = self.objects(image)
        return found[window.contains_xy(found.xy)]


def _reaches(window: Window, xy: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Mark the points (N, 2) in a window with its far edges."""
    low, high = (window.col, window.row), (window.col_stop, window.row_stop)
    return np.asarray(((xy >= low) & (xy <= high)).all(axis=1))


def _places(windows: Sequence[ReviewedWindow]) -> dict[str, list[int]]:
    """Return the positions of the windows of each image."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(windows):
        places[each.image].append(place)
    return places


def _meeting(corners: NDArray[np.int64], one: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Mark the windows (N, 4) that share a pixel or an edge with one, all as x1, y1, x2, y2."""
    x1, y1, x2, y2 = corners.reshape(-1, 4).T
    rows = np.maximum(y1, one[1]) <= np.minimum(y2, one[3])
    return np.asarray(rows & (np.maximum(x1, one[0]) <= np.minimum(x2, one[2])))


def _without_repeats(windows: Sequence[ReviewedWindow]) -> Iterator[ReviewedWindow]:
    """Yield the windows without the objects that a later one speaks of, and without those of the same bounds as it."""
    kept: dict[int, ReviewedWindow] = {}
    for places in _places(windows).values():
        corners = np.array([windows[place].corners for place in places])
        last = {windows[place].window: place for place in places}
        for at, place in reversed(list(enumerate(places))):
            each = windows[place]
            if last[each.window] == place:
                near = at + 1 + np.flatnonzero(_meeting(corners[at + 1 :], each.corners))
                later = [kept[places[other]] for other in near.tolist() if places[other] in kept]
                kept[place] = _without(each, later)
    yield from (kept[place] for place in sorted(kept))


def _without(each: ReviewedWindow, later: Sequence[ReviewedWindow]) -> ReviewedWindow:
    """Return a window without the objects that later ones speak of.

    Those are the objects in them, half-open, and on their far edges those that they have themselves.
    """
    new = np.ones(len(each.objects), bool)
    for other in later:
        places = set(map(tuple, other.objects.xy.tolist()))
        new &= ~other.window.contains_xy(each.objects.xy)
        new &= np.array([place not in places for place in map(tuple, each.objects.xy.tolist())], bool)
    return each if new.all() else replace(each, objects=each.objects[new])


def corrections_bytes(corrections: Corrections) -> bytes:
    """Return corrections as CSV, with all digits of every number.

    Raises:
        ValueError: an image or class name cannot be written.
    """
    return sheet_text((*HEADER, *WINDOW), _rows(corrections)).encode("utf-8")


def _rows(corrections: Corrections) -> Iterator[list[str]]:
    """Yield a row for each object, and for each window without any."""
    for each in corrections.windows:
        name = writable(each.image, "image name")
        window = [str(value) for value in (each.window.row, each.window.col, each.window.height, each.window.width)]
        found = each.objects
        if not len(found):
            yield [name, *[""] * (len(HEADER) - 1), *window]
        sizes = [["", ""]] * len(found) if found.wh is None else [list(map(number_text, size)) for size in found.wh]
        for (x, y), size, label in zip(found.xy, sizes, found.names, strict=True):
            yield [name, number_text(x), number_text(y), *size, writable(label, "label"), *window]


def read_corrections(path: Path, classes: Sequence[str] | None = None) -> Corrections:
    """Read `corrections.csv`.

    Args:
        path: the file.
        classes: the class list and its order; None for the sorted labels in use.

    Raises:
        AnnotationError: as of `reviewed_rows`, or a label is not in `classes`; the message names the file and line.
    """
    by_window: dict[tuple[str, Window], list[ReviewedRow]] = {}
    for row in reviewed_rows(read_sheet(path)):
        rows = by_window.setdefault((row.image, row.window), [])
        if row.xy is None:
            continue
        if classes is not None and row.label not in classes:
            raise AnnotationError(f"{row.place}: label must be one of {list(classes)}, got {row.label!r}")
        rows.append(row)
    every = [row for rows in by_window.values() for row in rows]
    chosen = tuple(sorted({row.label for row in every})) if classes is None else tuple(classes)
    boxes = any(row.wh is not None for row in every)
    windows = (
        ReviewedWindow(image, window, _objects(rows, chosen, boxes)) for (image, window), rows in by_window.items()
    )
    return Corrections(tuple(windows), chosen)


def _objects(rows: Sequence[ReviewedRow], classes: Sequence[str], boxes: bool) -> Detections:
    """Return the objects of the rows of a window."""
    xy = np.array([row.xy for row in rows], np.float64).reshape(-1, 2)
    wh = np.array([row.wh for row in rows], np.float64).reshape(-1, 2) if boxes else None
    return Detections.truth(xy, [row.label for row in rows], classes, wh)

"""`SurveyWindows`: the scenes of a run cut into windows, each of which a person can review at a glance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window, clamp_far_edges
from detect.labels.detections import Detections

MOST_WINDOWS = 1_000_000
"""Most windows of a survey: some hundred bytes each are held of them, and no person reviews a thousandth."""


@dataclass(frozen=True, eq=False)
class SurveyWindows:
    """Windows that together cover every pixel of some scenes once, by scene, row and column; see `survey_windows`.

    Attributes:
        images: the scenes' names, in order.
        shapes: (height, width) of each scene in file pixels.
        grids: (rows, columns) of windows of each scene.
        image: (N,) int64, the scene of each window, a position in `images`.
        bounds: (N, 4) int64, row, column, height and width of each window in file pixels.
    """

    images: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    grids: tuple[tuple[int, int], ...]
    image: NDArray[np.int64]
    bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bounds)

    def window(self, position: int) -> Window:
        """Return the window at a position."""
        return Window(*self.bounds[position].tolist())

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """(N,) area of each window in pixels."""
        return self.bounds[:, 2] * self.bounds[:, 3]

    @cached_property
    def _first(self) -> NDArray[np.int64]:
        """The position of each scene's first window."""
        return np.concatenate([[0], np.cumsum([rows * cols for rows, cols in self.grids])[:-1]]).astype(np.int64)

    def of_image(self, name: str) -> NDArray[np.bool_]:
        """Mark the windows (N,) of a scene."""
        return self.image == self._place(name)

    def find(self, name: str, xy: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the window of each point of a scene, a position; each point is in exactly one.

        Windows are half-open; points on the scene's right and lower edge belong to the last.

        Args:
            name: the scene's.
            xy: (M, 2) points in file pixels.

        Raises:
            ValueError: no such scene, or a point that is not in it.
        """
        place = self._place(name)
        height, width = self.shapes[place]
        outside = ((xy < 0) | (xy > (width, height))).any(axis=1)
        if outside.any():
            x, y = xy[np.flatnonzero(outside)[0]].tolist()
            raise ValueError(f"{name}: a point at x {x}, y {y} is outside of the image of {width} x {height} pixels")
        rows, cols = self.grids[place]
        at = clamp_far_edges(xy, (height, width))
        row = np.searchsorted(_edges(height, rows), at[:, 1], side="right") - 1
        col = np.searchsorted(_edges(width, cols), at[:, 0], side="right") - 1
        return (self._first[place] + row * cols + col).astype(np.int64)

    def sums(self, found: Mapping[str, Detections], classes: Sequence[str]) -> NDArray[np.int64]:
        """Count the objects of each class whose centre is in each window.

        Args:
            found: the objects of scenes, by name; a scene that is not named has none.
            classes: the class names, which hold every name in use.

        Returns:
            (N, K) int64.

        Raises:
            ValueError: no such scene or class, or an object that is not in its scene.
        """
        counts = np.zeros((len(self), len(classes)), np.int64)
        for name, objects in found.items():
            np.add.at(counts, (self.find(name, objects.xy), objects.with_classes(classes).label), 1)
        return counts

    def weights(self, candidates: Mapping[str, Detections], floor: float) -> NDArray[np.float64]:
        """Return the expected number of objects in each window: the sum of its candidates' scores.

        Args:
            candidates: what may be an object, of scenes by name, with scores in [0, 1].
            floor: the least score that counts.

        Returns:
            (N,) float64.

        Raises:
            ValueError: no such scene, or an object that is not in its scene.
        """
        expected = np.zeros(len(self))
        for name, objects in candidates.items():
            score = np.where(objects.score >= floor, objects.score, 0.0)
            expected += np.bincount(self.find(name, objects.xy), score, minlength=len(self))
        return expected

    def neighbour_sums(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Add up, for each window, the values (N,) of the windows above, below, left and right of it in its scene."""
        sums = np.zeros(len(self))
        for first, (rows, cols) in zip(self._first.tolist(), self.grids, strict=True):
            framed = np.pad(values[first : first + rows * cols].reshape(rows, cols), 1)
            around = framed[:-2, 1:-1] + framed[2:, 1:-1] + framed[1:-1, :-2] + framed[1:-1, 2:]
            sums[first : first + rows * cols] = around.ravel()
        return sums

    def _place(self, name: str) -> int:
        """Return a scene's position."""
        try:
            return self._places[name]
        except KeyError:
            raise ValueError(f"{name} is not an image of the survey, which has {len(self.images)}") from None

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.images)}


def survey_windows(shapes: Mapping[str, tuple[int, int]], side: int) -> SurveyWindows:
    """Cut scenes into windows of about `side`, as equal as whole pixels allow.

    A scene of height h has round(h / side) rows, one at least, so that rows are 3/4 to 3/2 of `side` high (a scene
    lower than that is one row), and two rows of a scene differ by one pixel at most; columns likewise.

    Args:
        shapes: (height, width) of each scene in file pixels, by name.
        side: of a window, in file pixels.

    Raises:
        ValueError: no scenes, a scene without pixels, a side of less than 1, or more than `MOST_WINDOWS` windows.
    """
    if side < 1:
        raise ValueError(f"the side of a survey's windows must be 1 pixel or more, got {side}")
    if not shapes:
        raise ValueError("a survey needs an image at least, got none")
    number = sum(_parts(height, side) * _parts(width, side) for height, width in shapes.values())
    if number > MOST_WINDOWS:
        wider = math.ceil(side * math.sqrt(number / MOST_WINDOWS))
        raise ValueError(
            f"side={side} makes {number:,} windows, and a survey has {MOST_WINDOWS:,} at most; give {wider} or more"
        )
    grids, places, bounds = [], [], []
    for place, (name, (height, width)) in enumerate(shapes.items()):
        if height < 1 or width < 1:
            raise ValueError(f"{name}: an image needs a height and width of 1 or more, got {height} x {width}")
        grid = (_parts(height, side), _parts(width, side))
        rows, cols = _edges(height, grid[0]), _edges(width, grid[1])
        corner = np.stack(np.meshgrid(rows[:-1], cols[:-1], indexing="ij"), axis=-1).reshape(-1, 2)
        size = np.stack(np.meshgrid(np.diff(rows), np.diff(cols), indexing="ij"), axis=-1).reshape(-1, 2)
        grids.append(grid)
        places.append(np.full(len(corner), place, np.int64))
        bounds.append(np.concatenate([corner, size], axis=1))
    return SurveyWindows(
        images=tuple(shapes),
        shapes=tuple((int(height), int(width)) for height, width in shapes.values()),
        grids=tuple(grids),
        image=np.concatenate(places),
        bounds=np.concatenate(bounds),
    )


def _parts(length: int, side: int) -> int:
    """Return into how many parts of about a side a length is cut."""
    return max(1, round(length / side))


def _edges(length: int, parts: int) -> NDArray[np.int64]:
    """Return the edges (parts + 1,) of parts of a length that differ by one pixel at most."""
    return np.arange(parts + 1, dtype=np.int64) * length // parts

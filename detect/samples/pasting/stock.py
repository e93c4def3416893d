"""The labelled objects of training scenes that can be cut out, and drawing one of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detect.imagery.windows import Window
from detect.samples.epochs import class_weights
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.pasting.cutouts import CutOut, cut_box, cut_object
from detect.samples.pasting.pieces import ObjectCutouts
from detect.samples.pixel_cache import PixelSource

LEAST = 4
"""Pixels that a box must be wide and high to be cut out."""


AROUND = 1.0
"""Rim, as a part of the half side, in which what a point stands for is told from its ground."""


DRAWS = 25
"""Objects drawn for one that can be cut out, before it is given up."""


class SceneCutouts:
    """Cuts out objects of `LEAST` pixels or more that stand free: in their scene, with nothing else beside them.

    What cannot be told from its ground comes with the ground in its box; where points are labelled it is not used, and
    nowhere where pixels of the scene are missing.

    Args:
        scenes: training scenes.
        source: where pixels come from.
        size: side in pixels that points are given; boxes have their own.
        feather: a part of the half side: nothing else lies so near, and a box gets a soft rim so wide.
        balance: 0 draws classes as often as they occur, 1 all equally often.

    Attributes:
        free: scene and number of the objects that stand free.
        pieces: which of them can be told from their ground.
    """

    def __init__(
        self, scenes: Sequence[LabelledScene], source: PixelSource, size: float, feather: float, balance: float
    ) -> None:
        self.scenes, self.source, self.size, self.feather = scenes, source, size, feather
        self._boxes = [boxes_of(s.objects.xy, s.objects.wh, size) for s in scenes]
        self.free = [(i, n) for i in range(len(scenes)) for n in self._standing_free(i)]
        label = np.array([scenes[i].objects.label[n] for i, n in self.free], int)
        members = {int(k): [self.free[i] for i in np.flatnonzero(label == k)] for k in np.unique(label)}
        self.pieces = ObjectCutouts(self._told_apart, members)
        weight = class_weights(label, balance)
        if any(s.objects.wh is None for s in scenes):
            rates = np.array([self.pieces.rates[k] for k in label.tolist()])
            weight = np.where(rates > 0, weight / np.maximum(rates, 1e-9), 0)
        self._weight = weight / weight.sum() if weight.sum() else None

    def draw(self, rng: Generator, side: float) -> tuple[CutOut, int] | None:
        """Draw an object of at most so many pixels, rim and all; give it with its label, None after `DRAWS` in vain."""
        for _ in range(DRAWS if self._weight is not None else 0):
            scene, number = self.free[int(rng.choice(len(self.free), p=self._weight))]
            x1, y1, x2, y2 = self._boxes[scene][number]
            label = int(self.scenes[scene].objects.label[number])
            rim = self.feather if self.scenes[scene].objects.wh is not None else 0.0
            if max(x2 - x1, y2 - y1) * (1 + rim) <= side:
                piece = self.pieces((scene, number), label) or self._boxed(scene, number)
                if piece is not None:
                    return piece, label
        return None

    def _standing_free(self, scene: int) -> list[int]:
        labelled, boxes = self.scenes[scene], self._boxes[scene]
        found = []
        for i in range(len(boxes)):
            near = _window(boxes[i], self.feather)
            inside = near.inside(labelled.scene.shape) and (boxes[i, 2:] - boxes[i, :2]).min() >= LEAST
            if (
                inside
                and count_overlaps(near, boxes) == 1
                and not count_overlaps(self._window(scene, i), labelled.ignored)
            ):
                found.append(i)
        return found

    def _window(self, scene: int, number: int) -> Window:
        """Give the window of an object and what is around it, as far as the scene reaches."""
        points = self.scenes[scene].objects.wh is None
        whole = _window(self._boxes[scene][number], max(AROUND, self.feather) if points else self.feather)
        height, width = self.scenes[scene].scene.shape
        row, col = max(whole.row, 0), max(whole.col, 0)
        return Window(row, col, min(whole.row_stop, height) - row, min(whole.col_stop, width) - col)

    def _told_apart(self, key: tuple[int, int]) -> CutOut | None:
        """Cut an object out of its ground; what lies nearer to another object or a look-alike is not of it."""
        if (read := self._read(*key)) is None:
            return None
        pixels, xy, wh, corner = read
        labelled, number = self.scenes[key[0]], key[1]
        if labelled.objects.wh is not None:
            return cut_object(pixels, xy, wh, feather=self.feather)
        places = np.concatenate([labelled.objects.xy, labelled.negatives])
        away = abs(places - labelled.objects.xy[number]).max(axis=1)
        cut = cut_object(pixels, xy, wh, others=places[(away > 0) & (away < 2 * self.size)] - corner)
        return None if cut is None else cut.cropped()

    def _boxed(self, scene: int, number: int) -> CutOut | None:
        """Cut out a box with its ground; None where points are labelled."""
        if self.scenes[scene].objects.wh is None or (read := self._read(scene, number)) is None:
            return None
        pixels, xy, wh, _ = read
        return cut_box(pixels, xy, wh, self.feather)

    def _read(self, scene: int, number: int) -> tuple[NDArray[Any], ...] | None:
        """Give an object's window, its middle and sides in that, and the window's (x, y); None where pixels miss."""
        box, window, of = self._boxes[scene][number], self._window(scene, number), self.scenes[scene].scene
        pixels = self.source.read(of, window)
        if of.nodata is not None and (pixels == of.nodata).all(axis=0).any():
            return None
        corner = np.array([window.col, window.row])
        return pixels, (box[:2] + box[2:]) / 2 - corner, box[2:] - box[:2], corner


def boxes_of(xy: NDArray[np.float64], wh: NDArray[np.float64] | None, size: float) -> NDArray[np.float64]:
    """Give (N, 4) boxes x1, y1, x2, y2; points become squares."""
    half = np.full((len(xy), 2), size / 2) if wh is None else wh / 2
    return np.concatenate([xy - half, xy + half], axis=1)


def count_overlaps(window: Window, boxes: NDArray[np.float64]) -> int:
    """Count the boxes that a window overlaps."""
    x1, y1, x2, y2 = boxes.T
    hit = (x1 < window.col_stop) & (window.col < x2) & (y1 < window.row_stop) & (window.row < y2)
    return int(hit.sum())


def _window(box: NDArray[np.float64], rim: float) -> Window:
    """Give the window of whole pixels around a box and its rim, a part of its half sides and at least a pixel."""
    beyond = np.maximum((box[2:] - box[:2]) / 2 * rim, 1)
    left, top = np.floor(box[:2] - beyond).astype(int).tolist()
    right, bottom = np.ceil(box[2:] + beyond).astype(int).tolist()
    return Window(top, left, bottom - top, right - left)

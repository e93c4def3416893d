"""Cut-outs of the labelled objects of training scenes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detect.imagery.windows import Window
from detect.samples.epochs import FEW_OBJECTS, class_weights
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.pasting.cutouts import CutOut, cut_box
from detect.samples.pasting.grabcut import cut_object
from detect.samples.pasting.object_cutouts import ObjectCutouts
from detect.samples.pixel_cache import PixelSource

MIN_BOX_SIDE = 4
"""Least width and height in pixels of a box that is cut out."""


POINT_RIM = 1.0
"""Rim around a point's square, relative to half its side, that shows the ground to cut the object out of."""


MAX_DRAWS = 25
"""Objects drawn to find one that can be cut out, at most."""


class SceneCutouts:
    """Cuts out isolated objects of `MIN_BOX_SIDE` pixels or more, wholly in their scene, with no other beside them.

    A box that cannot be separated from its ground is cut out with the ground in it; such a point is not used, nor is
    any object with a pixel in its window that is not valid.

    Args:
        scenes: training scenes.
        source: reads their pixels.
        size: side in pixels of the square that stands for a point; boxes have their own size.
        feather: width, relative to half the side, of the rim without other objects, and of a box's soft rim.
        balance: 0 draws classes as often as they occur, 1 all equally often.

    Attributes:
        isolated: scene and number of the isolated objects.
        object_cutouts: cuts them out of their ground.
        few: the classes of fewer than `FEW_OBJECTS` labelled objects, by their numbers, of which some can be drawn.
    """

    def __init__(
        self, scenes: Sequence[LabelledScene], source: PixelSource, size: float, feather: float, balance: float
    ) -> None:
        self.scenes, self.source, self.size, self.feather = scenes, source, size, feather
        self._boxes = [boxes_of(s.objects.xy, s.objects.wh, size) for s in scenes]
        self.isolated = [(i, n) for i in range(len(scenes)) for n in self._isolated_in(i)]
        label = np.array([scenes[i].objects.label[n] for i, n in self.isolated], int)
        members = {int(k): [self.isolated[i] for i in np.flatnonzero(label == k)] for k in np.unique(label)}
        self.object_cutouts = ObjectCutouts(self._cut_out, members)
        self._weight = self._share(label, class_weights(label, balance))
        labelled = np.bincount(np.concatenate([s.objects.label for s in scenes]))[label]
        rare = np.where(labelled < FEW_OBJECTS, class_weights(label, 1.0), 0.0)
        self._rare = self._share(label, rare)
        self.few = [] if self._rare is None else np.unique(label[self._rare > 0]).tolist()

    def draw(self, rng: Generator, side: float, *, rare: bool = False) -> tuple[CutOut, int] | None:
        """Draw a cut-out with its label.

        Args:
            rng: the generator.
            side: greatest side in pixels, with the rim.
            rare: whether it is of a class of few objects, where one of those can be drawn.

        Returns:
            None if none of `MAX_DRAWS` objects is small enough and can be cut out.
        """
        share = self._rare if rare and self._rare is not None else self._weight
        for _ in range(MAX_DRAWS if share is not None else 0):
            scene, number = self.isolated[int(rng.choice(len(self.isolated), p=share))]
            x1, y1, x2, y2 = self._boxes[scene][number]
            label = int(self.scenes[scene].objects.label[number])
            rim = self.feather if self.scenes[scene].objects.wh is not None else 0.0
            if max(x2 - x1, y2 - y1) * (1 + rim) <= side:
                cutout = self.object_cutouts((scene, number), label) or self._cut_box(scene, number)
                if cutout is not None:
                    return cutout, label
        return None

    def _share(self, label: NDArray[np.integer], weight: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return how often each isolated object is drawn; more of a class of points of which fewer can be cut out.

        Args:
            label: (N,) class numbers.
            weight: (N,) as often as its cut-out is wanted.
        """
        if any(labelled.objects.wh is None for labelled in self.scenes):
            rates = np.array([self.object_cutouts.rates[k] for k in label.tolist()])
            weight = np.where(rates > 0, weight / np.maximum(rates, 1e-9), 0)
        return weight / weight.sum() if weight.sum() else None

    def _isolated_in(self, scene: int) -> list[int]:
        """Return the numbers of a scene's isolated objects."""
        labelled, boxes = self.scenes[scene], self._boxes[scene]
        found = []
        for i in range(len(boxes)):
            rim = _window(boxes[i], self.feather)
            inside = rim.inside(labelled.scene.shape) and (boxes[i, 2:] - boxes[i, :2]).min() >= MIN_BOX_SIDE
            if (
                inside
                and count_overlaps(rim, boxes) == 1
                and not count_overlaps(self._window(scene, i), labelled.ignored)
            ):
                found.append(i)
        return found

    def _window(self, scene: int, number: int) -> Window:
        """Return the window of an object and its rim, clipped to the scene."""
        points = self.scenes[scene].objects.wh is None
        whole = _window(self._boxes[scene][number], max(POINT_RIM, self.feather) if points else self.feather)
        height, width = self.scenes[scene].scene.shape
        row, col = max(whole.row, 0), max(whole.col, 0)
        return Window(row, col, min(whole.row_stop, height) - row, min(whole.col_stop, width) - col)

    def _cut_out(self, key: tuple[int, int]) -> CutOut | None:
        """Return an object cut out of its ground, without pixels nearer to another object or a hard negative."""
        if (read := self._read(*key)) is None:
            return None
        pixels, xy, wh, corner = read
        labelled, number = self.scenes[key[0]], key[1]
        if labelled.objects.wh is not None:
            return cut_object(pixels, xy, wh, feather=self.feather)
        centres = np.concatenate([labelled.objects.xy, labelled.negatives])
        distance = abs(centres - labelled.objects.xy[number]).max(axis=1)
        cut = cut_object(pixels, xy, wh, others=centres[(distance > 0) & (distance < 2 * self.size)] - corner)
        return None if cut is None else cut.cropped()

    def _cut_box(self, scene: int, number: int) -> CutOut | None:
        """Return a box cut out with its ground; None for points."""
        if self.scenes[scene].objects.wh is None or (read := self._read(scene, number)) is None:
            return None
        pixels, xy, wh, _ = read
        return cut_box(pixels, xy, wh, self.feather)

    def _read(self, scene: int, number: int) -> tuple[NDArray[Any], ...] | None:
        """Return an object's pixels, its centre and sides in them, and their (x, y); None if some are not valid."""
        box, window, of = self._boxes[scene][number], self._window(scene, number), self.scenes[scene].scene
        pixels, valid = self.source.read_valid(of, window)
        if not valid.all():
            return None
        corner = np.array([window.col, window.row])
        return pixels, (box[:2] + box[2:]) / 2 - corner, box[2:] - box[:2], corner


def boxes_of(xy: NDArray[np.float64], wh: NDArray[np.float64] | None, size: float) -> NDArray[np.float64]:
    """Return (N, 4) boxes x1, y1, x2, y2; points become squares of side `size`."""
    half = np.full((len(xy), 2), size / 2) if wh is None else wh / 2
    return np.concatenate([xy - half, xy + half], axis=1)


def count_overlaps(window: Window, boxes: NDArray[np.float64]) -> int:
    """Return the number of boxes (N, 4) that a window overlaps."""
    x1, y1, x2, y2 = boxes.T
    overlapping = (x1 < window.col_stop) & (window.col < x2) & (y1 < window.row_stop) & (window.row < y2)
    return int(overlapping.sum())


def _window(box: NDArray[np.float64], rim: float) -> Window:
    """Return the window of whole pixels around a box and its rim, relative to half its sides and at least a pixel."""
    margin = np.maximum((box[2:] - box[:2]) / 2 * rim, 1)
    left, top = np.floor(box[:2] - margin).astype(int).tolist()
    right, bottom = np.ceil(box[2:] + margin).astype(int).tolist()
    return Window(top, left, bottom - top, right - left)

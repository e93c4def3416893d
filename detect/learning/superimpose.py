"""Superimposition: labelled objects, and patches of empty ground, cut out softly and laid onto other ground."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from detect.imagery import Window
from detect.learning.cutouts import CutOut, cut_box, cut_ground, cut_object
from detect.learning.pieces import Pieces
from detect.learning.pixels import PixelSource
from detect.learning.splits import LabelledScene
from detect.learning.targets import Objects

TRIES = 25
"""Places looked at for a cut-out, before it is given up."""

LEAST = 4
"""Pixels that a box must be wide and high to be cut out."""

AROUND = 1.0
"""Rim, as a part of the half side, in which what a point stands for is told from its ground."""

SCALE, GAIN = (0.8, 1.25), (0.85, 1.15)
"""Least and greatest size and brightness of a pasted object, as factors."""

SALT = 0x5EED
"""Keeps the draws apart from those of other augmentation with the same seed."""


@dataclass(frozen=True)
class Pasting:
    """How often and how many cut-outs are laid onto a crop.

    Attributes:
        p: share of the crops.
        number: least and most.
        feather: width of the soft rim, as a part of the half side of what is within it.
        side: for empty ground: least and greatest side, as parts of the crop's.
    """

    p: float
    number: tuple[int, int]
    feather: float
    side: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"augment.superimpose.p and augment.background.p must be in [0, 1], got {self.p}")
        if not 1 <= self.number[0] <= self.number[1]:
            raise ValueError(
                "augment.superimpose.objects and augment.background.patches must be the least, 1 or more, and the "
                f"most, got {list(self.number)}"
            )
        if not 0 < self.feather <= 2:
            raise ValueError(
                f"augment.superimpose.feather and augment.background.feather must be in (0, 2], got {self.feather}"
            )
        if not 0 <= self.side[0] <= self.side[1] <= 1:
            raise ValueError(
                f"augment.background.side must be the least and the greatest, in [0, 1], got {list(self.side)}"
            )


class Collage:
    """Lays empty ground, then labelled objects, of the training scenes onto crops (Dwibedi et al. 2017).

    An object of `LEAST` pixels or more is cut out where it stands free: wholly in its scene, with no other object and
    nothing ignored beside it. What cannot be told from its ground is laid with the ground in its box, and not at all
    where points are labelled. It is mirrored, turned by quarters, resized by `SCALE` and, in photographs (uint8, 1
    or 3 bands), brightened by `GAIN`. Nothing is laid over an object, an ignored region, or pixels that are not of the
    image, nor where it would not show; what finds no room in `TRIES` places is left out.

    Args:
        scenes: training scenes.
        source: where pixels come from.
        objects: how objects are pasted.
        ground: how empty ground is pasted.
        size: side in pixels that points are given; boxes have their own.
        balance: 0 draws classes as often as they occur, 1 all equally often.

    Attributes:
        free: scene and number of the objects that stand free.
        pieces: which of them can be told from their ground.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        source: PixelSource,
        objects: Pasting,
        ground: Pasting,
        size: float,
        balance: float,
    ) -> None:
        self.scenes, self.source = scenes, source
        self.objects, self.ground, self.size = objects, ground, size
        self._boxes = [_boxes(s.objects.xy, s.objects.wh, size) for s in scenes]
        self.free = [(i, n) for i in range(len(scenes)) for n in self._standing_free(i)] if objects.p else []
        if self.free:
            label = np.array([scenes[i].objects.label[n] for i, n in self.free])
            weight = np.bincount(label)[label].astype(np.float64) ** -balance
            self._weight = weight / weight.sum()
            members = {int(k): [self.free[i] for i in np.flatnonzero(label == k)] for k in np.unique(label)}
            self.pieces = Pieces(self._told_apart, members)
        area = np.array([s.scene.shape[0] * s.scene.shape[1] for s in scenes], np.float64)
        self._area = area / area.sum()

    def __call__(
        self, pixels: NDArray[Any], objects: Objects, valid: NDArray[np.bool_], seed: int
    ) -> tuple[NDArray[Any], Objects]:
        """Lay cut-outs onto a crop.

        Args:
            pixels: (C, H, W).
            objects: in pixels of the crop.
            valid: (H, W), which pixels are of the image.
            seed: the same seed gives the same result.

        Returns:
            The pixels in their dtype, and the objects with the pasted ones at the end.
        """
        rng = default_rng((seed, SALT))
        if rng.random() < self.ground.p:
            for _ in range(rng.integers(self.ground.number[0], self.ground.number[1] + 1)):
                piece = self._empty(pixels.shape[-1], rng)
                place = None if piece is None else self._room(piece, pixels, objects, valid, rng)
                if piece is not None and place is not None:
                    pixels = piece.laid_on(pixels, place)
        if self.free and rng.random() < self.objects.p:
            for _ in range(rng.integers(self.objects.number[0], self.objects.number[1] + 1)):
                pixels, objects = self._with_object(pixels, objects, valid, rng)
        return pixels, objects

    def _with_object(
        self, pixels: NDArray[Any], objects: Objects, valid: NDArray[np.bool_], rng: Generator
    ) -> tuple[NDArray[Any], Objects]:
        scene, number = self.free[int(rng.choice(len(self.free), p=self._weight))]
        factor = float(np.exp(rng.uniform(*np.log(SCALE))))
        label = int(self.scenes[scene].objects.label[number])
        piece = self.pieces((scene, number), label) or self._boxed(scene, number)
        if piece is None:
            return pixels, objects
        piece = piece.turned(*rng.random(3) < 0.5).resized(factor)
        gain = float(rng.uniform(*GAIN)) if pixels.dtype == np.uint8 and len(pixels) in (1, 3) else 1.0
        place = self._room(piece, pixels, objects, valid, rng)
        if place is None:
            return pixels, objects
        added = replace(
            objects,
            xy=np.concatenate([objects.xy, [piece.xy + place[::-1]]]),
            wh=None if objects.wh is None else np.concatenate([objects.wh, [piece.wh]]),
            label=np.append(objects.label, label),
        )
        return piece.laid_on(pixels, place, gain), added

    def _standing_free(self, scene: int) -> list[int]:
        """List the objects of a scene that lie wholly in it, with their rims, and with nothing else beside them."""
        labelled, boxes = self.scenes[scene], self._boxes[scene]
        found = []
        for i in range(len(boxes)):
            near, window = _window(boxes[i], self.objects.feather), self._window(scene, i)
            inside = window.inside(labelled.scene.shape) and (boxes[i, 2:] - boxes[i, :2]).min() >= LEAST
            if inside and _touched(near, boxes) == 1 and not _touched(near, labelled.ignored):
                found.append(i)
        return found

    def _window(self, scene: int, number: int) -> Window:
        """Give the window in which an object is told from its ground."""
        points = self.scenes[scene].objects.wh is None
        return _window(self._boxes[scene][number], AROUND if points else self.objects.feather)

    def _told_apart(self, key: tuple[int, int]) -> CutOut | None:
        """Cut an object of a scene out of its ground."""
        scene, number = key
        pixels, xy, wh, corner = self._piece(scene, number)
        objects = self.scenes[scene].objects
        points = objects.wh is None
        away = abs(objects.xy - objects.xy[number]).max(axis=1)
        others = objects.xy[(away > 0) & (away < 2 * self.size)] - corner if points else ()
        cut = cut_object(pixels, xy, wh, boxed=not points, others=others)
        return cut.cropped() if cut is not None and points else cut

    def _boxed(self, scene: int, number: int) -> CutOut | None:
        """Cut out a box with its ground; None where points are labelled."""
        if self.scenes[scene].objects.wh is None:
            return None
        pixels, xy, wh, _ = self._piece(scene, number)
        return cut_box(pixels, xy, wh, self.objects.feather)

    def _piece(self, scene: int, number: int) -> tuple[NDArray[Any], ...]:
        """Read the window of an object; give its pixels, the object's middle and sides in them, and their corner."""
        box, window = self._boxes[scene][number], self._window(scene, number)
        corner = np.array([window.col, window.row])
        pixels = self.source.read(self.scenes[scene].scene, window)
        return pixels, (box[:2] + box[2:]) / 2 - corner, box[2:] - box[:2], corner

    def _empty(self, crop: int, rng: Generator) -> CutOut | None:
        """Draw a square of ground without objects or ignored regions; None where none is found."""
        side = max(2, round(rng.uniform(*self.ground.side) * crop))
        for _ in range(TRIES):
            scene = int(rng.choice(len(self.scenes), p=self._area))
            labelled = self.scenes[scene]
            height, width = labelled.scene.shape
            if min(height, width) < side:
                continue
            row, col = rng.integers((height - side + 1, width - side + 1)).tolist()
            window = Window(row, col, side, side)
            if _touched(window, self._boxes[scene]) or _touched(window, labelled.ignored):
                continue
            pixels = self.source.read(labelled.scene, window)
            if labelled.scene.nodata is not None and (pixels == labelled.scene.nodata).all(axis=0).any():
                continue
            return cut_ground(pixels, self.ground.feather, rng).turned(*rng.random(3) < 0.5)
        return None

    def _room(
        self, piece: CutOut, pixels: NDArray[Any], objects: Objects, valid: NDArray[np.bool_], rng: Generator
    ) -> tuple[int, int] | None:
        """Draw (row, column) of a place where a piece lies in the crop, shows, and covers nothing that it may not."""
        most = [whole - part for whole, part in zip(valid.shape, piece.hw, strict=True)]
        if min(most) < 0:
            return None
        taken = np.concatenate([_boxes(objects.xy, objects.wh, self.size), objects.ignored])
        for row, col in rng.integers(0, np.array(most) + 1, size=(TRIES, 2)).tolist():
            window = Window(row, col, *piece.hw)
            whole = valid[row : window.row_stop, col : window.col_stop].all()
            if whole and not _touched(window, taken) and piece.shows_on(pixels, (row, col)):
                return row, col
        return None


def point_size(scenes: Sequence[LabelledScene], greatest: float) -> float:
    """Give the side of the square that a labelled point stands for: the median distance to the next point, limited."""
    near = [cKDTree(s.objects.xy).query(s.objects.xy, k=2)[0][:, 1] for s in scenes if len(s.objects) > 1]
    return max(LEAST, min(greatest, float(np.median(np.concatenate(near))))) if near else greatest


def _boxes(xy: NDArray[np.float64], wh: NDArray[np.float64] | None, size: float) -> NDArray[np.float64]:
    """Give (N, 4) boxes x1, y1, x2, y2; points become squares."""
    half = np.full((len(xy), 2), size / 2) if wh is None else wh / 2
    return np.concatenate([xy - half, xy + half], axis=1)


def _window(box: NDArray[np.float64], rim: float) -> Window:
    """Give the window of whole pixels around a box and its rim, a part of its half sides."""
    beyond = (box[2:] - box[:2]) / 2 * rim
    left, top = np.floor(box[:2] - beyond).astype(int).tolist()
    right, bottom = np.ceil(box[2:] + beyond).astype(int).tolist()
    return Window(top, left, bottom - top, right - left)


def _touched(window: Window, boxes: NDArray[np.float64]) -> int:
    """Count the boxes that a window overlaps."""
    x1, y1, x2, y2 = boxes.T
    hit = (x1 < window.col_stop) & (window.col < x2) & (y1 < window.row_stop) & (window.row < y2)
    return int(hit.sum())

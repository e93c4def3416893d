"""Superimposition: labelled objects, and patches of empty ground, cut out softly and laid onto other ground."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from detect.imagery.windows import Window
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.pasting.cutouts import CutOut, cut_ground
from detect.samples.pasting.paste_settings import GroundSettings, PasteSettings
from detect.samples.pasting.stock import LEAST, SceneCutouts, boxes_of, count_overlaps
from detect.samples.pixel_cache import PixelSource
from detect.samples.sizes import nearest_distances
from detect.samples.targets import Objects

TRIES = 25
"""Places looked at for a cut-out, before it is given up."""


SCALE, GAIN = (0.8, 1.25), (0.85, 1.15)
"""Least and greatest size and brightness of a pasted object, as factors."""


SALT = 0x5EED
"""Keeps the draws apart from those of other augmentation with the same seed."""


Boxes = NDArray[np.float64]


class PasteObjects:
    """Lays empty ground, then labelled objects, of the training scenes onto crops (Dwibedi et al. 2017).

    An object is mirrored, turned by quarters, resized by `SCALE` and, in photographs (uint8, 1 or 3 bands), brightened
    by `GAIN`. Nothing is laid over a pasted object, a labelled box, the square that a point is given, an ignored
    region, or pixels that are not of the image, nor where it would not show; what finds no room in `TRIES` places is
    left out.

    Args:
        scenes: training scenes.
        source: where pixels come from.
        objects: how objects are pasted.
        ground: how empty ground is pasted.
        size: side in pixels that points are given; boxes have their own.
        balance: 0 draws classes as often as they occur, 1 all equally often.

    Attributes:
        stock: the objects that can be cut out; None where none are asked for.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        source: PixelSource,
        objects: PasteSettings,
        ground: GroundSettings,
        size: float,
        balance: float,
    ) -> None:
        self.scenes, self.source = scenes, source
        self.objects, self.ground, self.size = objects, ground, size
        self.stock = SceneCutouts(scenes, source, size, objects.feather, balance) if objects.p else None
        self._boxes = [boxes_of(s.objects.xy, s.objects.wh, size) for s in scenes]
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
        taken = np.concatenate([boxes_of(objects.xy, objects.wh, self.size), objects.ignored])
        if rng.random() < self.ground.p:
            for _ in range(rng.integers(self.ground.number[0], self.ground.number[1] + 1)):
                piece = self._empty(pixels.shape[-1], rng)
                place = None if piece is None else _room(piece, pixels, taken, valid, rng)
                if piece is not None and place is not None:
                    pixels = piece.laid_on(pixels, place)
        if rng.random() < self.objects.p:
            for _ in range(rng.integers(self.objects.number[0], self.objects.number[1] + 1)):
                pixels, objects, taken = self._with_object(pixels, objects, taken, valid, rng)
        return pixels, objects

    def _with_object(
        self, pixels: NDArray[Any], objects: Objects, taken: Boxes, valid: NDArray[np.bool_], rng: Generator
    ) -> tuple[NDArray[Any], Objects, Boxes]:
        drawn = self.stock.draw(rng, min(valid.shape) / SCALE[0]) if self.stock is not None else None
        if drawn is None:
            return pixels, objects, taken
        factor = float(np.exp(rng.uniform(*np.log(SCALE))))
        piece, label = drawn[0].turned(*rng.random(3) < 0.5).resized(factor), drawn[1]
        gain = float(rng.uniform(*GAIN)) if pixels.dtype == np.uint8 and len(pixels) in (1, 3) else 1.0
        place = _room(piece, pixels, taken, valid, rng)
        if place is None:
            return pixels, objects, taken
        xy = piece.xy + place[::-1]
        added = replace(
            objects,
            xy=np.concatenate([objects.xy, [xy]]),
            wh=None if objects.wh is None else np.concatenate([objects.wh, [piece.wh]]),
            label=np.append(objects.label, label),
        )
        whole = np.array([place[::-1], np.add(place, piece.hw)[::-1]], np.float64).reshape(1, 4)
        own = boxes_of(xy[None], None if objects.wh is None else piece.wh[None], self.size)
        return piece.laid_on(pixels, place, gain), added, np.concatenate([taken, own, whole])

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
            if count_overlaps(window, self._boxes[scene]) or count_overlaps(window, labelled.ignored):
                continue
            pixels = self.source.read(labelled.scene, window)
            if labelled.scene.nodata is not None and (pixels == labelled.scene.nodata).all(axis=0).any():
                continue
            return cut_ground(pixels, self.ground.feather, rng).turned(*rng.random(3) < 0.5)
        return None


def point_size(scenes: Sequence[LabelledScene], greatest: float) -> float:
    """Give the side of the square that a labelled point stands for: the median distance to the next point, limited."""
    distance = nearest_distances(scenes)
    return max(LEAST, min(greatest, float(np.median(distance)))) if len(distance) else greatest


def _room(
    piece: CutOut, pixels: NDArray[Any], taken: Boxes, valid: NDArray[np.bool_], rng: Generator
) -> tuple[int, int] | None:
    """Draw (row, column) of a place where a piece lies in the crop, shows, and covers nothing that it may not."""
    most = [whole - part for whole, part in zip(valid.shape, piece.hw, strict=True)]
    if min(most) < 0:
        return None
    for row, col in rng.integers(0, np.array(most) + 1, size=(TRIES, 2)).tolist():
        window = Window(row, col, *piece.hw)
        whole = valid[row : window.row_stop, col : window.col_stop].all()
        if whole and not count_overlaps(window, taken) and piece.shows_on(pixels, (row, col)):
            return row, col
    return None

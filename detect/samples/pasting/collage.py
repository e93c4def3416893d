"""Superimposition: labelled objects and patches of empty ground, cut out with a soft rim and pasted onto crops."""

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
from detect.samples.pasting.stock import MIN_BOX_SIDE, SceneCutouts, boxes_of, count_overlaps
from detect.samples.pixel_cache import PixelSource
from detect.samples.sizes import nearest_distances
from detect.samples.targets import Objects
from detect.samples.values.coverage import area_weights

MAX_PLACES_TRIED = 25
"""Places tried for a cut-out, or to find empty ground, at most."""


SCALE, GAIN = (0.8, 1.25), (0.85, 1.15)
"""Least and greatest size and brightness of a pasted object, as factors."""


PASTE_SEED = 0x5EED
"""Makes the draws independent of other augmentation with the same seed."""


Boxes = NDArray[np.float64]


class PasteObjects:
    """Pastes empty ground, then labelled objects, of the training scenes onto crops (Dwibedi et al. 2017).

    An object is mirrored, turned by quarters, resized by `SCALE` and, in photographs (uint8, 1 or 3 bands), brightened
    by `GAIN`. Nothing is pasted over a pasted object, a labelled box, the square that stands for a point, an ignored
    region, or pixels outside the image, nor where it has too little contrast; a cut-out without such a place among
    `MAX_PLACES_TRIED` is left out.

    Args:
        scenes: training scenes.
        source: reads their pixels.
        objects: how objects are pasted.
        ground: how empty ground is pasted.
        size: side in pixels of the square that stands for a point; boxes have their own size.
        balance: 0 draws classes as often as they occur, 1 all equally often.
        context: pixels at each edge of a crop where nothing is learned: no cut-out has its middle there.

    Attributes:
        cutouts: cuts the objects out; None if no objects are pasted.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        source: PixelSource,
        objects: PasteSettings,
        ground: GroundSettings,
        size: float,
        balance: float,
        context: int = 0,
    ) -> None:
        self.scenes, self.source, self.context = scenes, source, context
        self.objects, self.ground, self.size = objects, ground, size
        self.cutouts = SceneCutouts(scenes, source, size, objects.feather, balance) if objects.p else None
        self._boxes = [boxes_of(s.objects.xy, s.objects.wh, size) for s in scenes]
        self._area = area_weights(scenes)

    def __call__(
        self, pixels: NDArray[Any], objects: Objects, valid: NDArray[np.bool_], seed: int
    ) -> tuple[NDArray[Any], Objects]:
        """Return a crop with cut-outs pasted onto it.

        Args:
            pixels: (C, H, W).
            objects: in pixels of the crop.
            valid: (H, W), which pixels belong to the image.
            seed: the same seed gives the same result.

        Returns:
            The pixels in their dtype, and the objects with the pasted ones at the end.
        """
        rng = default_rng((seed, PASTE_SEED))
        covered = np.concatenate([boxes_of(objects.xy, objects.wh, self.size), objects.ignored])
        if rng.random() < self.ground.p:
            for _ in range(rng.integers(self.ground.number[0], self.ground.number[1] + 1)):
                patch = self._draw_ground(pixels.shape[-1] - 2 * self.context, rng)
                place = None if patch is None else self._free_place(patch, pixels, covered, valid, rng)
                if patch is not None and place is not None:
                    pixels = patch.pasted_on(pixels, place)
        if rng.random() < self.objects.p:
            for _ in range(rng.integers(self.objects.number[0], self.objects.number[1] + 1)):
                pixels, objects, covered = self._with_object(pixels, objects, covered, valid, rng)
        return pixels, objects

    def _with_object(
        self, pixels: NDArray[Any], objects: Objects, covered: Boxes, valid: NDArray[np.bool_], rng: Generator
    ) -> tuple[NDArray[Any], Objects, Boxes]:
        """Return pixels, objects and covered boxes with a drawn object, if there is a place for it."""
        rare = self.objects.rare > 0 and bool(rng.random() < self.objects.rare)
        drawn = self.cutouts.draw(rng, min(valid.shape) / SCALE[0], rare=rare) if self.cutouts is not None else None
        if drawn is None:
            return pixels, objects, covered
        factor = float(np.exp(rng.uniform(*np.log(SCALE))))
        cutout, label = drawn[0].turned(*rng.random(3) < 0.5).resized(factor), drawn[1]
        gain = float(rng.uniform(*GAIN)) if pixels.dtype == np.uint8 and len(pixels) in (1, 3) else 1.0
        place = self._free_place(cutout, pixels, covered, valid, rng)
        if place is None:
            return pixels, objects, covered
        xy = cutout.xy + place[::-1]
        added = replace(
            objects,
            xy=np.concatenate([objects.xy, [xy]]),
            wh=None if objects.wh is None else np.concatenate([objects.wh, [cutout.wh]]),
            label=np.append(objects.label, label),
        )
        whole = np.array([place[::-1], np.add(place, cutout.hw)[::-1]], np.float64).reshape(1, 4)
        own = boxes_of(xy[None], None if objects.wh is None else cutout.wh[None], self.size)
        return cutout.pasted_on(pixels, place, gain), added, np.concatenate([covered, own, whole])

    def _draw_ground(self, crop: int, rng: Generator) -> CutOut | None:
        """Draw ground without objects or ignored regions for a crop of so many pixels a side; None if none is found."""
        side = max(2, round(rng.uniform(*self.ground.side) * crop))
        for _ in range(MAX_PLACES_TRIED):
            scene = int(rng.choice(len(self.scenes), p=self._area))
            labelled = self.scenes[scene]
            height, width = labelled.scene.shape
            if min(height, width) < side:
                continue
            row, col = rng.integers((height - side + 1, width - side + 1)).tolist()
            window = Window(row, col, side, side)
            if count_overlaps(window, self._boxes[scene]) or count_overlaps(window, labelled.ignored):
                continue
            pixels, valid = self.source.read_valid(labelled.scene, window)
            if not valid.all():
                continue
            return cut_ground(pixels, self.ground.feather, rng).turned(*rng.random(3) < 0.5)
        return None

    def _free_place(
        self, cutout: CutOut, pixels: NDArray[Any], covered: Boxes, valid: NDArray[np.bool_], rng: Generator
    ) -> tuple[int, int] | None:
        """Draw (row, column) of a place where a cut-out has contrast and overlaps nothing; None if none is found."""
        middle = cutout.xy[::-1]
        first = np.maximum(0, np.ceil(self.context - middle)).astype(int)
        ends = np.ceil(np.array(valid.shape) - self.context - middle).astype(int)
        stop = np.minimum(ends, np.subtract(valid.shape, cutout.hw) + 1)
        if (stop <= first).any():
            return None
        for row, col in rng.integers(first, stop, size=(MAX_PLACES_TRIED, 2)).tolist():
            window = Window(row, col, *cutout.hw)
            whole = valid[row : window.row_stop, col : window.col_stop].all()
            if whole and not count_overlaps(window, covered) and cutout.contrasts_with(pixels, (row, col)):
                return row, col
        return None


def point_size(scenes: Sequence[LabelledScene], greatest: float) -> float:
    """Return the side of the square that stands for a point: the median distance to the next point, limited.

    Args:
        scenes: the labelled scenes.
        greatest: greatest side in pixels; also the side if no scene has two points.
    """
    distance = nearest_distances(scenes)
    return max(MIN_BOX_SIDE, min(greatest, float(np.median(distance)))) if len(distance) else greatest

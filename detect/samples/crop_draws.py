"""Which crops of scenes an epoch shows: around objects, look-alikes and on empty ground."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator, default_rng

from detect.imagery.windows import Window
from detect.samples.epochs import CropDraw, class_weights
from detect.samples.hard_negatives import HardNegatives, Place
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.values.coverage import LEAST_VALID, area_weights

MAX_EMPTY_CROP_TRIES = 20
"""Crops drawn to find one without objects, after which the one with the fewest is taken."""

INNER_SHARE = 0.9
"""Share of a crop's side, around its middle, within which the object is that it was drawn for."""

MAX_VALIDATION_CROPS = 48
"""Greatest number of validation crops."""


@dataclass(frozen=True)
class Crop:
    """A square of a scene: the scene's position in the list, and the window."""

    scene: int
    window: Window


class CropSampler:
    """Draws the crops of an epoch; the same seed and epoch give the same crops.

    A crop is inside its scene if the scene is large enough; else the scene is in the middle of the crop. Around it lies
    the recipe's context, which may reach beyond the scene.

    Args:
        scenes: labelled scenes.
        recipe: the shares.
        seed: of the draws.

    Raises:
        ValueError: no objects at all.
    """

    def __init__(self, scenes: Sequence[LabelledScene], recipe: CropDraw, seed: int) -> None:
        self.scenes = scenes
        self.recipe = recipe
        self.seed = seed
        self._objects = [(i, *xy) for i, s in enumerate(scenes) for xy in s.objects.xy.tolist()]
        self.hard_negatives = HardNegatives(scenes)
        if not self._objects:
            raise ValueError("the training images hold no objects; label some, or check data.split")
        label = np.concatenate([s.objects.label for s in scenes])
        weight = class_weights(label, recipe.balance)
        self._weight = weight / weight.sum()
        self._area = np.cumsum(area_weights(scenes))

    def draw(self, epoch: int) -> list[Crop]:
        """Draw the crops of an epoch, from 0, shuffled."""
        rng = default_rng((self.seed, epoch))
        empty = round(self.recipe.samples * self.recipe.empty_fraction)
        negative = self.hard_negatives.limit(round(empty * self.recipe.negative_fraction))
        chosen = rng.choice(len(self._objects), size=self.recipe.samples - empty, p=self._weight)
        crops = [self._around(self._objects[i], rng) for i in chosen]
        crops += [self._around(place, rng) for place in self.hard_negatives.draw(negative, rng)]
        crops += [self._empty(rng) for _ in range(empty - negative)]
        return self._in_context([crops[i] for i in rng.permutation(len(crops))])

    def fixed(self) -> list[Crop]:
        """Return the validation crops: one around every object, and empty ground, `MAX_VALIDATION_CROPS` at most."""
        rng = default_rng((self.seed, 0))
        share = self.recipe.empty_fraction
        empty = min(round(MAX_VALIDATION_CROPS * share), round(len(self._objects) * share))
        order = rng.permutation(len(self._objects))[: MAX_VALIDATION_CROPS - empty]
        crops = [self._around(self._objects[i], rng) for i in order] + [self._empty(rng) for _ in range(empty)]
        return self._in_context(crops)

    def _in_context(self, crops: Sequence[Crop]) -> list[Crop]:
        """Return crops with the recipe's context around them."""
        return [replace(crop, window=crop.window.grown(self.recipe.context)) for crop in crops]

    def _around(self, place: Place, rng: Generator) -> Crop:
        """Draw a crop that holds a place within `INNER_SHARE` of its side."""
        scene, x, y = place
        dx, dy = rng.uniform(-INNER_SHARE / 2, INNER_SHARE / 2, size=2) * self.recipe.side
        return self._at(scene, x + dx, y + dy)

    def _empty(self, rng: Generator) -> Crop:
        """Draw a crop without an object's centre, or the one with the fewest of `MAX_EMPTY_CROP_TRIES`.

        Where pixels are not all valid, `LEAST_VALID` of the crop's are, if one of those crops has as many.
        """
        emptiest: tuple[tuple[bool, int], Crop] | None = None
        for _ in range(MAX_EMPTY_CROP_TRIES):
            scene = int(self._area.searchsorted(rng.random() * self._area[-1], side="right"))
            (height, width), coverage = self.scenes[scene].scene.shape, self.scenes[scene].coverage
            x, y = rng.uniform(0, width), rng.uniform(0, height)
            crop = self._at(scene, *((x, y) if coverage is None else coverage.place(x / width, y / height)))
            number = int(crop.window.contains_xy(self.scenes[scene].objects.xy).sum())
            bare = coverage is not None and coverage.share_of(crop.window) < LEAST_VALID
            if emptiest is None or (bare, number) < emptiest[0]:
                emptiest = (bare, number), crop
            if not (bare or number):
                break
        assert emptiest is not None
        return emptiest[1]

    def _at(self, scene: int, x: float, y: float) -> Crop:
        """Return the crop around a point, moved into its scene."""
        side = self.recipe.side
        row, col = (
            min(max(round(at - side / 2), 0), length - side) if length >= side else (length - side) // 2
            for at, length in zip((y, x), self.scenes[scene].scene.shape, strict=True)
        )
        return Crop(scene, Window(row, col, side, side))

"""Crops of scenes for a grid head: around objects and on empty ground, with their targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from detect.imagery.windows import Window, clamp_far_edges
from detect.samples.augment import Augment
from detect.samples.epochs import (
    SEED_STEP,
    CropDraw,
    Samples,
    balanced,
    check_objects,
    class_weights,
    objects_and_notes,
)
from detect.samples.hard_negatives import HardNegatives, Place
from detect.samples.labelled_scenes import LabelledScene, SceneSplit
from detect.samples.loading import PatchSet
from detect.samples.pasting.collage import PasteObjects
from detect.samples.pixel_cache import PixelSource
from detect.samples.sizes import nearest_distances
from detect.samples.targets import Objects, TargetEncoder

TRIES = 20
"""Crops drawn to find an empty one before any is taken."""


INNER = 0.9
"""Share of a crop's side within which the object that it was drawn for lies."""


FIXED = 48
"""Crops that validate, at most."""


@dataclass(frozen=True)
class Crop:
    """A square of a scene: the scene's position in the list, and the window."""

    scene: int
    window: Window


class CropSampler:
    """Draws the crops of an epoch; the same seed and epoch give the same crops.

    A crop lies inside its scene where that is large enough.

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
        area = np.array([s.scene.shape[0] * s.scene.shape[1] for s in scenes], np.float64)
        self._area = area / area.sum()

    def draw(self, epoch: int) -> list[Crop]:
        """Draw the crops of an epoch, shuffled."""
        rng = default_rng((self.seed, epoch))
        empty = round(self.recipe.samples * self.recipe.empty_fraction)
        negative = self.hard_negatives.most(round(empty * self.recipe.negative_fraction))
        chosen = rng.choice(len(self._objects), size=self.recipe.samples - empty, p=self._weight)
        crops = [self._around(self._objects[i], rng) for i in chosen]
        crops += [self._around(place, rng) for place in self.hard_negatives.draw(negative, rng)]
        crops += [self._empty(rng) for _ in range(empty - negative)]
        return [crops[i] for i in rng.permutation(len(crops))]

    def fixed(self) -> list[Crop]:
        """Give crops for validation: every object's neighbourhood once, as far as `FIXED` go, and empty ground."""
        rng = default_rng((self.seed, 0))
        empty = min(round(FIXED * self.recipe.empty_fraction), round(len(self._objects) * self.recipe.empty_fraction))
        order = rng.permutation(len(self._objects))[: FIXED - empty]
        return [self._around(self._objects[i], rng) for i in order] + [self._empty(rng) for _ in range(empty)]

    def _around(self, place: Place, rng: Generator) -> Crop:
        scene, x, y = place
        dx, dy = rng.uniform(-INNER / 2, INNER / 2, size=2) * self.recipe.side
        return self._at(scene, x + dx, y + dy)

    def _empty(self, rng: Generator) -> Crop:
        """Draw a crop without an object's centre, the emptiest of `TRIES` where all have some."""
        least: tuple[int, Crop] | None = None
        for _ in range(TRIES):
            scene = int(rng.choice(len(self.scenes), p=self._area))
            height, width = self.scenes[scene].scene.shape
            crop = self._at(scene, rng.uniform(0, width), rng.uniform(0, height))
            number = int(crop.window.contains_xy(self.scenes[scene].objects.xy).sum())
            if least is None or number < least[0]:
                least = number, crop
            if not number:
                break
        assert least is not None
        return least[1]

    def _at(self, scene: int, x: float, y: float) -> Crop:
        side = self.recipe.side
        row, col = (
            int(np.clip(round(at - side / 2), 0, length - side)) if length >= side else (length - side) // 2
            for at, length in zip((y, x), self.scenes[scene].scene.shape, strict=True)
        )
        return Crop(scene, Window(row, col, side, side))


class CropDataset(Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """Crops of scenes with their targets.

    Args:
        scenes: what the crops' scene numbers mean.
        crops: the crops.
        source: where pixels come from.
        encoder: makes the targets.
        augment: applied to every crop; None for validation.
        seed: with an item's place it decides its augmentation.
        paste: lays other objects and ground onto a crop before that; None for validation.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        crops: Sequence[Crop],
        source: PixelSource,
        encoder: TargetEncoder,
        augment: Augment | None = None,
        seed: int = 0,
        paste: PasteObjects | None = None,
    ) -> None:
        self.scenes = scenes
        self.crops = crops
        self.source = source
        self.encoder = encoder
        self.augment = augment
        self.seed = seed
        self.paste = paste

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Give (pixels (bands, side, side) in the image's dtype, targets)."""
        pixels, objects, valid = self.sample(index)
        return torch.from_numpy(np.ascontiguousarray(pixels)), self.encoder(objects, valid)

    def sample(self, index: int) -> tuple[NDArray[np.generic], Objects, NDArray[np.bool_]]:
        """Give the pixels of a crop, its objects, and which pixels are of the image."""
        crop = self.crops[index]
        labelled, window = self.scenes[crop.scene], crop.window
        pixels = self.source.read(labelled.scene, window)
        objects = objects_in_window(labelled, window)
        rows, cols = (np.arange(start, start + window.height) for start in (window.row, window.col))
        inside = [(at >= 0) & (at < n) for at, n in zip((rows, cols), labelled.scene.shape, strict=True)]
        valid = inside[0][:, None] & inside[1][None, :]
        if labelled.scene.nodata is not None:
            valid &= (pixels != labelled.scene.nodata).any(axis=0)
        if self.paste is not None:
            pixels, objects = self.paste(pixels, objects, valid, self.seed + index)
        if self.augment is not None:
            pixels, objects, valid = varied(pixels, objects, valid, self.augment, self.seed + index)
        return pixels, objects, valid


def objects_in_window(labelled: LabelledScene, window: Window) -> Objects:
    """Give the objects whose centre lies in a window or up to half its side away, in pixels of the window."""
    around = window.grown(window.width // 2)
    near = labelled.objects[around.contains_xy(labelled.objects.xy)]
    xy = clamp_far_edges(near.xy, labelled.scene.shape) - (window.col, window.row)
    ignored = labelled.ignored - np.array([window.col, window.row] * 2, np.float64)
    return Objects(xy, near.wh, near.label, ignored)


def varied(
    pixels: NDArray[np.generic], objects: Objects, valid: NDArray[np.bool_], augment: Augment, seed: int
) -> tuple[NDArray[np.generic], Objects, NDArray[np.bool_]]:
    """Vary a crop and move its objects along.

    A box is moved by the middles of its edges; its new sides are those of the ellipse that they span, so that quarter
    turns and mirrorings are exact and a turned round thing keeps its size. An ignored box becomes the box around its
    moved corners.
    """
    number, ignored = len(objects.xy), objects.ignored
    points = [objects.xy]
    if objects.wh is not None:
        half = objects.wh / 2
        points += [objects.xy + half * (1, 0), objects.xy + half * (0, 1)]
    corners = ignored[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    pixels, moved, valid = augment.vary(pixels, np.concatenate([*points, corners]), valid, seed)
    xy, wh = moved[:number], None
    if objects.wh is not None:
        right, down = moved[number : 2 * number] - xy, moved[2 * number : 3 * number] - xy
        wh = 2 * np.hypot(right, down)
    if len(ignored):
        four = moved[len(moved) - len(corners) :].reshape(-1, 4, 2)
        ignored = np.concatenate([four.min(axis=1), four.max(axis=1)], axis=1)
    return pixels, Objects(xy, wh, objects.label, ignored), valid


def crop_samples_of(
    split: SceneSplit,
    source: PixelSource,
    encoder: TargetEncoder,
    recipe: CropDraw,
    augment: Augment | None,
    seed: int,
    paste: PasteObjects | None = None,
) -> Samples:
    """Learn from crops of scenes, around objects and on empty ground; those that train may get pasted objects."""
    check_objects(split)
    sampler = CropSampler(split.train, recipe, seed)
    held = CropSampler(split.val, recipe, seed)

    def train(epoch: int) -> PatchSet:
        seeds = (seed + 1) * SEED_STEP + epoch * recipe.samples
        return CropDataset(split.train, sampler.draw(epoch), source, encoder, augment, seeds, paste)

    number, notes = objects_and_notes(split)
    note = _close_objects(split.train, encoder)
    drawn = balanced(list(number.values()), recipe.balance)
    val = CropDataset(split.val, held.fixed(), source, encoder)
    return Samples(train, val, number, notes + ((note,) if note else ()), drawn, sampler.hard_negatives)


def _close_objects(scenes: Sequence[LabelledScene], encoder: TargetEncoder) -> str | None:
    """Say how many objects lie so close to another that the head may take both for one."""
    total = sum(len(labelled.objects) for labelled in scenes)
    close = int((nearest_distances(scenes) < encoder.stride).sum())
    if not close:
        return None
    return (
        f"{close} of {total} training objects lie less than a cell ({encoder.stride} pixels) from another and may be "
        "taken for one with it; a smaller net.stride or a larger data.scale would tell them apart"
    )

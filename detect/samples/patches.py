"""Patches of scenes: objects with jitter, and backgrounds at a distance from them, cut out with their margin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor
from torch.utils.data import Dataset

from detect.imagery.windows import Window
from detect.labels.regions import inside_regions
from detect.samples.augment import Augment
from detect.samples.epochs import (
    SEED_STEP,
    PatchDraw,
    PatchGeometry,
    Samples,
    balanced,
    check_objects,
    class_weights,
    objects_and_notes,
)
from detect.samples.hard_negatives import HardNegatives
from detect.samples.labelled_scenes import LabelledScene, SceneSplit
from detect.samples.loading import PatchSet
from detect.samples.pixel_cache import PixelSource
from detect.samples.values.coverage import LEAST_VALID, area_weights

MAX_BACKGROUND_ROUNDS = 50
"""Rounds of drawing backgrounds, after which a crowded scene is an error."""


@dataclass(frozen=True)
class Sample:
    """A patch: the scene's position in the list, the centre in pixels of the scene, and the target output's number."""

    scene: int
    x: float
    y: float
    output: int


class Sampler:
    """Draws the patches of an epoch; the same seed and epoch give the same patches.

    Args:
        scenes: labelled scenes; output 0 is the background, output i + 1 class i.
        recipe: the shares.
        seed: of the draws.

    Raises:
        ValueError: no objects at all.
    """

    def __init__(self, scenes: Sequence[LabelledScene], recipe: PatchDraw, seed: int) -> None:
        self.scenes = scenes
        self.recipe = recipe
        self.seed = seed
        self.positives = [
            Sample(i, float(x), float(y), int(label) + 1)
            for i, labelled in enumerate(scenes)
            for (x, y), label in zip(labelled.objects.xy, labelled.objects.label, strict=True)
        ]
        self.hard_negatives = HardNegatives(scenes)
        if not self.positives:
            raise ValueError("the training images hold no objects; label some, or check data.split")
        self._trees = [cKDTree(s.objects.xy) if len(s.objects) else None for s in scenes]
        outputs = np.array([sample.output for sample in self.positives])
        weight = class_weights(outputs, recipe.balance)
        self._weight = weight / weight.sum()
        self._area = area_weights(scenes)

    def draw(self, epoch: int) -> list[Sample]:
        """Draw the patches of an epoch, from 0, shuffled."""
        rng = default_rng((self.seed, epoch))
        n_background = round(self.recipe.samples * self.recipe.background_fraction)
        samples = self._objects(self.recipe.samples - n_background, rng) + self._backgrounds(n_background, rng)
        return [samples[i] for i in rng.permutation(len(samples))]

    def fixed(self) -> list[Sample]:
        """Return the validation patches: every object once, without jitter, and backgrounds in the recipe's share."""
        rng = default_rng((self.seed, 0))
        share = self.recipe.background_fraction
        return self.positives + self._backgrounds(round(len(self.positives) * share / (1 - share)), rng)

    def _objects(self, number: int, rng: Generator) -> list[Sample]:
        """Draw objects by the weights of their classes, with jitter."""
        chosen = rng.choice(len(self.positives), size=number, p=self._weight)
        shifts = rng.uniform(-self.recipe.jitter, self.recipe.jitter, size=(number, 2))
        drawn = [self.positives[i] for i in chosen]
        return [
            Sample(sample.scene, sample.x + float(dx), sample.y + float(dy), sample.output)
            for sample, (dx, dy) in zip(drawn, shifts, strict=True)
        ]

    def _backgrounds(self, number: int, rng: Generator) -> list[Sample]:
        """Draw backgrounds: at hard negatives, near objects and anywhere, by the recipe's shares."""
        n_negative = self.hard_negatives.limit(round(number * self.recipe.negative_fraction))
        n_near = round((number - n_negative) * self.recipe.near_fraction)
        samples = [Sample(scene, x, y, 0) for scene, x, y in self.hard_negatives.draw(n_negative, rng)]
        samples += self._backgrounds_at(n_near, rng, near=True)
        return samples + self._backgrounds_at(number - len(samples), rng, near=False)

    def _backgrounds_at(self, number: int, rng: Generator, *, near: bool) -> list[Sample]:
        """Draw centres at least `exclusion` from every object: around objects, or evenly over the pixels.

        Raises:
            ValueError: too few such places; of those around objects the rest is drawn evenly instead.
        """
        samples: list[Sample] = []
        for _ in range(MAX_BACKGROUND_ROUNDS):
            missing = number - len(samples)
            if missing <= 0:
                break
            scenes, xy = self._centres_near(missing, rng) if near else self._centres_anywhere(missing, rng)
            samples += [
                Sample(int(i), float(centre[0]), float(centre[1]), 0)
                for i, centre in zip(scenes, xy, strict=True)
                if self._is_background(int(i), centre)
            ]
        if near and len(samples) < number:
            return samples + self._backgrounds_at(number - len(samples), rng, near=False)
        if len(samples) < number:
            raise ValueError(
                f"only {len(samples)} of {number} backgrounds are {self.recipe.exclusion:g} pixels from every object; "
                "the images are crowded: lower data.sampling.exclusion, or add an image with empty ground"
            )
        return samples

    def _centres_near(self, number: int, rng: Generator) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Draw the scenes (N,) and centres (N, 2) of patches in rings around objects."""
        objects = [self.positives[i] for i in rng.choice(len(self.positives), size=number)]
        scenes = np.array([sample.scene for sample in objects], np.intp)
        centres = np.array([(sample.x, sample.y) for sample in objects])
        return scenes, centres + _ring(self.recipe.exclusion, number, rng)

    def _centres_anywhere(self, number: int, rng: Generator) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Draw the scenes (N,) and centres (N, 2) of patches, evenly over the valid pixels of all scenes."""
        scenes = rng.choice(len(self.scenes), size=number, p=self._area)
        size = np.array([self.scenes[i].scene.shape[::-1] for i in scenes], np.float64)
        shares = rng.uniform(size=(number, 2))
        centres = shares * size
        for i, scene in enumerate(scenes.tolist()):
            coverage = self.scenes[scene].coverage
            if coverage is not None:
                centres[i] = coverage.place(*shares[i].tolist())
        return scenes, centres

    def _is_background(self, scene: int, xy: NDArray[np.float64]) -> bool:
        """Return whether a point is in a scene, outside its ignored regions, and `exclusion` from every object.

        Where pixels are not all valid, it must be on a valid one, with `LEAST_VALID` of those around it.
        """
        height, width = self.scenes[scene].scene.shape
        if not (0 <= xy[0] < width and 0 <= xy[1] < height):
            return False
        if inside_regions(xy[None], self.scenes[scene].ignored)[0]:
            return False
        coverage = self.scenes[scene].coverage
        if coverage is not None:
            reach = max(1, round(self.recipe.exclusion))
            around = Window(int(xy[1]) - reach, int(xy[0]) - reach, 2 * reach, 2 * reach)
            if not coverage.holds(xy[None])[0] or coverage.share_of(around) < LEAST_VALID:
                return False
        tree = self._trees[scene]
        return tree is None or tree.query(xy)[0] >= self.recipe.exclusion


def _ring(inner: float, number: int, rng: Generator) -> NDArray[np.float64]:
    """Draw shifts (N, 2) whose lengths are between `inner` and twice that."""
    angle = rng.uniform(0, 2 * np.pi, size=number)
    distance = rng.uniform(inner, 2 * inner, size=number)
    return np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)


class SampleDataset(Dataset[tuple[Tensor, int]]):
    """Patches of scenes with their margin.

    Args:
        scenes: the scenes that the samples number.
        samples: the patches.
        source: reads the pixels.
        side: patch_size + 2 * margin in pixels.
        augment: applied to every patch; None for validation and test.
        seed: the augmentation of a patch depends on it and on the patch's position.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        samples: Sequence[Sample],
        source: PixelSource,
        side: int,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        self.scenes = scenes
        self.samples = samples
        self.source = source
        self.side = side
        self.augment = augment
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return (pixels (bands, side, side) in the image's dtype, output)."""
        sample = self.samples[index]
        row, col = round(sample.y - self.side / 2), round(sample.x - self.side / 2)
        window = Window(row, col, self.side, self.side)
        pixels, valid = self.source.read_valid(self.scenes[sample.scene].scene, window)
        if self.augment is not None and not valid.all():
            varied, _, moved = self.augment.vary(pixels, np.empty((0, 2)), valid, self.seed + index, sample.scene)
            return torch.from_numpy(self.source.filled(varied, moved)), sample.output
        return augmented(pixels, self.augment, self.seed + index, sample.scene), sample.output


def augmented(pixels: NDArray[np.generic], augment: Augment | None, seed: int, image: int | None = None) -> Tensor:
    """Return the pixels (C, H, W) of a patch as a tensor of their dtype, augmented unless `augment` is None."""
    if augment is not None:
        pixels, _ = augment(pixels, np.empty((0, 2)), seed, image)
    return torch.from_numpy(np.ascontiguousarray(pixels))


def patch_samples_of(
    split: SceneSplit,
    source: PixelSource,
    patches: PatchGeometry,
    recipe: PatchDraw,
    augment: Augment | None,
    seed: int,
) -> Samples:
    """Make the samples of a patch classifier: patches around the objects of scenes, and backgrounds.

    Args:
        split: the scenes; every epoch is drawn from those that train.
        source: reads their pixels.
        patches: side and margin of the patches.
        recipe: the shares.
        augment: applied to training patches; None for none.
        seed: of the draws and the augmentation.

    Raises:
        ValueError: a side without objects.
    """
    check_objects(split)
    sampler = Sampler(split.train, recipe, seed)

    def train(epoch: int) -> PatchSet:
        seeds = (seed + 1) * SEED_STEP + epoch * recipe.samples
        return SampleDataset(split.train, sampler.draw(epoch), source, patches.side, augment, seeds)

    number, notes = objects_and_notes(split)
    drawn = balanced(list(number.values()), recipe.balance)
    empty = drawn.sum() * recipe.background_fraction / (1 - recipe.background_fraction)
    fixed = Sampler(split.val, recipe, seed).fixed() if split.val else []
    val = SampleDataset(split.val, fixed, source, patches.side)
    return Samples(train, val, number, notes, np.array([empty, *drawn]), sampler.hard_negatives)

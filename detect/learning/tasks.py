"""What a training run learns from scenes: the patches or crops of an epoch, and what validates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from detect.imagery.scenes import Scene
from detect.learning.augment import Augment
from detect.learning.crops import CropDataset, CropRecipe, CropSampler
from detect.learning.data import PatchSet
from detect.learning.datasets import SampleDataset
from detect.learning.mining import LookAlikes
from detect.learning.pixels import PixelSource
from detect.learning.sampling import Recipe, Sampler
from detect.learning.sizes import ObjectSizes
from detect.learning.splits import LabelledScene, SceneSplit
from detect.learning.superimpose import Collage
from detect.learning.targets import Encoder

SEED_STEP = 1_000_003
"""Augmentation seeds of a run lie this far from those of the run with the next seed."""


@dataclass(frozen=True, eq=False)
class Task:
    """A training run's material.

    Attributes:
        train: gives the patches of an epoch.
        val: the patches that validate.
        outputs: how many training patches or objects each output of the network has.
        notes: sentences for the log and the report.
        drawn: how many of each output of the network are drawn, relative to one another.
        look_alikes: of the sampler that draws the epochs; None for bare patches.
        warnings: the same, on what does not suit the objects.
        sizes: how large the training objects are; None for bare patches, and where points have no neighbours.
    """

    train: Callable[[int], PatchSet]
    val: PatchSet
    outputs: dict[str, int]
    notes: tuple[str, ...]
    drawn: NDArray[np.float64]
    look_alikes: LookAlikes | None = None
    warnings: tuple[str, ...] = ()
    sizes: ObjectSizes | None = None

    def told(self, sizes: ObjectSizes | None, note: str, warnings: tuple[str, ...]) -> "Task":
        """Add what there is to say on the objects' sizes."""
        return replace(self, notes=(*self.notes, note), warnings=(*self.warnings, *warnings), sizes=sizes)


@dataclass(frozen=True)
class PatchSettings:
    """The geometry of training patches, in pixels: their side and the margin of context around them."""

    patch_size: int
    margin: int

    @property
    def side(self) -> int:
        """Side in pixels of what the network sees."""
        return self.patch_size + 2 * self.margin


def image_kind(scenes: Sequence[Scene], bands: Sequence[int] | None) -> tuple[tuple[int, ...], str]:
    """Choose the bands (those asked for, else the first three, or one) and check that all images have one dtype.

    Raises:
        ValueError: images of several dtypes, or too few bands.
    """
    first = scenes[0]
    chosen = tuple(bands) if bands else ((1, 2, 3) if first.bands >= 3 else (1,))
    if min(chosen) < 1:
        raise ValueError(f"data.bands are numbered from 1, got {list(chosen)}")
    for scene in scenes:
        if scene.dtype != first.dtype:
            raise ValueError(
                f"{scene.path} has {scene.dtype} pixels, {first.path} {first.dtype}; convert them to one kind"
            )
        if scene.bands < max(chosen):
            raise ValueError(
                f"{scene.path} has {scene.bands} bands, band {max(chosen)} is needed; set data.bands or convert it"
            )
    return chosen, first.dtype


def measure_normalisation(patches: PatchSet, number: int = 256) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Measure mean and standard deviation of each band on the first `number` training patches.

    Raises:
        ValueError: the pixels are not finite.
    """
    sums, squares, seen = np.zeros(1), np.zeros(1), 0
    for i in range(min(number, len(patches))):  # type: ignore[arg-type]
        pixels = patches[i][0].double().flatten(1).numpy()
        if not np.isfinite(pixels).all():
            raise ValueError("the training images hold NaN or infinite pixels; fill them first")
        sums, squares, seen = sums + pixels.sum(axis=1), squares + (pixels**2).sum(axis=1), seen + pixels.shape[1]
    mean = sums / seen
    spread = np.sqrt(np.maximum(squares / seen - mean**2, 0))
    return tuple(mean.tolist()), tuple(np.maximum(spread, 1e-6).tolist())


def balanced(number: Sequence[int], balance: float) -> NDArray[np.float64]:
    """Give how often classes are drawn, as many in all as there are: `balance` 0 as they occur, 1 equally often."""
    held = np.array(number, np.float64)
    share = np.where(held > 0, np.maximum(held, 1) ** (1 - balance), 0)
    return share * held.sum() / max(share.sum(), 1)


def scene_task(
    split: SceneSplit, source: PixelSource, patches: PatchSettings, recipe: Recipe, augment: Augment | None, seed: int
) -> Task:
    """Learn from patches drawn around the objects of scenes and away from them."""
    _check_objects(split)
    sampler = Sampler(split.train, recipe, seed)
    held = Sampler(split.val, recipe, seed)

    def train(epoch: int) -> PatchSet:
        seeds = (seed + 1) * SEED_STEP + epoch * recipe.samples
        return SampleDataset(split.train, sampler.draw(epoch), source, patches.side, augment, seeds)

    number, notes = _objects_and_notes(split)
    drawn = balanced(list(number.values()), recipe.balance)
    empty = drawn.sum() * recipe.background_fraction / (1 - recipe.background_fraction)
    val = SampleDataset(split.val, held.fixed(), source, patches.side)
    return Task(train, val, number, notes, np.array([empty, *drawn]), sampler.look_alikes)


def grid_task(
    split: SceneSplit,
    source: PixelSource,
    encoder: Encoder,
    recipe: CropRecipe,
    augment: Augment | None,
    seed: int,
    collage: Collage | None = None,
) -> Task:
    """Learn from crops of scenes, around objects and on empty ground; those that train may get a collage."""
    _check_objects(split)
    sampler = CropSampler(split.train, recipe, seed)
    held = CropSampler(split.val, recipe, seed)

    def train(epoch: int) -> PatchSet:
        seeds = (seed + 1) * SEED_STEP + epoch * recipe.samples
        return CropDataset(split.train, sampler.draw(epoch), source, encoder, augment, seeds, collage)

    number, notes = _objects_and_notes(split)
    note = _close_objects(split.train, encoder)
    drawn = balanced(list(number.values()), recipe.balance)
    val = CropDataset(split.val, held.fixed(), source, encoder)
    return Task(train, val, number, notes + ((note,) if note else ()), drawn, sampler.look_alikes)


def _check_objects(split: SceneSplit) -> None:
    for side, scenes in (("training", split.train), ("validation", split.val)):
        if not any(len(labelled.objects) for labelled in scenes):
            raise ValueError(f"the {side} images hold no objects; choose them with data.val and data.test")


def _objects_and_notes(split: SceneSplit) -> tuple[dict[str, int], tuple[str, ...]]:
    """Count the training objects of each class, and say what a reader of the report should know."""
    classes = split.train[0].objects.classes
    number = {name: sum(s.objects.counts()[name] for s in split.train) for name in classes}
    unseen = [name for name, n in number.items() if not n]
    notes: tuple[str, ...] = (split.note,)
    if unseen:
        notes += (f"no training object of class {', '.join(unseen)}: the model cannot find them",)
    return number, notes


def _close_objects(scenes: Sequence[LabelledScene], encoder: Encoder) -> str | None:
    """Say how many objects lie so close to another that the head may take both for one."""
    close = total = 0
    for labelled in scenes:
        xy = labelled.objects.xy
        total += len(xy)
        if len(xy) > 1:
            close += int((cKDTree(xy).query(xy, k=2)[0][:, 1] < encoder.stride).sum())
    if not close:
        return None
    return (
        f"{close} of {total} training objects lie less than a cell ({encoder.stride} pixels) from another and may be "
        "taken for one with it; a smaller net.stride or a larger data.scale would tell them apart"
    )

"""What a training run learns: the patches of an epoch, what validates, and the model's card."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from sklearn.model_selection import train_test_split

from detect.imagery import Scene, open_scene
from detect.labels import PatchFolder
from detect.learning.augment import Augment
from detect.learning.crops import CropDataset, CropRecipe, CropSampler
from detect.learning.data import PatchSet
from detect.learning.datasets import FolderDataset, PatchFiles, SampleDataset
from detect.learning.mining import LookAlikes
from detect.learning.pixels import PixelSource
from detect.learning.sampling import Recipe, Sampler
from detect.learning.sizes import ObjectSizes
from detect.learning.splits import LabelledScene, SceneSplit
from detect.learning.superimpose import Collage
from detect.learning.targets import Encoder
from detect.learning.transplant import SAMPLE, Transplant
from detect.nets import ModelCard

logger = logging.getLogger(__name__)

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


def folder_card(folder: PatchFolder, negative_labels: Sequence[str], card: ModelCard) -> ModelCard:
    """Complete a card for a folder of patches: classes, background, bands, dtype and patch size.

    Raises:
        ValueError: a negative label that is no class folder, or patches that are not square.
    """
    unknown = sorted(set(negative_labels) - set(folder.classes))
    if unknown:
        raise ValueError(f"data.negative_labels names {unknown}; the folders are {list(folder.classes)}")
    first = card.resolution.seen(open_scene(folder.paths[0]))
    if first.shape[0] != first.shape[1]:
        raise ValueError(f"{first.path}: patches must be square, got {first.shape} (height, width)")
    bands, dtype = image_kind([first], card.bands or None)
    return replace(
        card,
        classes=tuple(name for name in folder.classes if name not in negative_labels),
        background=negative_labels[0] if negative_labels else None,
        bands=bands,
        dtype=dtype,
        backbone=replace(card.backbone, bands=len(bands)),
        patch_size=first.shape[0],
    )


def folder_outputs(folder: PatchFolder, card: ModelCard, negative_labels: Sequence[str] = ()) -> NDArray[np.int64]:
    """Give the network's output for every patch of a folder; all negative labels share the background's.

    Raises:
        ValueError: a class that the model does not know and that is no negative label.
    """
    first = 0 if card.background is None else 1
    background = set() if card.background is None else {card.background, *negative_labels}
    unknown = [name for name in folder.classes if name not in card.classes and name not in background]
    if unknown:
        raise ValueError(
            f"unknown classes {unknown}; the model knows {list(card.outputs)}; background goes to data.negative_labels"
        )
    places = [card.classes.index(name) + first if name in card.classes else 0 for name in folder.classes]
    return np.array(places, np.int64)[folder.label]


@dataclass(frozen=True)
class FolderRecipe:
    """How patches of a folder are used.

    Attributes:
        negative_labels: folders that are background.
        val_fraction: share that validates where there is no `val` folder.
        balance: 0 draws classes as they occur, 1 all equally often.
        superimpose: how often a patch's object, where it can be cut out, is laid onto an empty patch: one of the first
            negative label.
    """

    negative_labels: tuple[str, ...]
    val_fraction: float
    balance: float
    superimpose: float = 0.0


def folder_task(folder: PatchFolder, card: ModelCard, augment: Augment | None, recipe: FolderRecipe, seed: int) -> Task:
    """Learn from bare patches, a file each; without a `val` folder a stratified part of `train` validates.

    Where classes are of different size, patches are drawn with replacement, by `recipe.balance`; an epoch has as many
    as there are. Where they are of one size, each comes once.

    Raises:
        ValueError: nothing to train on, or an unknown class.
    """
    outputs = folder_outputs(folder, card, recipe.negative_labels)
    side = np.array([name or "train" for name in folder.split])
    train, val = np.flatnonzero(side == "train"), np.flatnonzero(side == "val")
    notes = ["validation patches from the folder's own val"]
    if not len(train):
        raise ValueError("the folder has no training patches")
    if not len(val):
        train, val = train_test_split(train, test_size=recipe.val_fraction, random_state=seed, stratify=outputs[train])
        notes = [f"{len(val)} validation patches drawn with seed {seed}; patches cut from one image are on both sides"]

    files = PatchFiles(card)
    transplant, told = _transplant(folder, files, train, outputs, recipe, seed)
    notes += told
    size = np.bincount(outputs[train], minlength=len(card.outputs))[outputs[train]].astype(np.float64)
    share = size**-recipe.balance / (size**-recipe.balance).sum()

    def patches(chosen: NDArray[np.intp]) -> tuple[list[Path], NDArray[np.int64], PatchFiles]:
        return [folder.paths[i] for i in chosen], outputs[chosen], files

    def epoch_patches(epoch: int) -> PatchSet:
        rng = np.random.default_rng((seed, epoch))
        even = len(set(size.tolist())) == 1
        order = rng.permutation(train) if even else rng.choice(train, size=len(train), p=share)
        return FolderDataset(*patches(order), augment, (seed + 1) * SEED_STEP + epoch * len(train), transplant)

    number = {name: int((outputs[train] == i).sum()) for i, name in enumerate(card.outputs)}
    drawn = balanced(list(number.values()), recipe.balance)
    return Task(epoch_patches, FolderDataset(*patches(val)), number, tuple(notes), drawn)


def _transplant(
    folder: PatchFolder,
    files: PatchFiles,
    train: NDArray[np.intp],
    outputs: NDArray[np.int64],
    recipe: FolderRecipe,
    seed: int,
) -> tuple[Transplant | None, list[str]]:
    """Make what lays objects onto empty patches, where that is asked for, and say what comes of it."""
    card, share = files.card, recipe.superimpose
    if not share:
        return None, []
    ground = [i for i in train if folder.classes[folder.label[i]] == card.background]
    if not ground:
        return None, ["augment.superimpose: there are no empty patches (data.negative_labels): not used here"]
    objects = {k: [folder.paths[i] for i in train if outputs[i] == k] for k in sorted(set(outputs[train])) if k}
    made = Transplant(share, card.patch_size, files.read, objects, [folder.paths[i] for i in ground], seed)
    rates = ", ".join(f"{rate:.0%} of {card.outputs[k]}" for k, rate in made.rates.items())
    return made, [f"superimposition: objects that can be cut out, of up to {SAMPLE} patches looked at: {rates}"]

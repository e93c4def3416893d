"""Whole images as samples: what a network is built from for them, its targets, and the samples of a training run."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from detect.imagery.description.arranging import arranged
from detect.imagery.description.remarks import tell
from detect.imagery.resolution import Resolution
from detect.labels.formats.patch_folder import PatchFolder
from detect.nets.heads.specs import WholeHead
from detect.nets.net_spec import BackboneSpec, NetSpec
from detect.samples.augment import Augment
from detect.samples.bare.folder_dataset import augmented
from detect.samples.bare.folder_spec import folder_outputs, looked_at
from detect.samples.bare.patch_files import PatchFiles
from detect.samples.epochs import SEED_STEP, Samples, balanced, class_weights
from detect.samples.labelled_scenes import drawing_alike, image_kind
from detect.samples.loading import PatchSet
from detect.samples.whole.patterns import PatternSettings, superposed, with_other_defects
from detect.samples.whole.whole_sides import Divided

PATTERN_SEED = 0x3A9
"""Makes the draws independent of other augmentation with the same seed."""

Targets = NDArray[np.int64] | NDArray[np.float32]
"""(N,) the output of each image, or (N, C) 1 for each class that it has, else 0."""


def whole_spec(
    folder: PatchFolder,
    head: WholeHead,
    backbone: Callable[[int], BackboneSpec],
    bands: Sequence[int | str] | None,
    negative_labels: Sequence[str],
) -> NetSpec:
    """Return the spec of a classifier of whole images, whatever their sizes.

    Args:
        folder: the images.
        head: side and labels.
        backbone: makes the backbone's spec for a number of bands.
        bands: band numbers from 1, or names; None takes those of a photograph, or the only one.
        negative_labels: classes of images without a pattern.

    Raises:
        ValueError: images of several dtypes, or bands that no image has.
    """
    scenes = looked_at(folder.paths)
    chosen, dtype = image_kind(scenes, bands)
    tell({str(scene.path): arranged(scene, chosen).remarks for scene in scenes})
    classes = tuple(name for name in folder.classes if name not in negative_labels)
    numbers, names = chosen.numbers, chosen.names
    drawing, made = drawing_alike(scenes), backbone(len(numbers))
    return NetSpec(head, made, classes, numbers, dtype, Resolution(), band_names=names, drawing=drawing)


def whole_targets(
    folder: PatchFolder, spec: NetSpec, negative_labels: Sequence[str], strange: Sequence[str] = ()
) -> Targets:
    """Return what the network is to say of every image.

    Args:
        folder: the images.
        spec: the network's outputs.
        negative_labels: classes of images without a pattern.
        strange: classes that the network does not know and need not: -1 of one pattern an image, nothing of many.

    Raises:
        ValueError: a class that is neither one of the model nor a negative label, or an image of several classes or of
            none, where the network tells one.
    """
    head = spec.head
    assert isinstance(head, WholeHead)
    if head.labels == "one":
        if folder.present is not None:
            row = int(np.flatnonzero(folder.present.sum(axis=1) != 1)[0])
            raise ValueError(
                f"{folder.names[row]} has {folder.present[row].sum()} labels, and net.labels=one is for one an image; "
                "set net.labels=many"
            )
        return folder_outputs(folder, spec, negative_labels, strange)
    unknown = [name for name in folder.classes if name not in (*spec.classes, *negative_labels, *strange)]
    if unknown:
        raise ValueError(f"unknown classes {unknown}; the model knows {list(spec.classes)}")
    present = np.eye(len(folder.classes), dtype=bool)[folder.label] if folder.present is None else folder.present
    columns = [folder.classes.index(name) if name in folder.classes else None for name in spec.classes]
    none = np.zeros(len(folder), bool)
    return np.stack([none if column is None else present[:, column] for column in columns], 1).astype(np.float32)


Target = np.int64 | NDArray[np.float32]
"""What the network is to say of one image."""


@dataclass(frozen=True, eq=False)
class WholePart:
    """What is particular to a sample of a whole image.

    Attributes:
        path: its file.
        target: of it, or of many patterns that of both images that are in it.
        seed: of what varies it.
        other: file of the image whose pattern is superposed, its quarter turns, and whether it is mirrored; or None.
        rng: draws what else varies its pattern; None where nothing does.
    """

    path: Path
    target: Target
    seed: int
    other: tuple[Path, int, bool] | None = None
    rng: np.random.Generator | None = None


class WholeDataset(Dataset[tuple[Tensor, int | Tensor]]):
    """Whole images.

    Args:
        paths: the files.
        targets: of each (`whole_targets`).
        files: reads them; shared, so that a file is read once.
        augment: applied to every image; None for validation and test.
        seed: the variation of an image depends on it and on the image's position.
        patterns: how patterns are varied; None for validation and test.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        targets: Targets,
        files: PatchFiles,
        augment: Augment | None = None,
        seed: int = 0,
        patterns: PatternSettings | None = None,
    ) -> None:
        self.paths = paths
        self.outputs = targets
        self.files = files
        self.augment = augment
        self.seed = seed
        self.patterns = patterns if patterns is not None and patterns.p else None
        many = targets.ndim > 1
        every = np.arange(len(targets))
        self._others = {} if many else {int(k): every[targets == k] for k in np.unique(targets)}

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int | Tensor]:
        """Return (pixels (bands, side, side) in the image's dtype, output or (C,) float32)."""
        return self.made(self.part(index))

    def part(self, index: int) -> WholePart:
        """Return an image's file and target, and what varies it: of patterns, which other one is superposed."""
        path, target, seed = self.paths[index], self.outputs[index], self.seed + index
        if self.patterns is None:
            return WholePart(path, target, seed)
        rng, superposed_by = np.random.default_rng((seed, PATTERN_SEED)), None
        if rng.random() < self.patterns.superpose:
            alike = self._others.get(int(target)) if self.outputs.ndim == 1 else None
            other = int(rng.integers(len(self.paths)) if alike is None else rng.choice(alike))
            superposed_by = self.paths[other], int(rng.integers(4)), bool(rng.random() < 0.5)
            target = np.maximum(target, self.outputs[other])
        return WholePart(path, target, seed, superposed_by, rng)

    def made(self, part: WholePart) -> tuple[Tensor, int | Tensor]:
        """Return the sample of a part, of any epoch."""
        target = torch.from_numpy(part.target) if self.outputs.ndim > 1 else int(part.target)
        return augmented(self._varied(part), self.augment, part.seed), target

    def preload(self) -> None:
        """Read the images, as many as are kept, for all processes to share."""
        self.files.preload(self.paths)

    def _varied(self, part: WholePart) -> NDArray[np.generic]:
        """Return an image with its pattern varied."""
        pixels = self.files.read(part.path)
        if part.other is not None:
            path, turns, mirrored = part.other
            turned = np.rot90(self.files.read(path), turns, (1, 2))
            pixels = superposed(pixels, turned[:, :, ::-1] if mirrored else turned)
        patterns = self.patterns
        if part.rng is not None and patterns is not None and (patterns.drop or patterns.add):
            pixels = with_other_defects(pixels, patterns, self.files.enlarged(part.path), deepcopy(part.rng))
        return pixels


def whole_samples_of(
    divided: Divided,
    targets: Targets,
    files: PatchFiles,
    augment: Augment | None,
    patterns: PatternSettings,
    balance: float,
    seed: int,
) -> Samples:
    """Make the samples of whole images.

    If classes differ in number, images are drawn with replacement by `balance`, as many an epoch as there are; of many
    labels, each image is drawn once.

    Args:
        divided: the images, each with a side.
        targets: of all images.
        files: reads them, for a network.
        augment: the chain of transforms; None for none.
        patterns: how patterns are varied.
        balance: 0 draws classes as they occur, 1 all equally often.
        seed: of the draws.
    """
    spec, train, val = files.spec, divided.rows("train"), divided.rows("val")
    many = targets.ndim > 1
    sizes = targets[train].sum(axis=0) if many else np.bincount(targets[train], minlength=len(spec.outputs))
    even = many or len(set(sizes[sizes > 0].tolist())) == 1 or balance == 0
    weight = np.ones(len(train)) if even else class_weights(targets[train].astype(np.int64), balance)

    def shown(rows: NDArray[np.intp]) -> tuple[list[Path], Targets, PatchFiles]:
        return [divided.images.paths[row] for row in rows], targets[rows], files

    def epoch_images(epoch: int) -> PatchSet:
        rng = np.random.default_rng((seed, epoch))
        order = rng.permutation(train) if even else rng.choice(train, size=len(train), p=weight / weight.sum())
        return WholeDataset(*shown(order), augment, (seed + 1) * SEED_STEP + epoch * len(train), patterns)

    number = {name: int(size) for name, size in zip(spec.outputs, sizes, strict=True)}
    drawn = sizes.astype(np.float64) if many else balanced(list(number.values()), balance)
    as_they_are = WholeDataset(*shown(train))
    return Samples(epoch_images, WholeDataset(*shown(val)), number, (divided.note,), drawn, learned=as_they_are)

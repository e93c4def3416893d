"""Folders of bare patches, a file each: the patches, the network's outputs for them, and a training run's samples."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from detect.imagery.description.arranging import arranged
from detect.imagery.description.remarks import tell
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene
from detect.imagery.validity.filling import Fill
from detect.imagery.wafers.drawn.drawing import drawn_by, keeps_truncated
from detect.labels.formats.patch_folder import PatchFolder
from detect.nets.card import BackboneSpec, NetSpec
from detect.nets.heads.specs import PatchHead
from detect.nets.machine.processors import usable_cores
from detect.samples.augment import Augment
from detect.samples.epochs import SEED_STEP, Samples, balanced, class_weights
from detect.samples.labelled_scenes import drawing_alike, image_kind
from detect.samples.pasting.transplant import PasteOnOtherGround
from detect.samples.values.measured import patch_values
from detect.samples.values.normalisation import Given, Rule, TrainingValues

if TYPE_CHECKING:
    from detect.samples.loading import PatchSet

READ_AT_ONCE = 64
"""Files that are read ahead of those that are kept."""

MOST_LOOKED_AT = 2000
"""Most patches, evenly spread over a folder, by which the bands of all are chosen; a patch of others is an error."""


class PatchFiles:
    """Reads bare patches, a file each, all of one size and dtype; lists of defects are drawn as the spec says.

    The first that are read are kept in memory, as the network sees them, and are read once: before there are processes
    that make samples, which share them where these are forked, or in each of these, which keeps its part of the bytes.

    Args:
        spec: bands, dtype, resolution and patch size that every patch must have.
        offset: what pixels that are not valid are read as, by band: what the network's normalisation makes 0 of.
        cache: most bytes of pixels that are kept; 0 keeps none, where each is read once anyhow.

    Attributes:
        resident: bytes of pixels that are kept.
    """

    def __init__(self, spec: NetSpec, offset: Sequence[float] = (), cache: int = 0) -> None:
        self.spec = spec
        self.resident = 0
        self._cache = cache
        self._divided = False
        self._truncated = keeps_truncated()
        self._fill: Fill = tuple(zip(spec.bands, offset, strict=False))
        self._pixels: dict[Path, NDArray[np.generic]] = {}
        self._enlarged: dict[Path, int] = {}

    def read(self, path: Path) -> NDArray[np.generic]:
        """Return a file's pixels (bands, side, side) in its dtype; see `read_valid`."""
        if path in self._pixels:
            return self._pixels[path]
        pixels = self.read_valid(path)[0]
        self._keep(path, pixels)
        return pixels

    def preload(self, paths: Sequence[Path]) -> None:
        """Read files, as many as are kept, by all cores."""
        missing = [path for path in dict.fromkeys(paths) if path not in self._pixels]
        with ThreadPoolExecutor(usable_cores()) as pool:
            for start in range(0, len(missing), READ_AT_ONCE):
                part = missing[start : start + READ_AT_ONCE]
                for path, (pixels, _) in zip(part, pool.map(self.read_valid, part), strict=True):
                    if not self._keep(path, pixels):
                        return

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a process that is spawned, which reads the files itself."""
        return {**vars(self), "_pixels": {}, "resident": 0}

    def _keep(self, path: Path, pixels: NDArray[np.generic]) -> bool:
        """Keep a file's pixels if there is room, and return whether there is.

        Processes that make samples of the two sides, training and validation, each have their part of what is left.
        """
        worker = get_worker_info()
        if worker is not None and not self._divided:
            self._divided = True
            self._cache = self.resident + (self._cache - self.resident) // (2 * worker.num_workers)
        if self.resident + pixels.nbytes > self._cache:
            return False
        self._pixels[path] = pixels
        self.resident += pixels.nbytes
        return True

    def enlarged(self, path: Path) -> int:
        """Return how many resampled pixels a pixel of a file is along a side, rounded; 1 where it is reduced."""
        if path not in self._enlarged:
            self.read(path)
        return self._enlarged[path]

    def read_valid(self, path: Path) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return a file's pixels (bands, side, side) in its dtype, and which of them (side, side) are valid.

        Raises:
            ValueError: a size or dtype other than the spec's.
        """
        with drawn_by(self.spec.drawing, self._truncated):
            opened = open_scene(path)
        self._enlarged[path] = max(1, round(self.spec.head.typical_size / max(opened.shape)))
        scene = arranged(self.spec.resampled(opened), self.spec.learned_bands)
        side = (self.spec.head.typical_size,) * 2
        if (scene.shape, scene.dtype) != (side, self.spec.dtype):
            raise ValueError(
                f"{path}: {scene.dtype} of {scene.shape}, others are {self.spec.dtype}, {side}; convert it"
            )
        with SceneReader(replace(scene, fill=self._fill), self.spec.bands) as reader:
            return reader.read_valid(scene.window)


def looked_at(paths: Sequence[Path]) -> list[Scene]:
    """Return the scenes of files, at most `MOST_LOOKED_AT`, evenly spread; all where lists may be cut off."""
    step = 1 if keeps_truncated() else -(-len(paths) // MOST_LOOKED_AT)
    return [open_scene(path) for path in paths[::step]]


def tell_truncated(paths: Sequence[Path]) -> None:
    """Log which lists of defects are read as far as they go, and how far; nothing where such are refused."""
    if keeps_truncated():
        tell({str(path): open_scene(path).remarks for path in paths})


def augmented(pixels: NDArray[np.generic], augment: Augment | None, seed: int) -> Tensor:
    """Return the pixels (C, H, W) of a patch as a tensor of their dtype, augmented unless `augment` is None."""
    if augment is not None:
        pixels, _ = augment(pixels, np.empty((0, 2)), seed)
    return torch.from_numpy(np.ascontiguousarray(pixels))


class FolderDataset(Dataset[tuple[Tensor, int]]):
    """Bare patches.

    Args:
        paths: the files.
        outputs: (N,) the target output of each.
        files: reads them; shared, so that a file is read once.
        augment: applied to every patch; None for validation and test.
        seed: the augmentation of a patch depends on it and on the patch's position.
        paste: pastes objects onto empty patches; patches of output 0 are not changed. None for validation and test.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        outputs: NDArray[np.int64],
        files: PatchFiles,
        augment: Augment | None = None,
        seed: int = 0,
        paste: PasteOnOtherGround | None = None,
    ) -> None:
        self.paths = paths
        self.outputs = outputs
        self.files = files
        self.augment = augment
        self.seed = seed
        self.paste = paste

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return (pixels (bands, side, side) in the image's dtype, output)."""
        return self.made(self.part(index))

    def part(self, index: int) -> tuple[Path, int, int]:
        """Return a patch's file, its output, and the seed of what varies it."""
        return self.paths[index], int(self.outputs[index]), self.seed + index

    def made(self, part: tuple[Path, int, int]) -> tuple[Tensor, int]:
        """Return the sample of a file, an output and a seed, of any epoch."""
        path, output, seed = part
        pixels = self.paste(path, output, seed) if self.paste is not None and output else self.files.read(path)
        return augmented(pixels, self.augment, seed), output

    def preload(self) -> None:
        """Read the patches, as many as are kept, for all processes to share."""
        pasted = self.paste is not None
        self.files.preload(
            [path for path, output in zip(self.paths, self.outputs, strict=True) if not (pasted and output)]
        )


def folder_spec(
    folder: PatchFolder,
    negative_labels: Sequence[str],
    backbone: Callable[[int], BackboneSpec],
    bands: Sequence[int | str] | None,
    resolution: Resolution,
) -> NetSpec:
    """Return the spec of a classifier of a folder's patches, with the first one's side.

    Args:
        folder: the patches.
        negative_labels: folders of background patches; the first names the background.
        backbone: makes the backbone's spec for a number of bands.
        bands: band numbers from 1, or names; None takes those of a photograph, or the only one.
        resolution: to which patches are resampled.

    Raises:
        ValueError: a negative label without a class folder, or patches that are not square.
    """
    unknown = sorted(set(negative_labels) - set(folder.classes))
    if unknown:
        raise ValueError(f"data.labels.negative names {unknown}; the folders are {list(folder.classes)}")
    scenes = looked_at(folder.paths)
    first = resolution.resampled(scenes[0])
    if first.shape[0] != first.shape[1]:
        raise ValueError(f"{first.path}: patches must be square, got {first.shape} (height, width)")
    chosen, dtype = image_kind(scenes, bands)
    tell({str(scene.path): arranged(scene, chosen).remarks for scene in scenes})
    head = PatchHead(first.shape[0], negative_labels[0] if negative_labels else None)
    classes = tuple(name for name in folder.classes if name not in negative_labels)
    numbers, names = chosen.numbers, chosen.names
    return NetSpec(
        head,
        backbone(len(numbers)),
        classes,
        numbers,
        dtype,
        resolution,
        band_names=names,
        drawing=drawing_alike(scenes),
    )


def folder_outputs(
    folder: PatchFolder, spec: NetSpec, negative_labels: Sequence[str], strange: Sequence[str] = ()
) -> NDArray[np.int64]:
    """Return the network's target output (N,) of every patch of a folder; all negative labels share the background's.

    Args:
        folder: the patches.
        spec: the network's outputs.
        negative_labels: folders of background patches.
        strange: classes that the network does not know and need not: their output is -1.

    Raises:
        ValueError: a class that is neither one of the model, nor a negative label, nor strange.
    """
    first = len(spec.outputs) - len(spec.classes)
    background = {*spec.outputs[:first], *(negative_labels if first else ())}
    unknown = [name for name in folder.classes if name not in {*spec.classes, *background, *strange}]
    if unknown:
        raise ValueError(
            f"unknown classes {unknown}; the model knows {list(spec.outputs)}; name backgrounds in data.labels.negative"
        )
    numbers = [spec.classes.index(name) + first if name in spec.classes else 0 for name in folder.classes]
    numbers = [-1 if name in strange else number for name, number in zip(folder.classes, numbers, strict=True)]
    return np.array(numbers, np.int64)[folder.label]


def folder_values(folder: PatchFolder, spec: NetSpec, rule: Rule | Given, seed: int) -> TrainingValues:
    """Measure the values of a folder's training patches, of their valid pixels.

    Raises:
        ValueError: there are none, or patches of another size or type.
    """
    train = [path for path, side in zip(folder.paths, folder.split, strict=True) if side in ("", None, "train")]
    if not train:
        raise ValueError("the folder has no training patches")
    return TrainingValues.of(patch_values(train, PatchFiles(spec).read_valid, seed), rule)


@dataclass(frozen=True)
class FolderDraw:
    """How patches of a folder are used.

    Attributes:
        negative_labels: folders of background patches.
        val_fraction: share that validates if there is no `val` folder, in (0, 1).
        balance: 0 draws classes as they occur, 1 all equally often.
        superimpose: share of the patches whose object, if it can be cut out, is pasted onto an empty patch (one of the
            first negative label), in [0, 1].
    """

    negative_labels: tuple[str, ...]
    val_fraction: float
    balance: float
    superimpose: float


def folder_samples_of(
    folder: PatchFolder,
    spec: NetSpec,
    augment: Augment | None,
    recipe: FolderDraw,
    seed: int,
    offset: Sequence[float] = (),
    cache: int = 0,
) -> Samples:
    """Make the samples of bare patches, a file each; without a `val` folder a stratified part of `train` validates.

    If classes differ in number, patches are drawn with replacement, by `recipe.balance`, as many an epoch as there are.
    If all have the same number, each patch is drawn once. Pixels that are not valid are read as `offset`, by band;
    `cache` is the most bytes of pixels that are kept in memory.

    Raises:
        ValueError: nothing to train on, or an unknown class.
    """
    outputs = folder_outputs(folder, spec, recipe.negative_labels)
    train, val, note = _sides(folder, outputs, recipe.val_fraction, seed)
    files = PatchFiles(spec, offset, cache)
    paste, paste_notes = _paste(folder, files, train, outputs, recipe)
    sizes = np.bincount(outputs[train])
    weight = class_weights(outputs[train], recipe.balance)

    def patches(chosen: NDArray[np.intp]) -> tuple[list[Path], NDArray[np.int64], PatchFiles]:
        return [folder.paths[i] for i in chosen], outputs[chosen], files

    def epoch_patches(epoch: int) -> "PatchSet":
        rng = np.random.default_rng((seed, epoch))
        even = len(set(sizes[sizes > 0].tolist())) == 1
        order = rng.permutation(train) if even else rng.choice(train, size=len(train), p=weight / weight.sum())
        return FolderDataset(*patches(order), augment, (seed + 1) * SEED_STEP + epoch * len(train), paste)

    number = {name: int((outputs[train] == i).sum()) for i, name in enumerate(spec.outputs)}
    drawn = balanced(list(number.values()), recipe.balance)
    return Samples(epoch_patches, FolderDataset(*patches(val)), number, (note, *paste_notes), drawn)


def _sides(
    folder: PatchFolder, outputs: NDArray[np.int64], val_fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], str]:
    """Return the positions of the patches that train and that validate, and a note on how the latter were chosen."""
    side = np.array([name or "train" for name in folder.split])
    train, val = np.flatnonzero(side == "train"), np.flatnonzero(side == "val")
    if not len(train):
        raise ValueError("the folder has no training patches")
    if len(val):
        return train, val, "validation patches from the folder's own val"
    from sklearn.model_selection import train_test_split

    train, val = train_test_split(train, test_size=val_fraction, random_state=seed, stratify=outputs[train])
    return (
        train,
        val,
        f"{len(val)} validation patches drawn with seed {seed}; patches cut from one image are on both sides",
    )


def _paste(
    folder: PatchFolder,
    files: PatchFiles,
    train: NDArray[np.intp],
    outputs: NDArray[np.int64],
    recipe: FolderDraw,
) -> tuple[PasteOnOtherGround | None, list[str]]:
    """Return what pastes objects onto empty patches, None if that is not asked for, and notes for the log."""
    spec, share = files.spec, recipe.superimpose
    if not share:
        return None, []
    background = set(spec.outputs) - set(spec.classes)
    ground = [i for i in train if folder.classes[folder.label[i]] in background]
    if not ground:
        return None, ["augment.superimpose: there are no empty patches (data.labels.negative): not used here"]
    objects = {k: [folder.paths[i] for i in train if outputs[i] == k] for k in sorted(set(outputs[train])) if k}
    empty = [folder.paths[i] for i in ground]
    paste = PasteOnOtherGround(share, spec.head.typical_size, files.read, objects, empty)
    return paste, [f"superimposition: {paste.object_cutouts.rates_text(spec.outputs)}"]

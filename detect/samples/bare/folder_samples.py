"""The samples of a training on bare patches: which of them train and validate, how they are drawn, what is pasted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detect.labels.formats.patch_folder import PatchFolder
from detect.nets.net_spec import NetSpec
from detect.samples.augment import Augment
from detect.samples.bare.folder_dataset import FolderDataset
from detect.samples.bare.folder_spec import folder_outputs
from detect.samples.bare.patch_files import PatchFiles
from detect.samples.epochs import SEED_STEP, Samples, balanced, class_weights
from detect.samples.pasting.transplant import PasteOnOtherGround

if TYPE_CHECKING:
    from detect.samples.loading import PatchSet


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

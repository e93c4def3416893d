"""From settings to sides: which images train, validate and test, in a run and in a model's own record."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detect.assembly.settings.label_settings import NamedSides, SplitSettings
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.samples.bare.folder_dataset import FolderDataset
from detect.samples.copies import SplitFile, check_copies, check_mosaics
from detect.samples.cross_validation import Fold, fold_images
from detect.samples.epochs import Samples
from detect.samples.labelled_scenes import PART, SceneSplit
from detect.samples.splits import ValidationDraw, named_sides, split_scenes

logger = logging.getLogger(__name__)

MAX_NAMED = 5
"""Images that are named in the log, at most."""

LEFT_OUT = "left out"
"""The side of images that a run neither learned from nor tests."""


def split_images(split: SplitSettings, annotations: Annotations, seed: int) -> tuple[SceneSplit, tuple[str, ...]]:
    """Divide the images, of a fold if one is asked for, and check that no image is on two sides.

    Returns:
        The split, and the names of the images that no fold uses.
    """
    val, test = split.val, split.test
    folded = None
    if split.fold is not None:
        folded = fold_images(annotations, Fold.parse(split.fold, split.fold_seed), val, test)
        annotations, val, test = folded.annotations, (), ()
    drawing = ValidationDraw(split.val_from, split.val_fraction, split.guard, seed, split.folds)
    divided = split_scenes(annotations, val, test, drawing)
    sides = {"train": divided.train, "val": divided.val, "test": divided.test}
    part = {name: f"fold {number}" for number, names in enumerate(divided.folds, 1) for name in names}
    files = [
        SplitFile(scene.name, scene.scene.path, part.get(scene.name, side))
        for side, scenes in sides.items()
        for scene in scenes
    ]
    check_copies(files, split.copies)
    check_mosaics(files, split.copies)
    if folded is None:
        return divided, ()
    return replace(divided, note=f"{folded.note}; {divided.note}"), folded.left_out


def check_patches(split: SplitSettings, folder: PatchFolder, samples: Samples) -> None:
    """Check that no patch of a folder is on two sides, those that were drawn for validation too."""
    if split.fold is not None:
        raise ValueError("data.split.fold divides annotated images; patches of one image would be on both sides")
    validating = set(samples.val.paths) if isinstance(samples.val, FolderDataset) else set()
    sides = [
        "val" if path in validating else side or "train" for path, side in zip(folder.paths, folder.split, strict=True)
    ]
    files = [SplitFile(str(path), path, side) for path, side in zip(folder.paths, sides, strict=True)]
    check_copies(files, split.copies)


def sides_of_model(named: NamedSides, annotations: Annotations, record: Mapping[str, Any]) -> dict[str, str]:
    """Return for every image on which side it was for a model.

    Where `data.split.val` and `test` name nobody, the model's record takes precedence over the split column. Where they
    do, they and the column decide; the record still keeps other images that validated or were tested out of `train`.

    Args:
        named: `data.split.val` and `data.split.test`.
        annotations: the images.
        record: the training record on a model's card.
    """
    if named.fold is not None:
        raise ValueError("data.split.fold is for training; the model knows which images it was not shown: leave it out")
    sides = named_sides(annotations, named.val, named.test)
    known = dict.fromkeys(record.get("val", ()), "val")
    known |= dict.fromkeys(record.get("test", ()), LEFT_OUT if named.test else "test")
    known |= dict.fromkeys(record.get("left_out", ()), LEFT_OUT)
    learned = {str(name).partition(PART)[0] for side in ("train", "val") for name in record.get(side, ())}
    flattering = sorted(name for name, side in sides.items() if side == "test" and name in learned and named.test)
    if flattering:
        logger.warning(
            "data.split.test names %s, which the model learned from: the scores flatter", ", ".join(flattering)
        )
    nobody = not (named.val or named.test)
    changed = {name: known[name] for name, side in sides.items() if name in known and (nobody or side == "train")}
    other = sorted(name for name, side in changed.items() if sides[name] not in ("train", side))
    if other:
        logger.warning(
            "%s: the model's record says %s, the split column %s; the record counts; data.split.test=[...] goes before "
            "it",
            ", ".join(other[:MAX_NAMED]),
            changed[other[0]],
            sides[other[0]],
        )
    return sides | changed

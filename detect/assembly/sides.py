"""From settings to sides: which images train, validate and test, in a run and in a model's own record."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig

from detect.assembly.settings import names
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.samples.bare_patches import FolderDataset
from detect.samples.copies import SplitFile, check_copies
from detect.samples.cross_validation import Fold, fold_images
from detect.samples.epochs import Samples
from detect.samples.labelled_scenes import PART, SceneSplit
from detect.samples.splits import named_sides, split_scenes

logger = logging.getLogger(__name__)

SHOWN = 5
"""Images that are named in the log."""


LEFT_OUT = "left out"
"""The side of images that a run neither learned from nor tests."""


def split_images(cfg: DictConfig, annotations: Annotations) -> tuple[SceneSplit, tuple[str, ...]]:
    """Divide the images, of a fold if one is asked for, and see that no image is on two sides.

    Returns:
        The split, and the names of the images that no fold uses.
    """
    val, test = names(cfg.data.val), names(cfg.data.test)
    folded = None
    if cfg.data.fold is not None:
        folded = fold_images(annotations, Fold.parse(cfg.data.fold, cfg.data.fold_seed), val, test)
        annotations, val, test = folded.annotations, [], []
    split = split_scenes(
        annotations,
        val=val,
        test=test,
        val_fraction=cfg.data.val_fraction,
        guard=cfg.data.guard,
        seed=cfg.seed,
        val_from=cfg.data.val_from,
    )
    sides = {"train": split.train, "val": split.val, "test": split.test}
    check_copies(
        [SplitFile(scene.name, scene.scene.path, side) for side, scenes in sides.items() for scene in scenes],
        cfg.data.copies,
    )
    if folded is None:
        return split, ()
    return replace(split, note=f"{folded.note}; {split.note}"), folded.left_out


def check_patches(cfg: DictConfig, folder: PatchFolder, task: Samples) -> None:
    """See that no patch of a folder is on two sides, those that were drawn for validation too."""
    if cfg.data.fold is not None:
        raise ValueError("data.fold divides annotated images; patches of one image would be on both sides")
    held = set(task.val.paths) if isinstance(task.val, FolderDataset) else set()
    sides = ["val" if path in held else side or "train" for path, side in zip(folder.paths, folder.split, strict=True)]
    check_copies(
        [SplitFile(str(path), path, side) for path, side in zip(folder.paths, sides, strict=True)], cfg.data.copies
    )


def sides_of_model(cfg: DictConfig, annotations: Annotations, record: Mapping[str, Any]) -> dict[str, str]:
    """Say for every image on which side it was for a model.

    Where `data.val` and `data.test` name nobody, the model's record goes before the split column. Where they do, they
    and the column say; of the other images the record still keeps those that validated or were tested out of `train`.

    Args:
        cfg: `data.val` and `data.test`.
        annotations: the images.
        record: the training summary of a model's card.
    """
    if cfg.data.fold is not None:
        raise ValueError("data.fold is for training; the model knows which images it was not shown: leave it out")
    val, test = names(cfg.data.val), names(cfg.data.test)
    sides = named_sides(annotations, val, test)
    known = dict.fromkeys(record.get("val", ()), "val")
    known |= dict.fromkeys(record.get("test", ()), LEFT_OUT if test else "test")
    known |= dict.fromkeys(record.get("left_out", ()), LEFT_OUT)
    seen = {str(name).partition(PART)[0] for side in ("train", "val") for name in record.get(side, ())}
    shown = sorted(name for name, side in sides.items() if side == "test" and name in seen and test)
    if shown:
        logger.warning("data.test names %s, which the model learned from: the scores flatter", ", ".join(shown))
    free = not (val or test)
    changed = {name: known[name] for name, side in sides.items() if name in known and (free or side == "train")}
    other = sorted(name for name, side in changed.items() if sides[name] not in ("train", side))
    if other:
        logger.warning(
            "%s: the model's record says %s, the split column %s; the record counts; data.test=[...] goes before it",
            ", ".join(other[:SHOWN]),
            changed[other[0]],
            sides[other[0]],
        )
    return sides | changed

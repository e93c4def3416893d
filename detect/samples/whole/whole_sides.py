"""Which whole images train, validate and are held back: as a table says, or drawn by group, or a fold of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.labels.formats.patch_folder import PatchFolder
from detect.labels.reading.image_classes import as_annotations
from detect.samples.cross_validation import Fold, fold_images
from detect.samples.group_folds import class_counts, draw, group_of
from detect.samples.splits import named_sides


@dataclass(frozen=True)
class WholeSplit:
    """How whole images are divided.

    Attributes:
        val, test: names of images or groups of a side.
        fold: the part of a cross-validation that is tested; None for none.
        val_fraction: share of the images, or of the groups, that validate where none are named for it, in (0, 1).
        seed: of that draw.
    """

    val: tuple[str, ...]
    test: tuple[str, ...]
    fold: Fold | None
    val_fraction: float
    seed: int


@dataclass(frozen=True, eq=False)
class Divided:
    """Whole images with a side each.

    Attributes:
        images: those that are used; their `split` is `train`, `val` or `test`.
        left_out: names of those that no fold uses.
        note: a sentence on what validates, and on what is tested.
    """

    images: PatchFolder
    left_out: tuple[str, ...]
    note: str

    def names(self, side: str) -> list[str]:
        """Return the names of the images of a side."""
        return [name for name, each in zip(self.images.names, self.images.split, strict=True) if each == side]

    def rows(self, side: str) -> NDArray[np.intp]:
        """Return the positions (n,) of the images of a side."""
        return np.flatnonzero([each == side for each in self.images.split])


def divide_images(folder: PatchFolder, split: WholeSplit, source: Path) -> Divided:
    """Return the side of every image: as named, as its table or folder says, or drawn to validate, a group at a time.

    Args:
        folder: the images.
        split: what is named, the fold, and what is drawn.
        source: where they are from.

    Raises:
        ValueError: an unknown name, an image or group on two sides, more folds than groups, or nothing to train on.
    """
    annotations = as_annotations(folder, source)
    notes: list[str] = []
    left_out: tuple[str, ...] = ()
    if split.fold is None:
        sides = named_sides(annotations, split.val, split.test)
    else:
        folded = fold_images(annotations, split.fold, split.val, split.test)
        sides = {image.name: image.split or "train" for image in folded.annotations.images}
        left_out = folded.left_out
        tested = sum(side == "test" for side in sides.values())
        notes.append(f"fold {split.fold} tests {tested} images")
    used = [row for row, name in enumerate(folder.names) if name in sides]
    images = _chosen(folder, used, [sides[folder.names[row]] for row in used])
    if "train" not in images.split:
        raise ValueError(
            f"{source}: no image trains; name fewer in data.split.val, data.split.test or the split column"
        )
    if "val" not in images.split:
        images, note = _with_drawn(images, split, source)
        notes.append(note)
    else:
        notes.append(f"{images.split.count('val')} validation images as named")
    return Divided(images, left_out, "; ".join(notes))


def _chosen(folder: PatchFolder, rows: Sequence[int], sides: Sequence[str]) -> PatchFolder:
    """Return some of the images, with a side each."""
    return replace(
        folder,
        paths=tuple(folder.paths[row] for row in rows),
        label=folder.label[rows],
        split=tuple(sides),
        names=tuple(folder.names[row] for row in rows),
        group=tuple(folder.group[row] for row in rows) if folder.group else (),
        present=None if folder.present is None else folder.present[rows],
    )


def _with_drawn(folder: PatchFolder, split: WholeSplit, source: Path) -> tuple[PatchFolder, str]:
    """Return the images with some of those that train drawn for validation, and a note on that.

    Raises:
        ValueError: there is a single group that trains.
    """
    train = [image for image in as_annotations(folder, source).images if image.split == "train"]
    groups = sorted({group_of(image) for image in train})
    if len(groups) < 2:
        raise ValueError(
            f"{source}: all images that train are of one group, {groups[0]}: none can be drawn for validation; name "
            "some in data.split.val or the split column"
        )
    number = min(len(groups) - 1, max(1, round(split.val_fraction * len(groups))))
    counts = class_counts(train, groups)
    single = not folder.group and folder.present is None
    part = _stratified(counts, number, split.seed) if single else draw(counts, number, split.seed)
    drawn = {groups[place] for place in part.tolist()}
    names = {image.name for image in train if group_of(image) in drawn}
    rows = zip(folder.names, folder.split, strict=True)
    sides = tuple("val" if name in names else side for name, side in rows)
    alone = "image by image, as no column group says which belong together"
    what = f"of {len(drawn)} groups" if folder.group else alone
    return replace(folder, split=sides), f"{len(names)} validation images drawn with seed {split.seed}, {what}"


def _stratified(counts: NDArray[np.int64], number: int, seed: int) -> NDArray[np.intp]:
    """Return positions (number,) of images drawn with each class by its share, where all classes have two or more."""
    from sklearn.model_selection import train_test_split

    label = counts.argmax(axis=1)
    sizes = np.bincount(label, minlength=counts.shape[1])
    enough = sizes[sizes > 0].min() > 1 and min(number, len(counts) - number) >= (sizes > 0).sum()
    every = np.arange(len(counts))
    parts = train_test_split(every, test_size=number, random_state=seed, stratify=label if enough else None)
    return np.asarray(parts[1])

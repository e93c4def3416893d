"""Folders of labelled patches, or of whole images: a sub-folder a class, at the root or in one for each side."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.finding.endings import SUFFIXES, has_image_ending, is_hidden
from detect.labels.annotations import AnnotationError
from detect.labels.formats.csv_table import SPLITS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class PatchFolder:
    """Labelled patches, an image file each.

    Attributes:
        paths: the image files, sorted within a class and side.
        label: (N,) int64, positions in `classes`.
        classes: the class names, sorted.
        split: `train`, `val` or `test` of each patch, None where there are no folders for the sides.
        names: of each patch, its path below the folder.
        group: of each patch, which belong together and stay on one side (a lot); () where none has one.
        present: (N, C) bool, the classes of each image where one has several or none; None where each has one.
    """

    paths: tuple[Path, ...]
    label: NDArray[np.int64]
    classes: tuple[str, ...]
    split: tuple[str | None, ...]
    names: tuple[str, ...] = ()
    group: tuple[str | None, ...] = ()
    present: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def side(self, split: str | None) -> "PatchFolder":
        """Return the patches of one side of the split, with the same classes."""
        rows = [row for row, each in enumerate(self.split) if each == split]
        paths = tuple(self.paths[row] for row in rows)
        names = tuple(self.names[row] for row in rows) if self.names else ()
        group = tuple(self.group[row] for row in rows) if self.group else ()
        present = None if self.present is None else self.present[rows]
        return PatchFolder(paths, self.label[rows], self.classes, (split,) * len(rows), names, group, present)


def read_patch_folder(root: Path) -> PatchFolder:
    """Read the list of patches in `root/<class>/` or `root/<side>/<class>/`.

    A side is a folder `train`, `val` or `test` (`valid` and `validation` are `val`). The second layout is read if a
    folder of such a name holds folders. Files without an image's ending are skipped; the log has their number.

    Raises:
        AnnotationError: no folders, a class folder without images, a side without classes, a class of `val` or `test`
            that `train` lacks, or other folders beside those of the sides.
    """
    if not root.is_dir():
        raise AnnotationError(f"{root}: no such folder")
    found: dict[tuple[str | None, str], list[Path]] = {}
    for split, side in _sides(root):
        for folder in _folders(side):
            found.setdefault((split, folder.name), []).extend(_images(folder))
    if not found:
        raise AnnotationError(
            f"{root}: no sub-folder with images; patches need one for each class, and images need data.annotations=FILE"
        )
    known = {name for split, name in found if split == "train"}
    unknown = sorted(f"{split}/{name}" for split, name in found if known and name not in known)
    if unknown:
        raise AnnotationError(f"{root}: {', '.join(unknown)}: not a class of train, which has {sorted(known)}")
    classes = tuple(sorted({name for _, name in found}))
    rows = [(path, classes.index(name), split) for (split, name), paths in found.items() for path in paths]
    paths, labels, splits = zip(*rows, strict=True)
    names = tuple(path.relative_to(root).as_posix() for path in paths)
    return PatchFolder(tuple(paths), np.array(labels, np.int64), classes, tuple(splits), names)


def _sides(root: Path) -> list[tuple[str | None, Path]]:
    """Return the folders that hold class folders, each with its side: those of a split, or the root itself."""
    folders = _folders(root)
    named = [folder for folder in folders if folder.name.lower() in SPLITS]
    if not any(_folders(folder) for folder in named):
        return [(None, root)]
    others = [folder.name for folder in folders if folder not in named]
    if others:
        raise AnnotationError(f"{root}: folders {others} beside {[folder.name for folder in named]}; move them away")
    empty = [folder.name for folder in named if not _folders(folder)]
    if empty:
        raise AnnotationError(f"{root}: {empty} hold no folders of classes; remove them, or sort their images by class")
    return [(SPLITS[folder.name.lower()], folder) for folder in named]


def _folders(folder: Path) -> Sequence[Path]:
    """List the sub-folders that are not hidden, sorted."""
    return sorted(each for each in folder.iterdir() if each.is_dir() and not is_hidden(each.name))


def _images(folder: Path) -> list[Path]:
    """List the images of a class folder, sorted, and log the number of other files.

    What has an image's ending and is no file, such as a link that leads nowhere, is an error when it is opened.
    """
    files = sorted(each for each in folder.iterdir() if not is_hidden(each.name))
    images = [each for each in files if has_image_ending(each) and not each.is_dir()]
    if not images:
        hint = "; give the folder below it as the root?" if any(each.is_dir() for each in files) else ""
        raise AnnotationError(f"{folder}: a class folder without images (endings {', '.join(SUFFIXES)}){hint}")
    if len(images) < len(files):
        logger.warning(
            "%s: %d of %d entries are not images and are skipped", folder, len(files) - len(images), len(files)
        )
    return images

"""Dotted pictures and the plain photographs that they are copies of, opened and read in windows."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.finding.endings import SUFFIXES
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene, SceneError, display_bands
from detect.imagery.windows import Tiling, Window
from detect.labels.annotations import AnnotationError

Pixels = Callable[[Window], NDArray[np.uint8]]
"""Returns the pixels (3, h, w) of a window of a picture."""

DOTTED_NAME = re.compile(r"[-_ .]?(dots?|dotted)$", re.IGNORECASE)
"""How the name of a dotted picture ends where it lies beside its plain copy, as in `a_dots.png`."""

FLAT_SHARE, _NEAR = 0.85, 12
"""A picture is dots on a background where this share of its pixels is within some values of black or of white."""

_HELD_BYTES = 1 << 30


def dotted_pictures(path: Path) -> list[Path]:
    """List the dotted pictures of a folder and the folders below it, sorted; or the one that `path` is.

    Where the names of some end in `_dots`, `_dotted` or the like, the others are taken for plain copies.
    """
    if not path.is_dir():
        return [path]
    every = pictures_below(path)
    named = [each for each in every if DOTTED_NAME.search(each.stem) and DOTTED_NAME.sub("", each.stem)]
    return named or every


def pictures_below(folder: Path) -> list[Path]:
    """List the images of a folder and the folders below it, sorted, without hidden ones."""
    files = (each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES and each.is_file())
    return sorted(each for each in files if not any(part.startswith(".") for part in each.relative_to(folder).parts))


class PlainCopies:
    """The plain photographs below the data folder, found by the name of a dotted one.

    Args:
        root: the data folder.
        dotted: the folder or file of the dotted ones, which are no plain copies.
    """

    def __init__(self, root: Path, dotted: Path) -> None:
        self.root = root
        self._dotted = dotted if dotted.is_dir() else dotted.parent
        copies = set(dotted_pictures(dotted))
        self._by_stem: Mapping[str, list[Path]] = defaultdict(list)
        for path in pictures_below(root):
            if path not in copies:
                self._by_stem[path.stem.casefold()].append(path)

    def find(self, dotted: Path) -> Path | None:
        """Return the plain copy of a dotted picture: of the same name without `_dots`, in the same folder if several.

        Raises:
            AnnotationError: there are several.
        """
        stem = DOTTED_NAME.sub("", dotted.stem) or dotted.stem
        fitting = self._by_stem.get(stem.casefold(), [])
        if len(fitting) > 1:
            folder = dotted.relative_to(self._dotted).parent.parts
            closer = [each for each in fitting if each.relative_to(self.root).parent.parts[-len(folder) :] == folder]
            fitting = closer if len(closer) == 1 and folder else fitting
        if len(fitting) > 1:
            names = ", ".join(each.relative_to(self.root).as_posix() for each in fitting[:4])
            raise AnnotationError(f"{dotted}: its plain copy could be any of {names} below {self.root}; rename them")
        return fitting[0] if fitting else None


@contextmanager
def open_pixels(path: Path) -> Iterator[tuple[Scene, Pixels]]:
    """Open a picture of 8 bits: yield what it is, and a function that reads its pixels as red, green and blue.

    Raises:
        AnnotationError: it cannot be read, or has other than 8 bits.
    """
    try:
        scene = open_scene(path)
        if scene.dtype != "uint8":
            raise AnnotationError(f"{path}: dots are read from pictures of 8 bits, and this one is of {scene.dtype}")
        with SceneReader(scene, display_bands(scene.bands)) as reader:
            if not scene.windowed and reader.nbytes <= _HELD_BYTES:
                reader.hold()

            def pixels(window: Window) -> NDArray[np.uint8]:
                found = reader.read(window)
                return np.asarray(np.broadcast_to(found, (3, *found.shape[1:])), np.uint8)

            yield scene, pixels
    except SceneError as error:
        raise AnnotationError(str(error)) from error


def background_of(scene: Scene, pixels: Pixels) -> NDArray[np.int64] | None:
    """Return the one colour (3,) that most of a picture has, black or white; None of a photograph."""
    dark = light = 0
    for window in Tiling(scene.shape, (512, 4096)):
        found = pixels(window)
        dark += int((found.max(axis=0) <= _NEAR).sum())
        light += int((found.min(axis=0) >= 255 - _NEAR).sum())
    least = FLAT_SHARE * scene.shape[0] * scene.shape[1]
    if max(dark, light) < least:
        return None
    return np.zeros(3, np.int64) if dark >= light else np.full(3, 255)

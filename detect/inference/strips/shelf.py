"""The shelf of a run: where what is found of strips lies until they are joined, or a killed run goes on."""

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from detect.imagery.files import check_inside

NAME_LENGTH = 16
"""Hexadecimal digits of the names of its folders: of a million images two share one by a chance of 1 in 37 million."""


class Content(Protocol):
    """What identifies the content of an image's file."""

    @property
    def signature(self) -> tuple[str, int, int]:
        """Its path, size in bytes and time of change in nanoseconds."""

    @property
    def beside(self) -> str:
        """The digest of the files beside it."""


@dataclass(frozen=True, eq=False)
class Shelf:
    """A folder with one folder an image, in which one folder has the strips that were made in one way of one content.

    Nothing in it is taken for another image, content or tiling: these are the names of the folders.

    Attributes:
        folder: in the state folder of the output, so that the model and all settings of results are the same.
        contents: what identifies the content of each image's file, by the image's name.
    """

    folder: Path
    contents: Mapping[str, Content]

    def place(self, name: str, made: Mapping[str, Any]) -> Path:
        """Return the folder for the strips of an image that are made in some way; folders of other ways are removed.

        Args:
            name: of the image.
            made: all that decides what a strip holds beside settings and content; plain values.
        """
        image = self._image(name)
        place = image / way_folder(self.contents[name], made)
        for other in image.iterdir() if image.is_dir() else ():
            if other != place:
                _remove(other)
        return place

    def clear(self, name: str) -> None:
        """Remove all strips of an image; one that is just being written stays, for `clear_left`."""
        if self.folder.is_dir():
            with suppress(OSError):
                _remove(self._image(name))
                self.folder.rmdir()

    def clear_left(self, names: Collection[str]) -> None:
        """Remove what is there of some images: strips that came when the images were recorded."""
        there = {each.name for each in self.folder.iterdir()} if self.folder.is_dir() else set()
        for name in names if there else ():
            if image_folder(name) in there:
                self.clear(name)

    def _image(self, name: str) -> Path:
        image = self.folder / image_folder(name)
        check_inside(image, self.folder.parent)
        return image


def image_folder(name: str) -> str:
    """Return the name of the folder of an image."""
    return _digest(name)


def way_folder(content: Content, made: Mapping[str, Any]) -> str:
    """Return the name of the folder of strips that are made in some way of some content."""
    return _digest(json.dumps([*content.signature, content.beside, made], sort_keys=True))


def clear_shelf(folder: Path) -> None:
    """Remove all strips of all images."""
    check_inside(folder, folder.parent)
    _remove(folder)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:NAME_LENGTH]


def _remove(path: Path) -> None:
    """Remove a folder, or what lies in its place."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)

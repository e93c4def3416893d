"""The shelf of a run whose workers have no folder in common: strips lie in the object store of the output."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from detect.imagery.files import replace_file
from detect.imagery.remote.address import Address
from detect.imagery.remote.image_cache import image_cache
from detect.imagery.remote.store import fetch, listing, put, remove
from detect.inference.strips.shelf import Content, image_folder, way_folder

HERE = "strips"
"""The folder, beside the copies of images of a process, of strips that are being written or read."""


@dataclass(frozen=True, eq=False)
class StoredShelf:
    """A prefix of a store with the names of a `Shelf`; an object is whole or not there.

    Args:
        address: in the state folder of the output.
        contents: what identifies the content of each image's file, by the image's name.
        names: of the objects that are below the address when the run begins.
    """

    address: Address
    contents: Mapping[str, Content]
    names: InitVar[Iterable[str]]
    _there: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self, names: Iterable[str]) -> None:
        for image, _, rest in (each.partition("/") for each in names):
            self._there.setdefault(image, set()).add(rest)

    def place(self, name: str, made: Mapping[str, Any]) -> Address:
        """Return the prefix for the strips of an image that are made in some way; those of others are removed.

        Raises:
            OSError: they cannot be removed.
        """
        image, way = image_folder(name), way_folder(self.contents[name], made)
        before = self._there.get(image, set())
        self._there[image] = {each for each in before if each.startswith(f"{way}/")}
        self._remove(image, before - self._there[image])
        return Address(*self.address.parts, image, way)

    def has(self, file: Path) -> bool:
        """Return whether a strip is there, of an earlier run."""
        image, *rest = file.parts[len(self.address.parts) :]
        return "/".join(rest) in self._there.get(image, ())

    def clear(self, name: str) -> None:
        """Remove all strips of an image; nothing is asked of the store for one that had none.

        Raises:
            OSError: they cannot be removed.
        """
        image = image_folder(name)
        if self._there.pop(image, None) is not None:
            self._remove(image, listing(Address(*self.address.parts, image)))

    def clear_left(self, names: Collection[str]) -> None:
        """Remove what is there of some images: strips that came when the images were recorded.

        Raises:
            OSError: the store cannot be asked, or they cannot be removed.
        """
        there = {each.partition("/")[0] for each in listing(self.address)}
        for name in names if there else ():
            if image_folder(name) in there:
                self._there[image_folder(name)] = set()
                self.clear(name)

    def _remove(self, image: str, names: Iterable[str]) -> None:
        remove([Address(*self.address.parts, image, *each.split("/")) for each in sorted(names)])


@contextmanager
def file_to_write(file: Path) -> Iterator[Path]:
    """Yield a path to write the file of a strip to, which is at its place, whole, when the block ends without an error.

    Raises:
        OSError: it cannot be put there.
    """
    if not isinstance(file, Address):
        with replace_file(file) as part:
            yield part
        return
    here = _here(file)
    try:
        with replace_file(here) as part:
            yield part
        put(here, file)
    finally:
        here.unlink(missing_ok=True)


@contextmanager
def file_to_read(file: Path) -> Iterator[Path]:
    """Yield the file of a strip on this machine while the block lasts.

    Raises:
        OSError: it cannot be fetched.
    """
    if not isinstance(file, Address):
        yield file
        return
    here = _here(file)
    try:
        fetch(file, here)
        yield here
    finally:
        here.unlink(missing_ok=True)


def _here(file: Address) -> Path:
    return image_cache().folder / HERE / f"{uuid4().hex}-{file.name}"

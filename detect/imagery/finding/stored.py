"""Finding the images below an address of an object store, by the rules of a folder on this machine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath

from detect.imagery.finding.endings import is_hidden
from detect.imagery.finding.search import Search
from detect.imagery.gdal.drivers import georeference_files
from detect.imagery.remote.address import Address, Listed
from detect.imagery.remote.store import facts_of, file_system, key_of, listing, store_errors

OTHER_NAMES = "names that no folder can have"
"""Why objects are passed over whose names have empty parts, or parts that lead upwards."""


def find_stored(images: Address, search: Search) -> tuple[list[Address], Address, list[str]]:
    """Find the images of an address: one object, those below a prefix, or those that fit a pattern.

    Args:
        images: an object, a prefix, or a pattern.
        search: by which names are judged, and which keeps what is passed over.

    Returns:
        The images, with what the listing says of them; the prefix that their names are relative to; and names that are
        passed over since no folder can have them.

    Raises:
        OSError: the store cannot be asked.
        ValueError: the package for it is not installed.
    """
    folder, pattern = _folder_and_pattern(images)
    one = facts_of(images) if pattern is None else None
    folder = images.parent if one is not None else folder
    assert isinstance(folder, Address)
    objects = listing(folder)
    odd = [name for name in objects if PurePosixPath(name).as_posix() != name or ".." in name.split("/")]
    for name in odd:
        del objects[name]
    if one is not None:
        return [_with_sides(images, images.name, objects)], folder, []
    chosen = sorted(objects if pattern is None else _fitting(folder, pattern) & set(objects))
    return [_with_sides(image, name, objects) for name, image in _images(folder, chosen, objects, search)], folder, odd


def _folder_and_pattern(images: Address) -> tuple[Address, str | None]:
    """Return the prefix without signs of a pattern, and the whole pattern; None for an address without any."""
    parts = images.parts
    first = next((place for place, part in enumerate(parts) if set("*?[") & set(part)), None)
    return (images, None) if first is None else (Address(*parts[:first]), str(images))


def _fitting(folder: Address, pattern: str) -> set[str]:
    """Return the names below a prefix that fit a pattern."""
    with store_errors(folder, "listed"):
        keys = file_system(folder).glob(pattern)
    below = f"{key_of(folder)}/"
    return {key.removeprefix(below) for key in keys}


def _images(
    folder: Address, chosen: Sequence[str], objects: Mapping[str, Listed], search: Search
) -> Iterator[tuple[str, Address]]:
    """Yield the names and addresses of the images among some objects; the search keeps the others."""
    tree = _tree(folder, objects)

    @cache
    def own(parts: tuple[str, ...]) -> frozenset[str]:
        return frozenset(search.written(tree(*folder.parts, *parts)))

    for name in chosen:
        *above, last = name.split("/")
        hidden = next((place for place, part in enumerate(above) if is_hidden(part)), None)
        results = next((place for place, part in enumerate(above) if part in own(tuple(above[:place]))), None)
        if hidden is not None or results is not None:
            kept, place = (search.hidden, hidden) if hidden is not None else (search.results, results)
            top = folder.joinpath(*above[: (place or 0) + 1])
            kept += [] if top in kept else [top]
            continue
        image = Address(*folder.parts, *above, last).with_facts(objects[name])
        if search.is_image(image, own(tuple(above))):
            yield name, image


def _tree(root: Address, objects: Mapping[str, Listed]) -> type[Address]:
    """Return a kind of address that knows which files and folders there are below the prefix that was listed."""
    folders = {"/".join(name.split("/")[:depth]) for name in objects for depth in range(1, name.count("/") + 1)}
    start = f"{root}/"

    class Tree(Address):
        """An address below the prefix."""

        def is_file(self) -> bool:
            """Return whether there is an object of that name."""
            return str(self).removeprefix(start) in objects

        def is_dir(self) -> bool:
            """Return whether there are objects below it."""
            return str(self).removeprefix(start) in folders

    return Tree


def _with_sides(image: Address, name: str, objects: Mapping[str, Listed]) -> Address:
    """Return an image with what the listing says of it, and of the files beside it that are read with it."""
    above = name.rpartition("/")[0]
    named = [f"{image.name}{ending}" for ending in (".aux.xml", ".msk", ".MSK")]
    named += [f"{image.stem}{ending}" for ending in (".aux.xml", ".AUX.XML", ".prj", ".PRJ")]
    named += georeference_files(Path(image.name))
    sides = {each: f"{above}/{each}" if above else each for each in named}
    beside = tuple((each, objects[key]) for each, key in sides.items() if key in objects)
    return image.with_facts(replace(objects[name], beside=beside))

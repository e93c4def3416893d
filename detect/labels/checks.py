"""Checks of annotation lines against their images, against each other, and against the split."""

import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import SceneError
from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems, SourceImage
from detect.labels.image_names import plain_name
from detect.labels.images import ImageFolder, ImageFolders
from detect.labels.rules.causes import find_causes
from detect.labels.rules.doubles import tell_near, tell_spellings, without_repeats
from detect.labels.rules.edges import inside, is_nothing, with_size
from detect.labels.rules.reviewed import with_reviewed


def entries_by_image(
    entries: Sequence[Entry], roots: Sequence[Path] | None, problems: Problems
) -> dict[SourceImage, list[Entry]]:
    """Find the images that entries name and apply the rules to every entry, the same for every format.

    Args:
        entries: lines of an annotation file.
        roots: the data folders; None to take the names as they are and look at no image.
        problems: collects what is wrong, left out or put right.

    Returns:
        The entries of each image that are used, in the file's order. Images of which no entry is used are left out.
    """
    images = _locate(entries, roots, problems)
    by_image: dict[SourceImage, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.image in images:
            by_image[images[entry.image]].append(entry)
    by_image = {image: with_reviewed(image, each, problems) for image, each in by_image.items()}
    find_causes(by_image, problems)
    if problems.found:
        return {}
    used = {image: lines for image, each in by_image.items() if (lines := _used(image, each, problems))}
    named = {entry.image for lines in used.values() for entry in lines}
    for name in dict.fromkeys(name for name in problems.images if name not in named):
        problems.tell("images of which no object can be used are left out, as if nobody had looked at them", name)
    for image, lines in used.items():
        _check_sides(image, lines, problems)
        tell_near(lines, problems)
    _check_groups(used, problems)
    tell_spellings((entry.label for lines in used.values() for entry in lines if entry.is_object), problems)
    return used


def _used(image: SourceImage, entries: Sequence[Entry], problems: Problems) -> list[Entry]:
    """Return the entries of an image that are used, in their order, each put right where there is one reading."""
    if not _check_stated_size(image, entries, problems):
        return []
    nothing = all(is_nothing(entry) or entry.numbers is None for entry in entries)
    plain = [replace(each, numbers=None, label="") if nothing and is_nothing(each) else each for each in entries]
    return without_repeats(inside(image, with_size(plain, problems), problems), problems)


def _locate(entries: Sequence[Entry], roots: Sequence[Path] | None, problems: Problems) -> dict[str, SourceImage]:
    """Find the image of every name; missing and unreadable ones are added to `problems` and left out."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.image, entry)
    if roots is None:
        return {name: SourceImage(plain_name(name), Path(plain_name(name)), None) for name in first}
    folder = ImageFolders(roots) if len(roots) > 1 else ImageFolder(roots[0])
    images: dict[str, SourceImage] = {}
    shapes: dict[Path, tuple[int, int]] = {}
    for name, entry in first.items():
        try:
            path = _find(folder, entry, problems)
            shapes[path] = shapes[path] if path in shapes else open_scene(path).shape
        except (AnnotationError, SceneError) as error:
            problems.add(entry.place, str(error))
        else:
            images[name] = SourceImage(folder.name(path), path, shapes[path])
    for name in (each for each in first if each in folder.otherwise):
        place = f"{name} is {folder.name(folder.otherwise[name])}"
        problems.tell("images that are not named as on the disk, each the only one that fits", place)
    return images


def _find(folder: ImageFolder | ImageFolders, entry: Entry, problems: Problems) -> Path:
    """Find the image of an entry by its name, or by the first of its other names that there is, which is told.

    Raises:
        AnnotationError: there is none, or it is ambiguous.
    """
    try:
        return folder.find(entry.image)
    except AnnotationError:
        for name in entry.other_names:
            with contextlib.suppress(AnnotationError):
                path = folder.find(name)
                problems.tell("images found by another name than the file's", f"{entry.image} is {folder.name(path)}")
                return path
        raise


def _check_stated_size(image: SourceImage, entries: Sequence[Entry], problems: Problems) -> bool:
    """Check the sizes that a file states for an image against the image, and return whether they agree."""
    if image.shape is None:
        return True
    height, width = image.shape
    for entry in entries:
        if entry.size not in {None, image.shape}:
            stated = " x ".join(map(str, reversed(entry.size or ())))
            own = f"{image.name} is {width} x {height}{_turned(image, entry.size)}"
            problems.add(entry.place, f"made for an image of {stated}, but {own}")
            return False
    return True


def _turned(image: SourceImage, stated: tuple[int, int] | None) -> str:
    """Return what is said of a stated (height, width) that is the image's before it is turned, else nothing."""
    if image.shape is None or stated != image.shape[::-1] or open_scene(image.path).orientation < 5:
        return ""
    return (
        " as its EXIF orientation turns it, which viewers follow; to keep labels that were drawn on the pixels as they "
        "are stored, remove that tag (exiftool -Orientation= FILE)"
    )


def _check_sides(image: SourceImage, entries: Sequence[Entry], problems: Problems) -> None:
    """Check for lines that put the image in two splits or groups."""
    head = entries[0]
    for entry in entries:
        for what, one, other in (("split", head.split, entry.split), ("group", head.group, entry.group)):
            if one != other:
                where = f"line {head.line}{_elsewhere(head, entry)}"
                problems.add(
                    entry.place, f"{image.name} is in {what} {other or ''!r} here and in {one or ''!r} at {where}"
                )


def _elsewhere(other: Entry, entry: Entry) -> str:
    """Return the other entry's file for a message, empty where both are in one file."""
    return "" if other.source == entry.source else f" of {other.source}"


def _check_groups(by_image: Mapping[SourceImage, Sequence[Entry]], problems: Problems) -> None:
    """Check for groups that are on more than one side of the split."""
    sides: dict[str, dict[str, Entry]] = defaultdict(dict)
    for lines in by_image.values():
        for entry in lines:
            if entry.group is not None and entry.split is not None:
                sides[entry.group].setdefault(entry.split, entry)
    for group, entries in sides.items():
        first, *others = entries.values()
        for entry in others:
            where = f"{first.split!r} at line {first.line}{_elsewhere(first, entry)}"
            problems.add(
                entry.place, f"group {group!r} is in split {entry.split!r} here and in {where}; keep it on one side"
            )

"""Checks of annotation lines against their images, against each other, and against the split."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from detect.imagery.scenes import SceneError, open_scene
from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems, SourceImage
from detect.labels.images import ImageFolder, plain_name

_log = logging.getLogger(__name__)

EDGE_TOLERANCE_PX = 1.0
"""How far in pixels a box may reach beyond the edge of its image without being cut."""


def entries_by_image(entries: Sequence[Entry], root: Path | None, problems: Problems) -> dict[SourceImage, list[Entry]]:
    """Find the images that entries name and check every entry against its image, its neighbours and its group.

    Args:
        entries: lines of an annotation file.
        root: the data folder; None to take the names as they are and look at no image.
        problems: collects what is wrong.

    Returns:
        The entries of each image, in the file's order; boxes are cut at the edge of their image where they reach more
        than `EDGE_TOLERANCE_PX` beyond it. Entries without a readable image are left out.
    """
    images = _locate(entries, root, problems)
    by_image: dict[SourceImage, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.image in images:
            by_image[images[entry.image]].append(entry)
    cut: list[Entry] = []
    for image, lines in by_image.items():
        _check_inside(image, lines, problems)
        by_image[image] = [_cut(image, line, cut) for line in lines]
        _check_lines(image, lines, problems)
    _check_groups(by_image, problems)
    if cut:
        _log.warning(
            "%s: %d boxes reach more than %g pixel beyond the edge of their image and are cut there, such as line %d",
            problems.source,
            len(cut),
            EDGE_TOLERANCE_PX,
            cut[0].line,
        )
    return dict(by_image)


def _cut(image: SourceImage, entry: Entry, cut: list[Entry]) -> Entry:
    """Cut a box that reaches more than `EDGE_TOLERANCE_PX` beyond its image, and add its entry to `cut`."""
    if image.shape is None or len(entry.numbers or ()) != 4:
        return entry
    assert entry.numbers is not None
    height, width = image.shape
    limits = (width, height, width, height)
    inside = tuple(min(max(value, 0.0), float(limit)) for value, limit in zip(entry.numbers, limits, strict=True))
    if max(abs(a - b) for a, b in zip(inside, entry.numbers, strict=True)) <= EDGE_TOLERANCE_PX:
        return entry
    cut.append(entry)
    return replace(entry, numbers=inside)


def _locate(entries: Sequence[Entry], root: Path | None, problems: Problems) -> dict[str, SourceImage]:
    """Find the image of every name; missing and unreadable ones are added to `problems` and left out."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.image, entry)
    if root is None:
        return {name: SourceImage(plain_name(name), Path(plain_name(name)), None) for name in first}
    folder = ImageFolder(root)
    images: dict[str, SourceImage] = {}
    shapes: dict[Path, tuple[int, int]] = {}
    for name, entry in first.items():
        try:
            path = folder.find(name)
            shapes[path] = shapes[path] if path in shapes else open_scene(path).shape
        except (AnnotationError, SceneError) as error:
            problems.add(entry.place, str(error))
        else:
            images[name] = SourceImage(folder.name(path), path, shapes[path])
    return images


def _check_inside(image: SourceImage, entries: Sequence[Entry], problems: Problems) -> None:
    """Check coordinates and stated sizes against the image: points and the centres of boxes must be inside it."""
    if image.shape is None:
        return
    height, width = image.shape
    for entry in entries:
        if entry.size not in {None, image.shape}:
            stated = " x ".join(map(str, reversed(entry.size or ())))
            problems.add(entry.place, f"made for an image of {stated}, but {image.name} is {width} x {height}")
            return
        numbers = entry.numbers or ()
        if len(numbers) == 4:
            x, y = (numbers[0] + numbers[2]) / 2, (numbers[1] + numbers[3]) / 2
            if 0 <= x <= width and 0 <= y <= height:
                continue
        tolerance = EDGE_TOLERANCE_PX if len(numbers) == 4 else 0.0
        for i, value in enumerate(numbers):
            axis, side = ("y", height) if i % 2 else ("x", width)
            if not -tolerance <= value <= side + tolerance:
                name = axis if tolerance == 0 else axis + ("min" if i < 2 else "max")
                problems.add(
                    entry.place,
                    f"{name} {plain_number(value)} is outside {image.name}, {width} wide and {height} high; "
                    f"it must be in [{plain_number(-tolerance)}, {plain_number(side + tolerance)}]",
                )
                break


def plain_number(value: float) -> str:
    """Return the text of a number for a message: at most 12 digits, 0 without a sign."""
    return f"{value:.12g}" if value else "0"


def _check_lines(image: SourceImage, entries: Sequence[Entry], problems: Problems) -> None:
    """Check for lines that are repeated, contradict each other, or put the image in two splits or groups."""
    first: dict[tuple[tuple[float, ...] | None, str], Entry] = {}
    head = entries[0]
    empty = next((entry for entry in entries if entry.numbers is None), None)
    for entry in entries:
        before = first.setdefault((entry.numbers, entry.label), entry)
        if before is not entry:
            problems.add(entry.place, f"the same as line {before.line}{_elsewhere(before, entry)}; delete one of them")
        elif empty is not None and entry.numbers is not None:
            where = f"line {empty.line}{_elsewhere(empty, entry)}"
            problems.add(entry.place, f"an object in {image.name}, which is without objects at {where}")
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

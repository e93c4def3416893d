"""Boxes with a size, and objects at the edge of their image: one rule each."""

from collections.abc import Sequence
from dataclasses import replace

from detect.labels.entries import Entry, Problems, SourceImage, plain_number

EDGE_TOLERANCE_PX = 1.0
"""How far in pixels a box may reach beyond the edge of its image without being cut, and a point without being left out:
programs that count pixels from 1 or round write such places."""

LEAST_SHARE_INSIDE = 0.1
"""A box of which less than this share of its area is inside its image is left out."""


def is_nothing(entry: Entry) -> bool:
    """Return whether an entry is the box 0,0,0,0, by which some programs write that an image has no objects."""
    return entry.numbers is not None and len(entry.numbers) == 4 and not any(entry.numbers)


def with_size(entries: Sequence[Entry], problems: Problems) -> list[Entry]:
    """Return the entries without boxes that have no size; corners in another order are put right, and both told."""
    kept = []
    for entry in entries:
        numbers = entry.numbers
        if numbers is None or len(numbers) != 4:
            if numbers is not None and _normalised(numbers):
                problems.tell("points in the first pixel, which may be in shares of the image's sides", entry.place)
            kept.append(entry)
            continue
        x1, y1, x2, y2 = numbers
        if x1 == x2 or y1 == y2:
            box = ",".join(map(plain_number, numbers))
            problems.skip(
                entry.place,
                f"the box {box} has no size; its corners must satisfy xmin < xmax, ymin < ymax",
                entry.image,
            )
            continue
        if _normalised(numbers):
            box = ",".join(map(plain_number, numbers))
            problems.skip(
                entry.place, f"the box {box} is in shares of the image's sides and not in pixels as others", entry.image
            )
            continue
        right = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
        if right != numbers:
            problems.tell("corners of boxes in another order are put right", entry.place)
        kept.append(entry if right == numbers else replace(entry, numbers=right))
    return kept


def _normalised(numbers: Sequence[float]) -> bool:
    """Return whether all numbers are in [0, 1] and not all whole, so that a box is smaller than a pixel."""
    return all(0 <= value <= 1 for value in numbers) and not all(value in (0, 1) for value in numbers)


def is_outside(shape: tuple[int, int] | None, numbers: Sequence[float] | None) -> bool:
    """Return whether a point or box lies outside an image, or all but a sliver of a box does.

    Args:
        shape: (height, width) in pixels; None where it is not known.
        numbers: the point or the box's corners in order; None for no object.
    """
    if shape is None or numbers is None:
        return False
    height, width = shape
    if len(numbers) == 2:
        x, y = numbers
        return max(-x, x - width, -y, y - height) > EDGE_TOLERANCE_PX
    return _share_inside(shape, numbers) < LEAST_SHARE_INSIDE


def inside(image: SourceImage, entries: Sequence[Entry], problems: Problems) -> list[Entry]:
    """Return the entries that are in their image; boxes are cut at its edge, points moved to it, and both told.

    A box within `EDGE_TOLERANCE_PX` of the edge is left as it is.
    """
    if image.shape is None:
        return list(entries)
    kept = []
    for entry in entries:
        if is_outside(image.shape, entry.numbers):
            problems.skip(entry.place, outside_text(image, entry), entry.image)
            continue
        limits = (image.shape[1], image.shape[0]) * 2
        numbers = entry.numbers or ()
        cut = tuple(min(max(value, 0.0), float(limit)) for value, limit in zip(numbers, limits, strict=False))
        beyond = max((abs(a - b) for a, b in zip(cut, numbers, strict=True)), default=0.0)
        if beyond > (EDGE_TOLERANCE_PX if len(numbers) == 4 else 0.0):
            what = "boxes that reach beyond the edge of their image are cut there"
            problems.tell(what if len(numbers) == 4 else "points just beyond the edge are moved to it", entry.place)
            entry = replace(entry, numbers=cut)  # noqa: PLW2901
        kept.append(entry)
    return kept


def outside_text(image: SourceImage, entry: Entry) -> str:
    """Return how an object lies outside its image, for a message."""
    assert image.shape is not None and entry.numbers is not None
    height, width = image.shape
    place = ",".join(map(plain_number, entry.numbers))
    share = _share_inside(image.shape, entry.numbers) if len(entry.numbers) == 4 else 0.0
    how = f"with {100 * (1 - share):.0f} % of its area " if share else ""
    kind = "point" if len(entry.numbers) == 2 else "box"
    return f"the {kind} {place} is {how}outside {image.name}, {width} wide and {height} high"


def _share_inside(shape: tuple[int, int], numbers: Sequence[float]) -> float:
    """Return the share, in [0, 1], of a box's area that is inside an image."""
    (x1, y1, x2, y2), (height, width) = numbers, shape
    (left, right), (top, bottom) = sorted((x1, x2)), sorted((y1, y2))
    if left == right or top == bottom:
        return 0.0
    across = max(0.0, min(right, width) - max(left, 0.0)) / (right - left)
    down = max(0.0, min(bottom, height) - max(top, 0.0)) / (bottom - top)
    return across * down

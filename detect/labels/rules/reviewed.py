"""What reviewed windows and other labels of one image say together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from detect.imagery.windows import Window
from detect.labels.entries import Entry, Problems, SourceImage
from detect.labels.window_cover import unseen_parts

FAR_PX = 2**31
"""Side of what may be outside of reviewed windows, where the size of the image is not known."""

Box = tuple[float, ...]
"""Corners x1, y1, x2, y2 in pixels."""


def with_reviewed(image: SourceImage, entries: Sequence[Entry], problems: Problems) -> list[Entry]:
    """Return the entries of an image of which windows were reviewed: inside of those, the review says what is there.

    Of overlapping windows the later one does. Outside of them the other labels of the image count; where there are
    none, nothing is known and the rest of the image is ignored.

    Args:
        image: the image.
        entries: of all files that name it; those of a review have their window.
        problems: collects what is told.
    """
    reviewed = [entry for entry in entries if entry.window is not None]
    if not reviewed:
        return list(entries)
    reviews = list(dict.fromkeys((entry.source, entry.window) for entry in reversed(reviewed)))[::-1]
    windows = [window for _, window in reviews if window is not None]
    others = [entry for entry in entries if entry.window is None]
    kept = [each for each in reviewed if not _given_way(each, windows[reviews.index((each.source, each.window)) + 1 :])]
    if not others:
        problems.tell("images of which windows were reviewed, and all else is ignored", image.name)
        ignored = [
            replace(reviewed[0], numbers=_corners(part), label="", ignored=True)
            for part in unseen_parts(windows, image.shape or (FAR_PX, FAR_PX))
        ]
        return _stated(kept, ignored)
    for entry in others:
        if entry.is_object and _in_any(entry, windows):
            problems.tell("labels inside of windows that were reviewed give way to the review", entry.place)
    outside = [entry for entry in others if not (entry.is_object and _in_any(entry, windows))]
    plain = [entry for entry in outside if not entry.ignored]
    ignored = [replace(entry, numbers=part) for entry in outside if entry.ignored for part in _without(entry, windows)]
    head = others[0]
    return _stated([*plain, *(replace(each, split=head.split, group=head.group) for each in kept)], ignored)


def _stated(entries: Sequence[Entry], ignored: Sequence[Entry]) -> list[Entry]:
    """Return the objects and ignored areas of an image, or one statement that there are no objects."""
    objects = [entry for entry in entries if entry.numbers is not None]
    return [*(objects or [replace(entries[0], numbers=None, label="")]), *ignored]


def _given_way(entry: Entry, later: Sequence[Window]) -> bool:
    """Return whether a later review says what is there: of the whole window, far edges too, or of the place."""
    return entry.window in later or _in_any(entry, later)


def _in_any(entry: Entry, windows: Sequence[Window]) -> bool:
    """Return whether the centre of an object is in one of some windows; no object is in none."""
    if entry.numbers is None:
        return False
    x, y = _centre(entry.numbers)
    return any(each.col <= x < each.col_stop and each.row <= y < each.row_stop for each in windows)


def _centre(numbers: Sequence[float]) -> tuple[float, float]:
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    return (numbers[0] + numbers[2]) / 2, (numbers[1] + numbers[3]) / 2


def _corners(window: Window) -> Box:
    return window.col, window.row, window.col_stop, window.row_stop


def _without(entry: Entry, windows: Sequence[Window]) -> list[Box]:
    """Return the parts of an ignored area that are in no reviewed window."""
    parts: list[Box] = [tuple(entry.numbers or ())]
    for window in windows:
        parts = [rest for part in parts for rest in _cut(part, _corners(window))]
    return parts


def _cut(box: Box, hole: Box) -> Iterator[Box]:
    """Yield the parts of a box that are not in another: above, below, left and right of it."""
    (x1, y1, x2, y2), (left, top, right, bottom) = box, hole
    if right <= x1 or x2 <= left or bottom <= y1 or y2 <= top:
        yield box
        return
    rows = max(y1, top), min(y2, bottom)
    for part in (
        (x1, y1, x2, top),
        (x1, bottom, x2, y2),
        (x1, rows[0], left, rows[1]),
        (right, rows[0], x2, rows[1]),
    ):
        if part[0] < part[2] and part[1] < part[3]:
            yield part

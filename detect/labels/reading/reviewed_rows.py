"""The rows of `corrections.csv`, checked one by one."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from detect.imagery.windows import Window
from detect.labels.annotations import AnnotationError
from detect.labels.sheets import Sheet

HEADER = ("image", "x", "y", "w", "h", "label")
"""The object of a row: centre and size in pixels, `w` and `h` empty for points; all empty where a window has none."""

WINDOW = ("window_row", "window_col", "window_height", "window_width")
"""The reviewed window that it is in, in whole pixels."""

MAX_PIXELS = 2**31
"""A coordinate or size in pixels beyond this is no place in an image."""

_SHOWN = 40
"""Most characters of a field that a message shows."""


@dataclass(frozen=True)
class ReviewedRow:
    """A row: a window that was reviewed, and an object in it or the statement that there is none.

    Attributes:
        place: file and line, for messages.
        line: the line, from 1.
        image: the image's name.
        window: the window, in pixels of the file.
        xy: the object's centre; None where the window has none.
        wh: its width and height; None for points.
        label: its class name.
    """

    place: str
    line: int
    image: str
    window: Window
    xy: tuple[float, float] | None
    wh: tuple[float, float] | None
    label: str

    @property
    def corners(self) -> tuple[float, ...] | None:
        """The object as (x, y), or as x1, y1, x2, y2 of its box; None where there is none."""
        if self.xy is None or self.wh is None:
            return self.xy
        (x, y), (w, h) = self.xy, self.wh
        return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def is_reviewed(header: Sequence[str]) -> bool:
    """Return whether the header of a table is that of `corrections.csv`."""
    return {*HEADER, *WINDOW} <= set(header)


def reviewed_rows(sheet: Sheet) -> Iterator[ReviewedRow]:
    """Yield the rows of a table of corrections.

    Raises:
        AnnotationError: a column is missing, a field is empty or out of its range, an object is not in its window, or
            there are points and boxes; the message names the file and line.
    """
    missing = [name for name in (*HEADER, *WINDOW) if name not in sheet.header]
    if missing:
        needed = ",".join(HEADER + WINDOW)
        raise AnnotationError(f"{sheet.path}: columns missing: {', '.join(missing)}; the header must be {needed}")
    first: dict[bool, str] = {}
    for line, *texts in zip(sheet.lines, *map(sheet.column, (*HEADER, *WINDOW)), strict=True):
        row = _row(f"{sheet.path} line {line}", line, dict(zip(HEADER + WINDOW, texts, strict=True)))
        if row.xy is not None:
            first.setdefault(row.wh is not None, row.place)
        if len(first) > 1:
            raise AnnotationError(f"{first[True]}: a box, and {first[False]} is a point; keep them in two files")
        yield row


def _row(place: str, line: int, texts: dict[str, str]) -> ReviewedRow:
    """Return a row that was checked.

    Raises:
        AnnotationError: a field is wrong.
    """
    if not texts["image"]:
        raise AnnotationError(f"{place}: image must not be empty")
    window = Window(*(_whole(place, name, texts[name]) for name in WINDOW))
    if not any(texts[name] for name in HEADER[1:]):
        return ReviewedRow(place, line, texts["image"], window, None, None, "")
    if not texts["label"]:
        raise AnnotationError(f"{place}: label must be given for an object; leave x to label empty where there is none")
    xy = _pixels(place, "x", texts["x"]), _pixels(place, "y", texts["y"])
    if not (window.col <= xy[0] <= window.col_stop and window.row <= xy[1] <= window.row_stop):
        raise AnnotationError(f"{place}: x {texts['x']}, y {texts['y']} is not in its window, {window_words(window)}")
    wh = (_pixels(place, "w", texts["w"]), _pixels(place, "h", texts["h"])) if texts["w"] or texts["h"] else None
    if wh is not None and not min(wh) > 0:
        raise AnnotationError(f"{place}: w and h must be more than 0, got {texts['w']} and {texts['h']}")
    return ReviewedRow(place, line, texts["image"], window, xy, wh, texts["label"])


def window_words(window: Window) -> str:
    """Return a window in words, for messages."""
    return f"rows {window.row} to {window.row_stop} and columns {window.col} to {window.col_stop}"


def _whole(place: str, name: str, text: str) -> int:
    """Return a field of a window."""
    least = int(name in ("window_height", "window_width"))
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PIXELS))
    value = int(text) if digits else -1
    if not least <= value <= MAX_PIXELS:
        raise AnnotationError(
            f"{place}: {name} must be a whole number from {least} to {MAX_PIXELS}, got {text[:_SHOWN]!r}"
        )
    return value


def _pixels(place: str, name: str, text: str) -> float:
    """Return a field of an object."""
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= MAX_PIXELS:
        raise AnnotationError(f"{place}: {name} must be a number of pixels, got {text[:_SHOWN]!r}")
    return value

"""Entries: the lines of annotation files of any format, and the annotated images made of them."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from detect.imagery.windows import Window
from detect.labels.annotations import AnnotatedImage, AnnotationError
from detect.labels.sheets import writable

MAX_COORDINATE = 1e12
"""A number beyond this is no place, on a map or in an image."""

_PLACES_SHOWN = 5
"""Most places that a note lists."""

_MOST_LETTERS = 1000
"""Most characters of what is said of one row."""

_TEXT_SHOWN = 60
"""Most characters of a field that a message shows."""


@dataclass(frozen=True)
class Entry:
    """One line of an annotation file: an object, or the statement that an image has none.

    Attributes:
        source: the file.
        line: the line in it, from 1.
        image: the image as the file names it.
        numbers: (x, y) or (xmin, ymin, xmax, ymax) in pixels; None for an image without objects.
        label: the class name; empty for an image without objects.
        split: `train`, `val`, `test`, or None.
        group: the group's name, or None.
        size: (height, width) that the file states for the image, or None.
        other_names: names by which the image is looked for where there is none called `image`, in this order.
        ignored: whether it is no object but a box in which nothing is learned or scored.
        window: the reviewed window that it is of, in which its file names every object; None of other files.
        unit: what `line` counts, where the file has no lines that a person counts, such as `annotation`.
    """

    source: Path
    line: int
    image: str
    numbers: tuple[float, ...] | None
    label: str = ""
    split: str | None = None
    group: str | None = None
    size: tuple[int, int] | None = None
    other_names: tuple[str, ...] = ()
    ignored: bool = False
    window: Window | None = None
    unit: str = "line"

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.source} {self.unit} {self.line}"

    @property
    def is_object(self) -> bool:
        """Whether it is an object or a hard negative, and neither an empty image nor a region to ignore."""
        return self.numbers is not None and not self.ignored


def _bounded(text: str) -> str:
    """Return a text of a message without the middle of what is too long, such as a name of a million letters."""
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS // 2]} ... {text[-_MOST_LETTERS // 2 :]}"


@dataclass
class Problems:
    """What is wrong with an annotation file, collected so that it is told together.

    A problem stops the reading. A row that cannot be used is left out and told, so that one does not refuse a set,
    unless more rows are left out than kept: then the file is not understood. What can be used but looks wrong, or is
    put right, is told.

    Attributes:
        source: the file or folder being read.
        strict: whether a row that cannot be used is a problem.
        group_column: the column of tables that names the groups; None for that called `group`.
        shown: most problems, rows or places that are listed in full.
        found: the problems so far, each with its place.
        left_out: the rows that are left out so far, each with its place.
        notes: the places of everything else that is told, by what it is.
        images: the images of rows that are left out, as the file names them, where the row says so.
        partial: whether the file shows more objects than can be read from it, so that its counts are too low.
    """

    source: Path
    strict: bool = False
    group_column: str | None = None
    shown: int = 10
    found: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    partial: bool = False

    def add(self, place: str, text: str) -> None:
        """Add a problem and its place (file and line), which stops the reading."""
        self.found.append(f"{place}: {_bounded(text)}")

    def skip(self, place: str, text: str, image: str = "") -> None:
        """Add a row that is left out, with its place and why, and the image that it is of."""
        self.images += [image] if image else []
        (self.found if self.strict else self.left_out).append(f"{place}: {_bounded(text)}")

    def tell(self, text: str, place: str) -> None:
        """Add a place at which something is put right or looks wrong; one text is told once, with its places."""
        self.notes.setdefault(_bounded(text), []).append(_bounded(place))

    def stop(self, kept: int | None = None) -> None:
        """Raise the problems found; return if there are none.

        Args:
            kept: number of objects that are used; None while it is not known.

        Raises:
            AnnotationError: at least one problem, or more rows are left out than kept; the message lists up to `shown`.
        """
        found = list(self.found)
        if kept is not None and len(self.left_out) > kept:
            found += self.left_out
        if len(found) == 1:
            raise AnnotationError(found[0])
        if found:
            lines = found[: self.shown]
            rest = len(found) - len(lines)
            more = [f"... and {rest} more"] if rest else []
            raise AnnotationError("\n  ".join([f"{len(found)} problems in {self.source}", *lines, *more]))

    def told(self) -> tuple[str, ...]:
        """Return what is not an error but is told: a sentence for the rows left out, and one for each kind of note."""
        sentences = []
        if self.left_out:
            rest = len(self.left_out) - self.shown
            more = f"\n  ... and {rest} more" if rest > 0 else ""
            listed = "".join(f"\n  {self._short(each)}" for each in self.left_out[: self.shown])
            rows = "1 row" if len(self.left_out) == 1 else f"{len(self.left_out)} rows"
            sentences.append(f"{rows} left out:{listed}{more}")
        for text, places in self.notes.items():
            named = ", ".join(map(self._short, places[:_PLACES_SHOWN]))
            rest = len(places) - _PLACES_SHOWN
            number = f" ({len(places)})" if len(places) > 1 else ""
            sentences.append(f"{text}{number}: {named}{f' and {rest} more' if rest > 0 else ''}")
        return tuple(sentences)

    def _short(self, text: str) -> str:
        """Return a text without the file before its line, which is named once, or with its path below the folder."""
        return text.replace(f"{self.source} ", "").replace(f"{self.source}{os.sep}", "")


@dataclass(frozen=True)
class SourceImage:
    """An image that entries name.

    Attributes:
        name: its path below the data folder, with forward slashes.
        path: the image file.
        shape: (height, width) in pixels; None where no image file is opened.
    """

    name: str
    path: Path
    shape: tuple[int, int] | None


def parse_numbers(
    texts: Sequence[str], names: Sequence[str], place: str, problems: Problems, image: str = ""
) -> tuple[float, ...] | None:
    """Read the coordinates of a point or box; whether a box has a size is checked with all others later.

    Args:
        texts: two or four fields.
        names: of the fields, for messages.
        place: file and line, for messages.
        problems: collects rows with fields that are not finite numbers.
        image: the image that the row is of.

    Returns:
        The numbers in pixels; None if the row is left out.
    """
    numbers = []
    for text, name in zip(texts, names, strict=True):
        try:
            value = math.nan if "_" in text else float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= MAX_COORDINATE:
            problems.skip(place, f"{name} must be a finite number, got {text[:_TEXT_SHOWN]!r}", image)
            return None
        numbers.append(value)
    return tuple(numbers)


def name_beside(file: Path, name: str, root: Path | None) -> str:
    """Return the path below the data folder of an image beside the file that names it; the name where there is none.

    Args:
        file: the file of annotations.
        name: as the file writes it.
        root: the data folder; None if no image is opened.
    """
    if root is None or "\0" in name or not file.parent.is_relative_to(root):
        return name
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0].startswith("/") or PureWindowsPath(name).drive or ".." in parts:
        return name
    path = file.parent.joinpath(*parts)
    return path.relative_to(root).as_posix() if os.path.isfile(path) else name  # noqa: PTH113, for names too long


def plain_number(value: float) -> str:
    """Return the text of a number for a message: at most 12 digits, 0 without a sign."""
    return f"{value:.12g}" if value else "0"


def labelled_objects(image: AnnotatedImage, boxes: bool) -> Iterator[tuple[NDArray[np.float64], str]]:
    """Yield (x, y) or (xmin, ymin, xmax, ymax) and label of every object, then of every hard negative.

    Raises:
        ValueError: hard negatives without names, a label that cannot be written, or points among boxes.
    """
    if len(image.negative_names) != len(image.negatives):
        raise ValueError(f"{image.name}: the negatives have no names; give negative_names to write them")
    for xy, wh, names in (
        (image.objects.xy, image.objects.wh, image.objects.names),
        (image.negatives, image.negative_wh, image.negative_names),
    ):
        if len(xy) and boxes == (wh is None):
            raise ValueError(f"{image.name}: points and boxes cannot be written to one file")
        numbers = xy if wh is None else np.concatenate([xy - wh / 2, xy + wh / 2], axis=1)
        yield from zip(numbers, (writable(name, "label") for name in names), strict=True)

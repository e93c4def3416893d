"""Entries: the lines of annotation files of any format, and the annotated images made of them."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.labels.annotations import AnnotatedImage, AnnotationError
from detect.labels.detections import Detections
from detect.labels.sheets import writable

_log = logging.getLogger(__name__)


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
    """

    source: Path
    line: int
    image: str
    numbers: tuple[float, ...] | None
    label: str = ""
    split: str | None = None
    group: str | None = None
    size: tuple[int, int] | None = None

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.source} line {self.line}"


@dataclass
class Problems:
    """The problems of an annotation file, collected so that one error lists them together.

    Attributes:
        source: the file or folder being read.
        shown: most problems that the error lists in full.
        found: the problems so far, each with its place.
    """

    source: Path
    shown: int = 10
    found: list[str] = field(default_factory=list)

    def add(self, place: str, text: str) -> None:
        """Add a problem and its place (file and line)."""
        self.found.append(f"{place}: {text}")

    def stop(self) -> None:
        """Raise the problems found; return if there are none.

        Raises:
            AnnotationError: at least one problem; the message lists up to `shown` of them.
        """
        if len(self.found) == 1:
            raise AnnotationError(self.found[0])
        if self.found:
            lines = self.found[: self.shown]
            rest = len(self.found) - len(lines)
            more = [f"... and {rest} more"] if rest else []
            raise AnnotationError("\n  ".join([f"{len(self.found)} problems in {self.source}", *lines, *more]))


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
    texts: Sequence[str], names: Sequence[str], place: str, problems: Problems
) -> tuple[float, ...] | None:
    """Read the coordinates of a point or box.

    Args:
        texts: two or four fields.
        names: of the fields, for messages.
        place: file and line, for messages.
        problems: collects fields that are not finite numbers, and boxes without a size.

    Returns:
        The numbers in pixels; None if there was a problem.
    """
    numbers = []
    for text, name in zip(texts, names, strict=True):
        try:
            value = math.nan if "_" in text else float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            problems.add(place, f"{name} must be a finite number, got {text!r}")
            return None
        numbers.append(value)
    if len(numbers) == 4 and not (numbers[0] < numbers[2] and numbers[1] < numbers[3]):
        box = ",".join(texts)
        problems.add(place, f"box {box} has no size; its corners must satisfy xmin < xmax and ymin < ymax")
        return None
    return tuple(numbers)


def choose_classes(
    entries: Sequence[Entry], negative_labels: Sequence[str], classes: Sequence[str] | None, problems: Problems
) -> tuple[str, ...]:
    """Return the class list: the one given, or the sorted labels in use without the negative ones.

    Args:
        entries: lines of an annotation file.
        negative_labels: labels of hard negatives; one that does not occur is a warning in the log.
        classes: the class list, or None.
        problems: collects labels that are neither in `classes` nor negative.

    Raises:
        ValueError: a label is both a class and a negative label.
    """
    both = sorted(set(negative_labels) & set(classes or ()))
    if both:
        raise ValueError(f"labels {both} are both classes and negative labels; choose one")
    used = {entry.label for entry in entries if entry.numbers is not None}
    unused = sorted(set(negative_labels) - used)
    if unused:
        _log.warning("%s: negative labels %s do not occur; the labels are %s", problems.source, unused, sorted(used))
    if classes is None:
        return tuple(sorted(used - set(negative_labels)))
    known = {*classes, *negative_labels}
    for entry in entries:
        if entry.numbers is not None and entry.label not in known:
            problems.add(entry.place, f"label {entry.label!r} is unknown; the classes are {list(classes)}")
    return tuple(classes)


def annotated_image(
    image: SourceImage, entries: Sequence[Entry], classes: Sequence[str], boxes: bool
) -> AnnotatedImage:
    """Make an annotated image of its entries; those with labels outside `classes` are hard negatives."""
    lines = [entry for entry in entries if entry.numbers is not None]
    objects = [entry for entry in lines if entry.label in classes]
    others = [entry for entry in lines if entry.label not in classes]
    xy, wh = _centres(objects, boxes)
    negatives, sizes = _centres(others, boxes)
    return AnnotatedImage(
        name=image.name,
        path=image.path,
        shape=image.shape or (0, 0),
        objects=Detections.truth(xy, [entry.label for entry in objects], classes, wh),
        negatives=negatives,
        split=entries[0].split,
        group=entries[0].group,
        negative_names=tuple(entry.label for entry in others),
        negative_wh=sizes,
    )


def _centres(entries: Sequence[Entry], boxes: bool) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return centres (N, 2) and sizes (N, 2) in pixels; no sizes for points."""
    numbers = np.array([entry.numbers for entry in entries], np.float64).reshape(-1, 4 if boxes else 2)
    if not boxes:
        return numbers, None
    return (numbers[:, :2] + numbers[:, 2:]) / 2, numbers[:, 2:] - numbers[:, :2]


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

"""Annotated images made of the entries of a file, and the classes in use."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detect.labels.annotations import AnnotatedImage
from detect.labels.detections import Detections
from detect.labels.entries import Entry, Problems, SourceImage

logger = logging.getLogger(__name__)


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
    used = {entry.label for entry in entries if entry.is_object}
    unused = sorted(set(negative_labels) - used)
    if unused:
        logger.warning("%s: negative labels %s do not occur; the labels are %s", problems.source, unused, sorted(used))
    if classes is None:
        return tuple(sorted(used - set(negative_labels)))
    known = {*classes, *negative_labels}
    for entry in entries:
        if entry.is_object and entry.label not in known:
            problems.add(entry.place, f"label {entry.label!r} is unknown; the classes are {list(classes)}")
    return tuple(classes)


def renamed(entries: Sequence[Entry], names: Mapping[str, str], problems: Problems) -> list[Entry]:
    """Return the entries with new names of labels; a name that no label has is told.

    Args:
        entries: lines of an annotation file.
        names: new names by old ones; several old ones may get one new name.
        problems: collects what is told.
    """
    used = {entry.label for entry in entries if entry.numbers is not None}
    for old in names:
        if old not in used:
            problems.tell(f"no label is called as data.labels.names says; the labels are {sorted(used)}", repr(old))
    return [replace(entry, label=names[entry.label]) if entry.label in names else entry for entry in entries]


def annotated_image(
    image: SourceImage, entries: Sequence[Entry], classes: Sequence[str], boxes: bool
) -> AnnotatedImage:
    """Make an annotated image of its entries; those with labels outside `classes` are hard negatives."""
    lines = [entry for entry in entries if entry.is_object]
    regions = [entry.numbers for entry in entries if entry.ignored and entry.numbers is not None]
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
        ignored=np.array(regions, np.float64).reshape(-1, 4),
    )


def _centres(entries: Sequence[Entry], boxes: bool) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return centres (N, 2) and sizes (N, 2) in pixels; no sizes for points."""
    numbers = np.array([entry.numbers for entry in entries], np.float64).reshape(-1, 4 if boxes else 2)
    if not boxes:
        return numbers, None
    return (numbers[:, :2] + numbers[:, 2:]) / 2, numbers[:, 2:] - numbers[:, :2]

"""Annotation files: CSV tables of points or boxes read and written, Pascal VOC read by way of `voc`."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from detect.labels.checks import gather
from detect.labels.detections import Detections
from detect.labels.entries import Entry, Problems, choose_classes, labelled_objects, parse_numbers, to_image
from detect.labels.sheets import Sheet, number_text, read_sheet, writable, write_sheet
from detect.labels.sources import AnnotationError, Annotations
from detect.labels.voc import read_voc

_log = logging.getLogger(__name__)

POINTS = ("image", "x", "y", "label")
"""The header of a table of points; `split` and `group` may follow."""
BOXES = ("image", "xmin", "ymin", "xmax", "ymax", "label")
"""The header of a table of boxes; `split` and `group` may follow."""
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""The words for the sides of a split, and what each is called here."""


def read_annotations(
    path: Path, root: Path, *, negative_labels: Sequence[str] = (), classes: Sequence[str] | None = None
) -> Annotations:
    """Read labelled images: a CSV table of points or boxes, a Pascal VOC file, or a folder of them.

    A CSV table has the header `image,x,y,label` or `image,xmin,ymin,xmax,ymax,label`, in any order, with optional
    columns `split` (train, val, test) and `group`. A row with an image and neither coordinates nor label says that the
    image was looked at and holds nothing. Points lie in their image; boxes may leave it by a pixel.

    Args:
        path: a `.csv` file, an `.xml` file, or a folder of `.xml` files.
        root: the data folder, below which the images are found (`ImageFolder.find`).
        negative_labels: labels of look-alikes: background worth learning from, not objects.
        classes: the class list and its order; None for the sorted labels in use, without the negative ones.

    Returns:
        The images in the file's order.

    Raises:
        AnnotationError: up to ten of the problems found, each with its file and line.
        ValueError: a negative label is a class too.
    """
    problems = Problems(path)
    entries, boxes = _read_entries(path, root, problems)
    chosen = choose_classes(entries, negative_labels, classes, problems)
    by_image = gather(entries, root, problems)
    problems.stop()
    images = tuple(to_image(image, lines, chosen, boxes) for image, lines in by_image.items())
    return Annotations(images, chosen, boxes, path)


def read_truth(
    path: Path, *, negative_labels: Sequence[str] = (), classes: Sequence[str] | None = None
) -> dict[str, Detections]:
    """Read the objects alone, where the images are not at hand: what predictions are compared with.

    Names are those in the file (`match_names` pairs them with predictions); coordinates are not held against an image.

    Args:
        path: as for `read_annotations`, and so are `negative_labels` and `classes`.
        negative_labels: labels that are not objects.
        classes: the class list; None for the sorted labels in use.

    Returns:
        The objects of every image in the file, those without any too.

    Raises:
        AnnotationError: up to ten of the problems found, each with its file and line.
    """
    problems = Problems(path)
    entries, boxes = _read_entries(path, None, problems)
    chosen = choose_classes(entries, negative_labels, classes, problems)
    by_image = gather(entries, None, problems)
    problems.stop()
    return {image.name: to_image(image, lines, chosen, boxes).objects for image, lines in by_image.items()}


def _read_entries(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the lines of a file and say whether they are boxes."""
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".xml":
        entries, boxes = read_voc(path, root, problems), True
    elif suffix == ".csv":
        sheet = read_sheet(path)
        boxes = _kind(sheet) == BOXES
        entries = list(_csv_entries(sheet, BOXES if boxes else POINTS, problems))
    else:
        raise AnnotationError(f"{path}: annotations are a .csv file, an .xml file or a folder of .xml files")
    if not entries and not problems.found:
        raise AnnotationError(f"{path}: no annotations at all: there is a header and nothing below it")
    return entries, boxes


def _kind(sheet: Sheet) -> tuple[str, ...]:
    """Say which of the two headers a table has, and log the columns that are not used."""
    missing = {kind: [name for name in kind if name not in sheet.header] for kind in (POINTS, BOXES)}
    if not any(missing.values()):
        raise AnnotationError(f"{sheet.path}: has columns for points (x, y) and for boxes (xmin, ...); remove one kind")
    best = min(missing, key=lambda kind: len(missing[kind]))
    if missing[best]:
        hint = next((f"; are the columns separated by {mark!r}?" for mark in ";\t|" if mark in sheet.header[0]), "")
        raise AnnotationError(
            f"{sheet.path}: columns missing: {', '.join(missing[best])}; the header must have {','.join(POINTS)} or "
            f"{','.join(BOXES)} and has {','.join(sheet.header)}{hint}"
        )
    extra = [name for name in sheet.header if name and name not in (*best, "split", "group")]
    if extra:
        _log.info("%s: columns not used: %s", sheet.path, ", ".join(extra))
    return best


def _csv_entries(sheet: Sheet, kind: Sequence[str], problems: Problems) -> Iterator[Entry]:
    columns = [sheet.column(name) for name in (*kind, "split", "group")]
    for line, image, *texts, label, side, group in zip(sheet.lines, *columns, strict=True):
        place = f"{sheet.path} line {line}"
        if side and side.lower() not in SPLITS:
            problems.add(place, f"split must be train, val or test, or empty, got {side!r}")
            continue
        split = SPLITS[side.lower()] if side else None
        if image and not label and not any(texts):
            yield Entry(sheet.path, line, image, None, "", split, group or None)
            continue
        fields = zip(kind, (image, *texts, label), strict=True)
        empty = [name for name, text in fields if not text]
        if empty:
            problems.add(
                place, f"{', '.join(empty)} empty; fill in the row, or leave only the image for one without objects"
            )
            continue
        numbers = parse_numbers(texts, kind[1:-1], place, problems)
        if numbers is not None:
            yield Entry(sheet.path, line, image, numbers, label, split, group or None)


def write_annotations(annotations: Annotations, path: Path) -> None:
    """Write a CSV table that `read_annotations` reads back the same, given the same classes and negative labels.

    Coordinates have all their digits. `split` and `group` are columns if any image has them. In each image the objects
    come first, then the look-alikes under their own labels.

    Raises:
        ValueError: a name or label cannot be written, or look-alikes have no names or, among boxes, no sizes.
    """
    kind = BOXES if annotations.boxes else POINTS
    extra = [name for name in ("split", "group") if any(getattr(image, name) for image in annotations.images)]
    rows: list[list[str]] = []
    for image in annotations.images:
        tail = [writable(value, name) if (value := getattr(image, name)) else "" for name in extra]
        name = writable(image.name, "image name")
        lines = [
            [name, *map(number_text, numbers), label, *tail]
            for numbers, label in labelled_objects(image, annotations.boxes)
        ]
        rows += lines or [[name, *[""] * (len(kind) - 1), *tail]]
    write_sheet(path, (*kind, *extra), rows)

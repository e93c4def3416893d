"""CSV tables of points or boxes: `image,x,y,label` or `image,xmin,ymin,xmax,ymax,label`."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.entries import Entry, Problems, labelled_objects, parse_numbers
from detect.labels.sheets import Sheet, number_text, read_sheet, writable, write_sheet

_log = logging.getLogger(__name__)

POINTS = ("image", "x", "y", "label")
"""The header of a table of points; `split` and `group` may follow."""

BOXES = ("image", "xmin", "ymin", "xmax", "ymax", "label")
"""The header of a table of boxes; `split` and `group` may follow."""

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""The side of a split that each word in a file means."""


def is_csv_table(path: Path) -> bool:
    """Return whether a path is a CSV table, by its ending."""
    return path.suffix.lower() == ".csv" and not path.is_dir()


def read_csv_table(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the entries of a CSV table of points or boxes.

    Args:
        path: the file.
        root: the data folder; not used, images are named by their path below it.
        problems: collects rows that cannot be used.

    Returns:
        The entries, and whether they are boxes.

    Raises:
        AnnotationError: no such file, not a CSV table, or columns missing.
    """
    sheet = read_sheet(path)
    header = _header_of(sheet)
    return list(_entries(sheet, header, problems)), header == BOXES


def _header_of(sheet: Sheet) -> tuple[str, ...]:
    """Return which of the two headers a table has, and log the columns that are not used."""
    missing = {header: [name for name in header if name not in sheet.header] for header in (POINTS, BOXES)}
    if not any(missing.values()):
        raise AnnotationError(f"{sheet.path}: has columns for points (x, y) and for boxes (xmin, ...); remove one kind")
    best = min(missing, key=lambda header: len(missing[header]))
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


def _entries(sheet: Sheet, header: Sequence[str], problems: Problems) -> Iterator[Entry]:
    """Yield the entries of the rows; rows that cannot be used are added to `problems`."""
    columns = [sheet.column(name) for name in (*header, "split", "group")]
    for line, image, *texts, label, side, group in zip(sheet.lines, *columns, strict=True):
        place = f"{sheet.path} line {line}"
        if side and side.lower() not in SPLITS:
            problems.add(place, f"split must be train, val or test, or empty, got {side!r}")
            continue
        split = SPLITS[side.lower()] if side else None
        if image and not label and not any(texts):
            yield Entry(sheet.path, line, image, None, "", split, group or None)
            continue
        fields = zip(header, (image, *texts, label), strict=True)
        empty = [name for name, text in fields if not text]
        if empty:
            problems.add(
                place, f"{', '.join(empty)} empty; fill in the row, or leave only the image for one without objects"
            )
            continue
        numbers = parse_numbers(texts, header[1:-1], place, problems)
        if numbers is not None:
            yield Entry(sheet.path, line, image, numbers, label, split, group or None)


def write_csv_table(annotations: Annotations, path: Path) -> None:
    """Write annotations as a CSV table, whole or not at all.

    Coordinates have all their digits, so that reading the table with the same classes and negative labels returns the
    same annotations. `split` and `group` are columns if any image has them. Of each image the objects come first, then
    the hard negatives under their own labels.

    Raises:
        ValueError: a name or label cannot be written, or hard negatives have no names or, among boxes, no sizes.
    """
    header = BOXES if annotations.boxes else POINTS
    extra = [name for name in ("split", "group") if any(getattr(image, name) for image in annotations.images)]
    rows: list[list[str]] = []
    for image in annotations.images:
        tail = [writable(value, name) if (value := getattr(image, name)) else "" for name in extra]
        name = writable(image.name, "image name")
        lines = [
            [name, *map(number_text, numbers), label, *tail]
            for numbers, label in labelled_objects(image, annotations.boxes)
        ]
        rows += lines or [[name, *[""] * (len(header) - 1), *tail]]
    write_sheet(path, (*header, *extra), rows)

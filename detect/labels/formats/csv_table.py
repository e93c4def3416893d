"""CSV tables of points or boxes, `image,x,y,label` or `image,xmin,ymin,xmax,ymax,label`, and those of other programs.

DeepForest writes `image_path,xmin,ymin,xmax,ymax,label`, HerdNet `images,x,y,labels`, keras-retinanet no header.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.columns import (
    BLANKS,
    Columns,
    NumberStyle,
    find_columns,
    header_of_data,
    known_columns,
    number_style,
)
from detect.labels.dialects import DELIMITERS, head_of, read_foreign_sheet
from detect.labels.entries import Entry, Problems, labelled_objects, parse_numbers
from detect.labels.formats.detections_csv import HEADER
from detect.labels.sheets import Sheet, number_text, writable, write_sheet

logger = logging.getLogger(__name__)

POINTS = ("image", "x", "y", "label")
"""The header of a table of points; `split` and `group` may follow."""

BOXES = ("image", "xmin", "ymin", "xmax", "ymax", "label")
"""The header of a table of boxes; `split` and `group` may follow."""

_SPLIT_WORDS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing", "tst"),
}
SPLITS = {word: side for side, words in _SPLIT_WORDS.items() for word in words}
"""The side of a split that each word in a file means, in lower case."""

ONE_CLASS = "object"
"""The class of objects in a table without labels."""

ENDINGS = (".csv", ".tsv", ".tab")
"""The endings of tables."""

_OTHER_ENDINGS, _LEAST_KNOWN = (".txt", ".dat", ""), 3
"""Endings of files that are tables if so many of their columns are known."""

_KEPT_ROLES = ("image", "label", "split", "group")


def is_csv_table(path: Path) -> bool:
    """Return whether a path is a table, by its ending, and for `.txt` and others by the names of its columns too."""
    if path.is_dir():
        return False
    if path.suffix.lower() in ENDINGS:
        return True
    head = head_of(path) if path.suffix.lower() in _OTHER_ENDINGS else None
    return head is not None and max(known_columns(head.split(mark)) for mark in DELIMITERS) >= _LEAST_KNOWN


def read_csv_table(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the entries of a table of points or boxes, whatever program wrote it (`find_columns`).

    Args:
        path: the file.
        root: the data folder; not used, images are named by their path below it.
        problems: collects rows that cannot be used.

    Returns:
        The entries, and whether they are boxes.

    Raises:
        AnnotationError: no such file, not a table, or columns missing or ambiguous.
    """
    foreign = read_foreign_sheet(path, known_columns, header_of_data)
    columns = _columns_of_detections(foreign.sheet) or find_columns(path, foreign.sheet.header)
    if problems.group_column is not None:
        columns = columns.grouped_by(problems.group_column, path, foreign.sheet.header)
    for sentence in foreign.told:
        logger.info("%s: %s", path, sentence)
    used = {columns.roles[role] for role in columns.roles if role in (*_KEPT_ROLES, *columns.number_roles)}
    extra = [name for name in foreign.sheet.header if name and name not in used]
    if extra:
        logger.info("%s: columns not used: %s", path, ", ".join(extra))
    if "group" not in columns.roles and "image" in columns.roles:
        for name in extra:
            _tell_of_groups(foreign.sheet, columns.roles["image"], name)
    if "label" not in columns.roles:
        problems.tell(f"there is no column of labels, so all objects are of one class, {ONE_CLASS!r}", str(path))
    return list(_entries(foreign.sheet, columns, problems)), columns.kind != "points"


def _tell_of_groups(sheet: Sheet, image: str, name: str) -> None:
    """Log that a column looks like one of groups: one value an image, and fewer values than images, two or more."""
    value_of: dict[str, str] = {}
    for key, value in zip(sheet.column(image), sheet.column(name), strict=True):
        if not value or value_of.setdefault(key, value) != value:
            return
    number = len(set(value_of.values()))
    if 1 < number < len(value_of):
        logger.warning(
            "%s: the column %s looks like groups of images that belong together (%d values in %d images, one an image) "
            "and is not used: data.group_column=%s keeps each on one side, so that scores are of other groups than "
            "those that were learned",
            *(sheet.path, name, number, len(value_of), name),
        )


def _columns_of_detections(sheet: Sheet) -> Columns | None:
    """Return the columns of `detections.csv`, whose x and y are centres, and whose sizes are blank for points."""
    if not set(HEADER) <= set(sheet.header):
        return None
    roles = {"image": "image", "label": "label", "x": "x", "y": "y", "width": "w", "height": "h"}
    return Columns(roles, "centre" if any(sheet.column("w")) else "points")


def _entries(sheet: Sheet, columns: Columns, problems: Problems) -> Iterator[Entry]:
    """Yield the entries of the rows; rows that cannot be used are added to `problems`."""
    numbers = [sheet.column(name) for name in columns.numbers]
    style = _style_of(sheet, numbers)
    without = [""] * len(sheet.rows)
    rest = [sheet.column(columns.roles[role]) if role in columns.roles else without for role in _KEPT_ROLES]
    for line, texts, (image, label, side, group) in zip(sheet.lines, _rows(numbers), _rows(rest), strict=True):
        place = f"{sheet.path} line {line}"
        if side and side.lower() not in SPLITS:
            problems.add(place, f"split must be train, val or test, or empty, got {side!r}")
            continue
        empty = Entry(sheet.path, line, image, None, "", SPLITS[side.lower()] if side else None, group or None)
        blank = [name for name, text in zip(columns.numbers, texts, strict=True) if text.lower() in BLANKS]
        if image and len(blank) == len(texts):
            if label and label.lower() not in BLANKS:
                problems.tell("rows with a label and without a place are images without objects", place)
            yield empty
            continue
        missing = [
            *([] if image else ["image"]),
            *blank,
            *(["label"] if "label" in columns.roles and not label else []),
        ]
        if missing:
            text = f"{', '.join(missing)} empty; fill in the row, or leave only the image for one without objects"
            problems.skip(place, text, image)
            continue
        read = parse_numbers([style.plain(text) for text in texts], columns.numbers, place, problems, image)
        if read is not None:
            yield replace(empty, numbers=columns.corners(read), label=label or ONE_CLASS)


def _style_of(sheet: Sheet, numbers: Sequence[Sequence[str]]) -> NumberStyle:
    """Return how the numbers in some columns are written.

    Raises:
        AnnotationError: that cannot be told.
    """
    style = number_style([text for column in numbers for text in column])
    if style is None:
        line, text = next((sheet.lines[i], t) for column in numbers for i, t in enumerate(column) if "," in t)
        raise AnnotationError(
            f"{sheet.path} line {line}: {text} may have a decimal comma or a comma between thousands, and so may all "
            "others; write numbers with decimal points"
        )
    return style


def _rows(columns: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of columns of one length."""
    return zip(*columns, strict=True)


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

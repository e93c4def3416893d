"""Tables of whole images and their classes, `image,label`, with `split` and `group` where there are any.

Several rows of an image are several classes; a row with an empty label is an image with none. Of `corrections.csv`, in
which a person reviewed whole images, everything that is in a window is a class of its image.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from detect.imagery.windows import Window
from detect.labels.annotations import AnnotatedImage, AnnotationError, Annotations
from detect.labels.columns import class_columns, header_of_data, known_columns
from detect.labels.detections import Detections
from detect.labels.dialects import DELIMITERS, head_of, read_foreign_sheet
from detect.labels.entries import Problems
from detect.labels.formats.corrections_csv import is_corrections
from detect.labels.formats.csv_table import ENDINGS, SPLITS
from detect.labels.formats.patch_folder import PatchFolder
from detect.labels.images import ImageFolders
from detect.labels.reading.reviewed_rows import reviewed_rows, window_words
from detect.labels.rules.doubles import tell_spellings
from detect.labels.sheets import Sheet, read_sheet

logger = logging.getLogger(__name__)

Row = tuple[str, str, str, str, str]
"""Place, image, label, split and group of a row of a table."""


def is_image_classes(path: Path) -> bool:
    """Return whether a path is a table of images and their classes: it has no column of places in the image."""
    if path.is_dir() or path.suffix.lower() not in ENDINGS:
        return False
    head = head_of(path)
    return head is not None and any(
        class_columns([name.strip().strip('"') for name in head.split(mark)]) is not None for mark in DELIMITERS
    )


def read_image_classes(
    path: Path | Sequence[Path],
    roots: Sequence[Path] | None,
    names: Mapping[str, str] | None = None,
    group_column: str | None = None,
    nothing: str = "",
) -> PatchFolder:
    """Read whole images and their classes.

    Args:
        path: the table, or several, beside which there may be corrections of a review.
        roots: the folders in which the images are (`ImageFolders.find`); None to take the names as they are and look
            at no image.
        names: new names of labels by those in the file.
        group_column: the column that says which images belong together; None for that called `group`.
        nothing: the class of images in which a review found nothing; empty for none.

    Returns:
        The images in the files' order, classes sorted.

    Raises:
        AnnotationError: not such a table, an image that is not there, an image on two sides, in two groups or in two
            tables, another word than a side's, a review of a part of an image, or no label at all; up to ten of them,
            each with its line.
    """
    tables = [path] if isinstance(path, Path) else list(dict.fromkeys(path))
    problems = Problems(tables[0])
    rows = [(table, row) for table in tables for row in _rows_of(table, group_column, nothing, problems)]
    folders = None if roots is None else ImageFolders(roots)
    labels, facts, shown = _by_file(rows, folders, names or {}, problems)
    problems.stop()
    classes = tuple(sorted({label for each in labels.values() for label in each}))
    if not classes:
        raise AnnotationError(f"{tables[0]}: no image has a label; fill in the column of labels")
    tell_spellings((label for each in labels.values() for label in each), problems)
    for sentence in problems.told():
        logger.warning("%s: %s", tables[0], sentence)
    logger.info("%s: %d images of %d classes", ", ".join(map(str, tables)), len(labels), len(classes))
    return _folder(labels, facts, shown, classes)


def _by_file(
    rows: Sequence[tuple[Path, Row]], folders: ImageFolders | None, names: Mapping[str, str], problems: Problems
) -> tuple[dict[Path, list[str]], dict[Path, tuple[str, str]], dict[Path, str]]:
    """Return the labels of each image, its split and group, and its name, from rows of tables."""
    files: dict[str, Path] = {}
    labels: dict[Path, list[str]] = {}
    facts: dict[Path, tuple[str, str]] = {}
    first: dict[Path, Path] = {}
    for table, (place, image, label, side, group) in rows:
        try:
            file = files[image] if image in files else Path(image) if folders is None else folders.find(image)
        except AnnotationError as error:
            problems.add(place, str(error))
            continue
        files[image] = file
        if first.setdefault(file, table) != table:
            problems.add(place, f"{image} is in {first[file]} too; keep its rows in one table")
        elif facts.setdefault(file, (side, group)) != (side, group):
            problems.add(place, f"{image} has another split or group in a row before; give it one of each")
        labels.setdefault(file, []).extend([names.get(label, label)] if label else [])
    shown = {file: image if folders is None else folders.name(file) for image, file in files.items()}
    return labels, facts, shown


def _folder(
    labels: Mapping[Path, Sequence[str]],
    facts: Mapping[Path, tuple[str, str]],
    shown: Mapping[Path, str],
    classes: tuple[str, ...],
) -> PatchFolder:
    present = np.zeros((len(labels), len(classes)), bool)
    for row, each in enumerate(labels.values()):
        present[row, [classes.index(label) for label in each]] = True
    sides = tuple(SPLITS[side.lower()] if side else None for side, _ in facts.values())
    groups = tuple(group or None for _, group in facts.values())
    return PatchFolder(
        tuple(labels),
        present.argmax(axis=1).astype(np.int64),
        classes,
        sides,
        tuple(shown[file] for file in labels),
        groups if any(groups) else (),
        None if (present.sum(axis=1) == 1).all() else present,
    )


def _rows_of(path: Path, group_column: str | None, nothing: str, problems: Problems) -> list[Row]:
    """Return the rows of a table of classes, or of corrections; those that cannot be used are problems."""
    if is_corrections(path):
        return _reviewed(path, nothing, problems)
    return _rows(read_foreign_sheet(path, known_columns, header_of_data).sheet, group_column, problems)


def _reviewed(path: Path, nothing: str, problems: Problems) -> list[Row]:
    """Return what was in the windows of a review as rows; a window that is no whole image is a problem."""
    rows = list(reviewed_rows(read_sheet(path)))
    windows: dict[str, set[Window]] = {}
    for row in rows:
        windows.setdefault(row.image, set()).add(row.window)
    for row in rows:
        x1, y1, x2, y2 = (row.corners or ()) if row.wh is not None else (0, 0, 0, 0)
        beyond = x2 > row.window.col_stop or y2 > row.window.row_stop or min(x1, y1) < 0
        if len(windows[row.image]) > 1 or row.window.row or row.window.col or beyond:
            problems.add(
                row.place,
                f"{row.image} was reviewed in parts ({window_words(row.window)}), and its class is one of a whole "
                "image; draw windows as large as the images (detect.survey side=...)",
            )
    return [(row.place, row.image, row.label or nothing, "", "") for row in rows]


def _rows(sheet: Sheet, group_column: str | None, problems: Problems) -> list[Row]:
    """Return the rows of a table; those that cannot be used are problems."""
    roles = class_columns(sheet.header)
    if roles is None:
        raise AnnotationError(
            f"{sheet.path}: a table of whole images must have the columns image,label, and has {','.join(sheet.header)}"
        )
    if group_column is not None:
        if group_column not in sheet.header:
            raise AnnotationError(
                f"{sheet.path}: has no column {group_column!r} (data.group_column); it has {', '.join(sheet.header)}"
            )
        roles["group"] = group_column
    blank = [""] * len(sheet.rows)
    columns = [sheet.column(roles[role]) if role in roles else blank for role in ("image", "label", "split", "group")]
    rows = []
    for line, image, label, side, group in zip(sheet.lines, *columns, strict=True):
        place = f"{sheet.path} line {line}"
        if not image:
            problems.add(place, "image empty; fill in the row, or remove it")
        elif side and side.lower() not in SPLITS:
            problems.add(place, f"split must be train, val or test, or empty, got {side!r}")
        else:
            rows.append((place, image, label, side, group))
    return rows


def as_annotations(folder: PatchFolder, source: Path) -> Annotations:
    """Return whole images as annotated ones, each class as a box that is the image, so that sides are drawn alike.

    Args:
        folder: the images and their classes; sizes are not read, and boxes are of one pixel.
        source: the table or folder that they are from.
    """
    images = []
    for row, (path, name) in enumerate(zip(folder.paths, folder.names, strict=True)):
        found = [folder.label[row]] if folder.present is None else np.flatnonzero(folder.present[row])
        places = np.full((len(found), 2), 0.5)
        objects = Detections(places, np.ones(len(found)), np.array(found), folder.classes, 2 * places)
        group = folder.group[row] if folder.group else None
        images.append(AnnotatedImage(name, path, (1, 1), objects, np.empty((0, 2)), folder.split[row], group))
    return Annotations(tuple(images), folder.classes, True, source)

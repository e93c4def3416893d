"""`detections.csv`: the detections of a run, a row each."""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.files import replace_file
from detect.imagery.ground.geodesy import GeodesyError, Placement
from detect.labels.annotations import AnnotationError
from detect.labels.detections import Detections
from detect.labels.sheets import Sheet, cell_text, read_sheet, sheet_text, writable

logger = logging.getLogger(__name__)

MAX_PIXELS = 2**31
"""A coordinate or size in pixels beyond this is no place in an image."""

HEADER = ("image", "x", "y", "w", "h", "score", "label")
"""The columns: centre and size in pixels, `w` and `h` empty for points; score in [0, 1]."""

GROUND = ("map_x", "map_y", "lon", "lat")
"""Further columns where an image has a georeference: the centre in its raster's coordinates, and in degrees of WGS 84.

They are empty for images without one, and degrees where the coordinate system is not known.
"""

SCORE_DIGITS = 6
"""Decimals of a score."""

DEGREE_DIGITS = 9
"""Decimals of degrees: a tenth of a millimetre."""

MORE_DIGITS, MOST_DIGITS = 3, 12
"""Decimals of map coordinates beyond the size of a pixel, and most of all."""

OBJECT = "object"
"""A last column, where images show the same ground: the number, from 1, of the object that a detection shows."""


def write_detections(by_image: Mapping[str, Detections], path: Path) -> None:
    """Write detections (`detections_bytes`), whole or not at all."""
    with replace_file(path) as part:
        part.write_bytes(detections_bytes(by_image))


def detections_bytes(
    by_image: Mapping[str, Detections],
    placements: Mapping[str, Placement | None] | None = None,
    objects: Mapping[str, NDArray[np.int64]] | None = None,
) -> bytes:
    """Return detections as CSV, pixels to 3 decimals and scores to 6.

    A row is an object, so that rows add up to counts; an image without objects has no row.

    Args:
        by_image: the detections of each image.
        placements: where images lie on a map; where any does, the columns of `GROUND` are there.
        objects: (N,) number of the object on the ground that each detection of an image shows, for a last column
            `object`; None for no such column.

    Raises:
        ValueError: an image or class name cannot be written.
    """
    placed = {name: each for name, each in (placements or {}).items() if each is not None}
    header = (*HEADER, *(GROUND if placed else ()), *(() if objects is None else (OBJECT,)))
    return "".join([sheet_text(header, ()), *_lines(by_image, placed, objects)]).encode("utf-8")


def _lines(
    by_image: Mapping[str, Detections],
    placed: Mapping[str, Placement],
    objects: Mapping[str, NDArray[np.int64]] | None,
) -> Iterator[str]:
    """Yield a row for each object; with places on the ground where any image has them, and its number there.

    Names and labels are guarded and quoted once; numbers need neither.
    """
    told: set[str] = set()
    labels: dict[str, str] = {}
    nowhere = [repeat("")] * len(GROUND) if placed else []
    for image, found in by_image.items():
        for each in found.classes:
            if each not in labels:
                labels[each] = cell_text(writable(each, "label"))
        name = cell_text(writable(image, "image name"))
        columns: list[Iterable[str]] = [repeat(name), *(_fixed(found.xy[:, axis], 3) for axis in (0, 1))]
        columns += [repeat("")] * 2 if found.wh is None else [_sizes(found.wh[:, axis]) for axis in (0, 1)]
        columns += [_fixed(found.score, SCORE_DIGITS), [labels[found.classes[label]] for label in found.label.tolist()]]
        columns += _ground(found, placed[image], told) if image in placed else nowhere
        if objects is not None:
            columns.append(map(str, _as_many(objects[image], len(found)).tolist()))
        yield from (f"{','.join(row)}\n" for row in zip(*columns, strict=False))


def _as_many(numbers: NDArray[np.int64], objects: int) -> NDArray[np.int64]:
    """Return the numbers of an image's objects, if there are as many."""
    if len(numbers) != objects:
        raise ValueError(f"{objects} objects have {len(numbers)} numbers on the ground")
    return np.asarray(numbers)


def _ground(found: Detections, placement: Placement, told: set[str]) -> list[list[str]]:
    """Return the columns of `GROUND` of an image's objects; why there are no degrees is logged once."""
    map_xy = placement.map_xy(found.xy)
    degrees = np.full_like(map_xy, np.nan)
    try:
        degrees = placement.lonlat(found.xy)
    except GeodesyError as error:
        if str(error) not in told:
            logger.warning("no longitude and latitude in the table: %s", error)
            told.add(str(error))
    a, b, _, d, e, _ = placement.transform[:6]
    side = min(math.hypot(a, d), math.hypot(b, e))
    digits = MOST_DIGITS if side <= 0 else min(MOST_DIGITS, max(0, MORE_DIGITS - math.floor(math.log10(side))))
    where = [_fixed(map_xy[:, axis], digits) for axis in (0, 1)]
    at = [_fixed(degrees[:, axis], DEGREE_DIGITS) for axis in (0, 1)]
    known = np.isfinite(degrees).tolist()
    return [*where, *([text if ok[i] else "" for text, ok in zip(at[i], known, strict=True)] for i in (0, 1))]


def _fixed(values: NDArray[np.float64], digits: int) -> list[str]:
    """Return the texts of numbers rounded to some decimals, 0 without a sign."""
    zero = f"{0.0:.{digits}f}"
    texts = [f"{value:.{digits}f}" for value in values.tolist()]
    return [zero if text == f"-{zero}" else text for text in texts] if (values <= 0).any() else texts


def _sizes(values: NDArray[np.float64]) -> list[str]:
    """Return the texts of sizes: 3 decimals, or all digits where those would round one to 0."""
    texts = zip(_fixed(values, 3), values.tolist(), strict=True)
    return [text if text != "0.000" else repr(value) for text, value in texts]


def read_detections(path: Path, classes: Sequence[str] | None = None) -> dict[str, Detections]:
    """Read `detections.csv`.

    Args:
        path: the file.
        classes: the class list and its order; None for the sorted labels in use.

    Returns:
        The objects of each image that has any, in the file's order, all with the same classes. Images without objects
        are not in this file but in `counts.csv`.

    Raises:
        AnnotationError: a column is missing, a field is empty or out of its range, a label is not in `classes`, or an
            image has points and boxes; the message names the file and line.
    """
    sheet = read_sheet(path)
    missing = [name for name in HEADER if name not in sheet.header]
    if missing:
        raise AnnotationError(f"{path}: columns missing: {', '.join(missing)}; the header must be {','.join(HEADER)}")
    names, labels = sheet.column("image"), sheet.column("label")
    chosen = tuple(sorted(set(labels))) if classes is None else tuple(classes)
    _require(sheet, np.array([bool(name) for name in names], bool), "image", "must not be empty")
    _require(sheet, np.array([bool(name) for name in labels], bool), "label", "must not be empty")
    _require(sheet, np.array([name in chosen for name in labels], bool), "label", f"must be one of {list(chosen)}")
    xy = np.stack([_numbers(sheet, "x"), _numbers(sheet, "y")], axis=1)
    score = _numbers(sheet, "score")
    _require(sheet, (score >= 0) & (score <= 1), "score", "must be in [0, 1]")
    has_size = _has_size(sheet)
    wh = np.stack([_numbers(sheet, "w", has_size), _numbers(sheet, "h", has_size)], axis=1)
    for column, values in (("w", wh[:, 0]), ("h", wh[:, 1])):
        _require(sheet, (values > 0) | ~has_size, column, "must be positive")
    position = {name: i for i, name in enumerate(chosen)}
    label = np.array([position[name] for name in labels], np.int64)
    return {
        name: Detections(xy[rows], score[rows], label[rows], chosen, wh[rows] if has_size[rows].all() else None)
        for name, rows in _rows_by_image(names).items()
    }


def _rows_by_image(names: Sequence[str]) -> dict[str, NDArray[np.intp]]:
    """Return the row numbers of each image."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    return {name: np.array(numbers, np.intp) for name, numbers in rows.items()}


def _has_size(sheet: Sheet) -> NDArray[np.bool_]:
    """Mark the rows that are boxes, and check that an image has either boxes or points."""
    sized = np.array([bool(text) for text in sheet.column("w")], bool)
    first: dict[str, bool] = {}
    fits = [first.setdefault(name, bool(one)) == one for name, one in zip(sheet.column("image"), sized, strict=True)]
    _require(sheet, np.array(fits, bool), "w", "must be given for all objects of an image or for none")
    both = np.array([bool(text) for text in sheet.column("h")], bool) == sized
    _require(sheet, both, "h", "must be given where w is, and only there")
    return sized


def _numbers(sheet: Sheet, column: str, rows: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Return a column of numbers of pixels or scores, 0 in the rows that are not in `rows`."""
    texts = sheet.column(column)
    wanted = np.ones(len(texts), bool) if rows is None else rows
    values = np.zeros(len(texts))
    for row in np.flatnonzero(wanted):
        try:
            values[row] = np.nan if "_" in texts[row] else float(texts[row])
        except ValueError:
            values[row] = np.nan
    _require(sheet, np.isfinite(values), column, "must be a finite number")
    _require(sheet, np.abs(values) <= MAX_PIXELS, column, f"must be at most {MAX_PIXELS}")
    return values


def _require(sheet: Sheet, fits: NDArray[np.bool_], column: str, rule: str) -> None:
    """Check a column: raise for the first row that is not in `fits`.

    Args:
        sheet: the table.
        fits: (rows,) bool, whether each row is right.
        column: its name.
        rule: what the column must be, for the message.

    Raises:
        AnnotationError: with the file, line and field of the first wrong row.
    """
    wrong = np.flatnonzero(~fits)
    if len(wrong):
        value = sheet.column(column)[wrong[0]]
        rest = f" (and {len(wrong) - 1} more rows)" if len(wrong) > 1 else ""
        raise AnnotationError(f"{sheet.path} line {sheet.lines[wrong[0]]}: {column} {rule}, got {value!r}{rest}")

"""Defects of wafers as CSV: a row a defect, streamed; reading it gives the same wafers.

What is not kept: the names of classes of which a wafer has no defect, the dies that were inspected, and the remarks.
"""

import csv
import math
from collections.abc import Iterable, Iterator
from itertools import groupby, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.files import replace_file
from detect.imagery.spreadsheet_cells import guarded
from detect.imagery.wafers.wafer import Wafer

HEADER = (
    *("lot", "wafer", "x_mm", "y_mm", "die_col", "die_row", "size_mm", "class", "class_name"),
    *("diameter_mm", "pitch_x_mm", "pitch_y_mm", "mark", "images"),
)
"""The columns of the file."""


def write_defects(path: Path, parts: Iterable[Wafer]) -> None:
    """Write wafers, whole or in parts; the file is there when all are written.

    A wafer without defects has one row, without x and y.

    Args:
        path: the file, which is replaced.
        parts: wafers; parts of one follow each other.

    Raises:
        ValueError: a name has blanks around it or a line break, and would be read back as another; nothing is written.
        NoRoomError: the disk is full; nothing is written.
    """
    with replace_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for _, wafer in groupby(parts, key=lambda each: (each.lot, each.name)):
            count = 0
            for part in wafer:
                writer.writerows(_rows(part))
                count += len(part)
            if not count:
                writer.writerow([_name(part.lot, "lot"), _name(part.name, "wafer"), *[""] * 7, *_same(part), ""])


def _rows(part: Wafer) -> Iterator[tuple[object, ...]]:
    """Return an iterator of the rows of some defects."""
    names = {number: _name(name, "class") for number, name in part.kind_names.items()}
    kinds = part.kinds.tolist()
    dies = [repeat("")] * 2 if part.die is None else part.die.T.tolist()
    return zip(
        repeat(_name(part.lot, "lot")),
        repeat(_name(part.name, "wafer")),
        *part.xy_mm.T.tolist(),
        *dies,
        _sizes(part.size_mm),
        kinds,
        [names.get(kind, "") for kind in kinds],
        *map(repeat, _same(part)),
        [_name(name, "image") for name in part.images] or repeat(""),
    )


def _same(part: Wafer) -> tuple[object, ...]:
    """Return the fields that are the same for every defect of a wafer."""
    pitch = part.pitch_mm or ("", "")
    return float(part.diameter_mm), *pitch, _name(part.mark or "", "mark")


def _sizes(sizes: NDArray[np.float64]) -> list[object]:
    """Return sizes, a blank for an unknown one."""
    return ["" if math.isnan(value) else value for value in sizes.tolist()]


def _name(text: str, what: str) -> str:
    """Return a name as a cell.

    Raises:
        ValueError: it would be read back as another.
    """
    if text != text.strip() or not text.isprintable():
        raise ValueError(
            f"the {what} {text[:80]!r} cannot be written as CSV: it has blanks around it, or is not printable"
        )
    return guarded(text)

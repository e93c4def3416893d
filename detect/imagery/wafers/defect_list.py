"""Lists of defects as CSV: a row a defect, wafers one after the other, read some rows at a time."""

import csv
import re
from collections.abc import Iterator
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO

from detect.imagery.wafers.errors import WAY_TO_KEEP, CutOffError, WaferError
from detect.imagery.wafers.list_columns import ListColumns, find_columns, has_places
from detect.imagery.wafers.list_rows import ListRows, Row
from detect.imagery.wafers.wafer import Wafer

LINE_BYTES = 1 << 16
"""Greatest length of a line."""

ROW_BYTES = 1 << 20
"""Greatest length of a row, whose fields may have several lines, and of all lines before the header."""

BYTES_AT_ONCE = 8 << 20
"""Most text of the rows that are held at once."""

ROWS_AT_ONCE = 16384
"""Rows that are held at once."""

MOST_COMMENTS = 1000
"""Lines before the header."""

MOST_WAFERS = 10_000
"""Wafers of a list."""

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def is_defect_list(beginning: bytes) -> bool:
    """Return whether a file is a list of defects as CSV, by its first bytes: whether its header has x and y.

    A header with x and y in a unit is one even if it is wrong, so that reading the list says what is.
    """
    lines = beginning.decode("utf-8-sig", "replace").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    try:
        find_columns(comments, header)
    except (ValueError, csv.Error):
        return has_places(header)
    return True


def read_defect_list(file: BinaryIO, path: Path, keep: bool) -> Iterator[Wafer]:
    """Yield the wafers of a list, each in parts that follow each other: some of its defects, and none in the last.

    Args:
        file: the file, at its beginning.
        path: its path, for messages, and for the wafer's name where the list gives none.
        keep: whether a last row that was cut off is left out, which the last part's remarks say.

    Raises:
        WaferError: something is wrong; names the line.
    """
    lines = _Lines(file, path)
    columns = _head(lines, path)
    made = ListRows(columns, path)
    known: set[tuple[str, str]] = set()
    cut: list[CutOffError] = []
    for wafer, rows in groupby(_rows(lines, columns, cut if keep else None), key=lambda row: made.wafer_of(row.fields)):
        first = next(rows)
        if wafer in known:
            raise WaferError(path, first.line, f"wafer {wafer[1]!r} is there already; sort the rows by lot and wafer")
        if len(known) == MOST_WAFERS:
            raise WaferError(path, first.line, f"more than {MOST_WAFERS:,} wafers; is the column wafer another?")
        known.add(wafer)
        made.begin(first)
        for some in _batches(chain((first,), rows), lines):
            yield made.part(some)
        yield made.close(cut)
    if not known:
        raise WaferError(path, lines.line, "the list has no rows; a wafer without defects has one without x and y")


def _batches(rows: Iterator[Row], lines: "_Lines") -> Iterator[list[Row]]:
    """Yield rows some at a time."""
    some: list[Row] = []
    end = lines.read + BYTES_AT_ONCE
    for row in rows:
        some.append(row)
        if len(some) == ROWS_AT_ONCE or lines.read > end:
            yield some
            some, end = [], lines.read + BYTES_AT_ONCE
    if some:
        yield some


def _head(lines: "_Lines", path: Path) -> ListColumns:
    """Read the header and what stands before it."""
    comments: list[str] = []
    for line in lines:
        if line.startswith("#") and len(comments) < MOST_COMMENTS:
            comments.append(line)
        elif line.strip():
            try:
                return find_columns(comments, line.rstrip("\r\n"))
            except (ValueError, csv.Error) as error:
                raise WaferError(path, lines.line, str(error)) from None
    raise WaferError(path, 1, "the list has no header")


def _rows(lines: "_Lines", columns: ListColumns, cut: list[CutOffError] | None) -> Iterator[Row]:
    """Yield the rows; a last one that was cut off is added to `cut` as an error, or raised if that is None."""
    reader = csv.reader(lines, delimiter=columns.delimiter, strict=True)
    line, lines.row_bytes = lines.line + 1, 0
    try:
        for fields in reader:
            if not any(map(str.strip, fields)):
                pass
            elif len(fields) == columns.count:
                yield Row(fields, line)
            elif lines.open_end and len(fields) < columns.count:
                _cut_off(CutOffError(lines.path, line, _CUT), cut)
            else:
                raise WaferError(lines.path, line, f"{len(fields)} fields, and the header has {columns.count}")
            line, lines.row_bytes = lines.line + 1, 0
    except csv.Error as error:
        if not lines.open_end:
            raise WaferError(lines.path, line, f"not CSV ({error}); look for a stray quotation mark") from None
        _cut_off(CutOffError(lines.path, line, _CUT), cut)


_CUT = f"the last row is cut off; copy the file again, or {WAY_TO_KEEP} reads what is whole"


def _cut_off(error: CutOffError, cut: list[CutOffError] | None) -> None:
    """Raise the error of a list that was cut off, or keep it."""
    if cut is None:
        raise error
    cut.append(error)


class _Lines:
    """The lines of a text, bounded in length, with the number of the last that was read.

    Attributes:
        line: that number, from 1.
        open_end: whether the last line had no end.
        read: bytes that were read.
        row_bytes: bytes of the row that is read, which is set to 0 after it.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.path, self.line, self.open_end = path, 0, False
        self.read = self.row_bytes = 0
        self._file = file

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        data = self._file.readline(LINE_BYTES + 1)
        if not data:
            raise StopIteration
        self.line += 1
        if len(data) > LINE_BYTES:
            raise WaferError(self.path, self.line, f"longer than {LINE_BYTES:,} bytes; is there a defect a line?")
        self.read, self.row_bytes = self.read + len(data), self.row_bytes + len(data)
        if self.row_bytes > ROW_BYTES:
            what = f"a row, or what stands before the header, of more than {ROW_BYTES:,} bytes"
            raise WaferError(self.path, self.line, f"{what}; look for a stray quotation mark")
        odd = _CONTROL.search(data)
        if odd is not None:
            raise WaferError(self.path, self.line, f"a byte of value {odd.group()[0]}, which no text has")
        self.open_end = not data.endswith(b"\n")
        try:
            return data.decode("utf-8-sig" if self.line == 1 else "utf-8")
        except UnicodeDecodeError:
            return data.decode("latin-1")

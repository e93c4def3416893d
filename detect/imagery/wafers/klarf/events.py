"""What a KLARF file is made of, the same for both forms: fields, small tables, lots and wafers, and rows of defects."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import numpy as np

from detect.imagery.wafers.errors import CutOffError
from detect.imagery.wafers.klarf.number_rows import Rows, plain_rows
from detect.imagery.wafers.klarf.sample_plan import Plan
from detect.imagery.wafers.klarf.text_blocks import TextBlocks, Word

FILE, LOT, WAFER = "FILERECORD", "LOTRECORD", "WAFERRECORD"
"""Parts of a file that have fields of their own."""

FIELDS = (
    *("FILEVERSION", "LOTID", "SAMPLETYPE", "SAMPLESIZE", "DIEPITCH", "DIEORIGIN", "SAMPLECENTERLOCATION"),
    *("SAMPLEORIENTATIONMARKTYPE", "ORIENTATIONMARKLOCATION", "ORIENTATIONINSTRUCTIONS", "COORDINATESMIRRORED"),
)
"""Fields that are read, others are passed over."""

ROWS_AT_ONCE = 16384
"""Rows that are read word by word before they are handed on."""


class Field(NamedTuple):
    """A named value or several, as texts; the name in upper case."""

    name: str
    values: tuple[str, ...]
    line: int


class Table(NamedTuple):
    """A small list, such as that of the classes; names in upper case, values as texts."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    line: int


class Begin(NamedTuple):
    """The beginning of a part: of the file, a lot or a wafer."""

    kind: str
    name: str
    line: int


class End(NamedTuple):
    """The end of a part."""

    kind: str
    line: int


class WordRow(NamedTuple):
    """A defect that was read word by word: its numbers, nan for words that are none, its images, its last line."""

    values: list[float]
    images: str
    line: int


class DefectRows(ABC):
    """A list of defects before which the reader stands: it is read or skipped before anything else is read.

    Args:
        text: the text, in front of the first row.
        columns: names of the columns, in upper case.
        line: where the list begins.
        count: how many rows the list says that it has; None where it does not.
    """

    list_end: ClassVar[bytes]
    row_end: ClassVar[bytes]

    def __init__(self, text: TextBlocks, columns: tuple[str, ...], line: int, count: int | None = None) -> None:
        self.text, self.columns, self.line, self.count = text, columns, line, count
        self.where = f"in the list of defects that begins at line {line}"

    def read(self) -> Iterator[Rows]:
        """Yield the rows, many at a time, and pass over the end of the list.

        Raises:
            WaferError: a row is wrong; rows before it were handed on.
            CutOffError: the text ends inside the list; whole rows before were handed on.
        """
        over, cut = False, None
        while not over:
            rows = self._plain()
            if rows is None:
                rows, over, cut = self._worded()
            if len(rows.values):
                yield rows
            if cut is not None:
                raise cut

    @abstractmethod
    def skip(self) -> None:
        """Pass over the list and its end."""

    @abstractmethod
    def _whole_rows(self, data: bytes) -> tuple[int, bytes]:
        """Return how many bytes of some hold whole rows, and these rows as text of numbers."""

    @abstractmethod
    def _row(self) -> WordRow | None:
        """Read a row word by word; None at the end of the list, which is passed over."""

    def _plain(self) -> Rows | None:
        """Read what is left of the block if it is all numbers."""
        rest = self.text.rest()
        end = rest.find(self.list_end)
        count, data = self._whole_rows(rest if end < 0 else rest[:end])
        rows = plain_rows(data, len(self.columns), self.row_end)
        if rows is None or not self._fits(rows):
            return None
        rows = rows._replace(lines=rows.lines + self.text.line)
        self.text.advance(count)
        return rows

    def _fits(self, rows: Rows) -> bool:
        """Return whether rows may be read without their words."""
        return True

    def _worded(self) -> tuple[Rows, bool, CutOffError | None]:
        """Read rows word by word, to the end of the block; and whether the list is over, and the text cut off."""
        rows: list[WordRow] = []
        block, over, cut = self.text.blocks, False, None
        try:
            while len(rows) < ROWS_AT_ONCE and self.text.blocks == block and not over:
                row = self._row()
                over = row is None
                if row is not None:
                    rows.append(row)
        except CutOffError as error:
            cut = error
        values = np.array([row.values for row in rows], np.float64).reshape(len(rows), len(self.columns))
        images = tuple(row.images for row in rows)
        lines = np.array([row.line for row in rows], np.int64)
        return Rows(values, lines, images if any(images) else ()), over, cut

    def _next(self) -> Word:
        """Read a word inside the list."""
        word = self.text.next()
        if word is None:
            raise self.text.cut_off(self.where)
        return word


def number(text: str) -> float:
    """Return a word's number, nan where it is none."""
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def whole(text: str) -> int | None:
    """Return a word's whole number of 0 or more and at most nine digits, None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def check_over(text: TextBlocks) -> None:
    """Check that nothing follows the end of the file.

    Raises:
        WaferError: something does, as where two files were put together.
    """
    word = text.next()
    if word is not None and word.is_mark(";"):
        word = text.next()
    if word is not None and word.text != "\x1a":
        raise text.error("text after EndOfFile; are these two files in one? Cut it there", word.line)


Event = Field | Table | Plan | Begin | End | DefectRows

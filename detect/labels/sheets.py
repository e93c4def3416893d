"""CSV files as sheets of text with the line number of every row, and text that can be read back unchanged.

CSV is written here (RFC 4180, UTF-8, lines that end in a line feed), but for the defects of wafers, which are streamed
(`imagery/wafers/defect_writing.py`). Cells that a spreadsheet would run are guarded (`imagery/spreadsheet_cells.py`).
"""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from detect.imagery.files import read_regular, replace_file
from detect.imagery.spreadsheet_cells import guarded, unguarded
from detect.labels.annotations import AnnotationError

MAX_TABLE_BYTES = 1 << 30
"""Most bytes of a table that is read."""


@dataclass(frozen=True)
class Sheet:
    """The rows of a CSV file (RFC 4180), without blanks around the fields and without blank rows.

    Attributes:
        path: the file.
        header: the names of its columns.
        lines: the line on which each row starts, from 1, as an editor counts.
        rows: the fields of each row, one for each column of the header; those that a short row lacks are empty.
    """

    path: Path
    header: tuple[str, ...]
    lines: list[int]
    rows: list[list[str]]

    def column(self, name: str) -> list[str]:
        """Return the fields of a column; empty ones if there is no such column."""
        if name not in self.header:
            return [""] * len(self.rows)
        position = self.header.index(name)
        return [row[position] for row in self.rows]


def read_sheet(path: Path) -> Sheet:
    """Read a CSV file in UTF-8, with or without a byte order mark.

    Raises:
        AnnotationError: no such file, not UTF-8, an empty file, a column named twice, a row longer than the header, or
            a quote that is not closed.
    """
    numbered = _records(path)
    if not numbered:
        raise AnnotationError(f"{path}: the file is empty; it needs a header and rows")
    header = tuple(numbered[0][1])
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise AnnotationError(f"{path} line {numbered[0][0]}: columns {twice} occur twice; keep one of each")
    lines, rows = [], []
    for line, fields in numbered[1:]:
        if any(fields[len(header) :]):
            raise AnnotationError(f"{path} line {line}: {len(fields)} fields, but the header has {len(header)}")
        lines.append(line)
        rows.append(fields[: len(header)] + [""] * (len(header) - len(fields)))
    return Sheet(path, header, lines, rows)


def _records(path: Path) -> list[tuple[int, list[str]]]:
    """Read the rows that are not blank, each with the line on which it starts; blanks around the fields are removed."""
    if not path.exists():
        raise AnnotationError(f"{path}: no such file")
    records = []
    for line, fields in read_rows(path, skip_blanks=True):
        stripped = [unguarded(field.strip()) for field in fields]
        if any(stripped):
            records.append((line, stripped))
    return records


def read_rows(path: Path, *, skip_blanks: bool = False, errors: str = "strict") -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV file as they stand in it, apostrophes of `guarded` too.

    Args:
        path: the file, in UTF-8 with or without a byte order mark.
        skip_blanks: whether blanks after a comma are left out, before a quote too.
        errors: what bytes that are not UTF-8 become, as in `bytes.decode`.

    Yields:
        The line, from 1, on which a row starts that has any fields, and those.

    Raises:
        FileNotFoundError: no such file.
        AnnotationError: not a file, more than `MAX_TABLE_BYTES`, not UTF-8, or a quote that is not closed.
    """
    try:
        text = read_regular(path, MAX_TABLE_BYTES).decode("utf-8-sig", errors)
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: not text in UTF-8 (byte {error.start}); save it as CSV UTF-8") from error
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=skip_blanks, strict=True)
    line = 1
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise AnnotationError(f"{path} line {line}: not CSV ({error}); look for a stray quote") from error


def sheet_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a CSV file as text; a field with a line feed or a carriage return is quoted, and stays in its row."""
    lines = _Lines()
    # csv quotes what is in its own line end; older versions of Python quote no carriage return without it
    writer = csv.writer(lines, lineterminator="\r\n")
    for row in (header, *rows):
        writer.writerow([guarded(cell) for cell in row])
    return "".join(lines)


def cell_text(cell: str) -> str:
    """Return a cell as it stands in a row of `sheet_text` with others: for rows of which many cells are the same."""
    return sheet_text((cell, ""), ()).removesuffix(",\n")


class _Lines(list[str]):
    """The lines that a `csv.writer` writes, ended by a line feed."""

    def write(self, line: str) -> None:
        """Add a line."""
        self.append(line.removesuffix("\r\n") + "\n")


def write_sheet(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file in UTF-8, whole or not at all."""
    write_whole(path, sheet_text(header, rows))


def write_whole(path: Path, text: str) -> None:
    """Write a text file as UTF-8 with plain line ends, whole or not at all."""
    with replace_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


class UnwritableError(ValueError):
    """A name that would not be read back from a table as it was written."""


def writable(text: str, what: str) -> str:
    """Return a name if it can be written and read back unchanged.

    Args:
        text: the name.
        what: what the name is of, for the message.

    Raises:
        UnwritableError: it is empty, has blanks at its ends, or has line breaks, control characters or bytes that are
            not text.
    """
    controls = any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)
    if not text or text != text.strip() or controls:
        raise UnwritableError(
            f"{what} {text!r} cannot be written: it is empty, or has blanks around it or control characters; rename it"
        )
    return text


def number_text(value: float) -> str:
    """Return the text of a float64 with all the digits needed to read the same one back; integers without a point."""
    return repr(float(value)).removesuffix(".0")

"""CSV files as sheets of text with the line number of every row, and text that can be read back unchanged."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from detect.imagery.files import replace_file
from detect.labels.annotations import AnnotationError


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
    """Read the rows that are not blank, each with the line on which it starts."""
    if not path.is_file():
        raise AnnotationError(f"{path}: no such file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: not text in UTF-8 (byte {error.start}); save it as CSV UTF-8") from error
    reader = csv.reader(io.StringIO(text), skipinitialspace=True, strict=True)
    records, line = [], 1
    try:
        for fields in reader:
            stripped = [field.strip() for field in fields]
            if any(stripped):
                records.append((line, stripped))
            line = reader.line_num + 1
    except csv.Error as error:
        raise AnnotationError(f"{path} line {line}: not CSV ({error}); look for a stray quote") from error
    return records


def write_sheet(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file in UTF-8, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_whole(path, text.getvalue())


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

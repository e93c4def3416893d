"""Tables of other programs: their letters' encoding, the lines before their header, and what separates their fields.

Each is found from the file itself, and read where there is one reading. What is not as this program writes it is told.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from detect.imagery.files import read_regular
from detect.imagery.spreadsheet_cells import unguarded
from detect.labels.annotations import AnnotationError
from detect.labels.sheets import MAX_TABLE_BYTES, Sheet

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What separates fields, with its name."""

_COMMENT, _MAX_HEAD_LINES = "#", 100
_SEPARATOR_LINE = "sep="
"""The first line of a table by which Excel is told what separates its fields, such as `sep=;`."""

_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class ForeignSheet:
    """A table as another program wrote it.

    Attributes:
        sheet: its rows.
        told: what is not as this program writes it, in words.
        delimiter: what separates its fields.
    """

    sheet: Sheet
    told: tuple[str, ...]
    delimiter: str


Score = Callable[[Sequence[str]], int]
"""Returns how many names of a header are known; a delimiter by which more are known is the right one."""


Header = Callable[[Sequence[str]], tuple[str, ...] | None]
"""Returns the names of the columns of a first row that is data already; None where it is a header."""


def read_foreign_sheet(path: Path, score: Score, headless: Header) -> ForeignSheet:
    """Read a table whatever program wrote it.

    Args:
        path: the file.
        score: rates a header.
        headless: names the columns where the first row is data.

    Raises:
        AnnotationError: no such file, not text, an empty table, a column named twice, a row longer than the header, or
            a quote that is not closed; with its line.
    """
    text, encoding = read_text(path)
    told = [] if encoding is None else [encoding]
    start, delimiter = _head(text)
    if start:
        told.append(f"passed over before the header: {start} line{'' if start == 1 else 's'}")
    if delimiter is None:
        first = _header_line(text, start)
        best = max(score(_fields(first, mark)) for mark in DELIMITERS)
        fits = [mark for mark in DELIMITERS if score(_fields(first, mark)) == best]
        most = max(len(_fields(first, mark)) for mark in fits)
        delimiter = next(mark for mark in fits if len(_fields(first, mark)) == most)
    if delimiter != ",":
        told.append(f"fields are separated by {DELIMITERS[delimiter]}")
    records = list(_records(path, text, start, delimiter))
    if not records:
        raise AnnotationError(f"{path}: the file is empty; it needs a header and rows")
    line, first_row = records[0]
    header = headless(first_row)
    if header is not None:
        told.append(f"there is no header, and the columns are taken for {','.join(header)}")
        return ForeignSheet(_sheet(path, header, records), tuple(told), delimiter)
    twice = sorted({name for name in first_row if name and first_row.count(name) > 1})
    if twice:
        raise AnnotationError(f"{path} line {line}: columns {twice} occur twice; keep one of each")
    return ForeignSheet(_sheet(path, tuple(first_row), records[1:]), tuple(told), delimiter)


def head_of(path: Path) -> str | None:
    """Return the first line of a text file that is no comment and not empty, for its recognition; None if not text."""
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD_BYTES)
    except OSError:
        return None
    text = _decoded(data, whole=False)[0]
    if text is None or "\0" in text:
        return None
    start, _ = _head(text)
    return _header_line(text, start)


def read_text(path: Path) -> tuple[str, str | None]:
    """Read a text file in UTF-8, UTF-16 or Windows-1252.

    Returns:
        The text, and a sentence where it is in none of the forms of UTF-8.

    Raises:
        AnnotationError: no such file, not a file, more than `MAX_TABLE_BYTES`, or not text.
    """
    if not path.exists():
        raise AnnotationError(f"{path}: no such file")
    try:
        data = read_regular(path, MAX_TABLE_BYTES)
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    text, told = _decoded(data, whole=True)
    if text is None:
        raise AnnotationError(f"{path}: not text in UTF-8, UTF-16 or Windows-1252; save it as CSV UTF-8")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise AnnotationError(f"{path} line {line}: has a byte 0 and is no text; save it as CSV UTF-8")
    return text, told


def _decoded(data: bytes, *, whole: bool) -> tuple[str | None, str | None]:
    """Return bytes as text, None if they are none, and a sentence on an encoding other than UTF-8.

    Args:
        data: the bytes.
        whole: whether they are all of a file, so that a letter at the end is not cut.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _try(data, "utf-16", whole), "the text is in UTF-16"
    if data[1:2] == b"\0" or data[:1] == b"\0":
        name = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        return _try(data, name, whole), "the text is in UTF-16"
    text = _try(data, "utf-8-sig", whole)
    if text is not None:
        return text, None
    text = _try(data, "cp1252", whole)
    if text is None:
        return None, None
    line = next((each.strip() for each in text.splitlines() if not each.isascii()), "")
    told = (
        f"the text is not in UTF-8 and read as Windows-1252, such as {line[:60]!r}; if that is wrong, save it as UTF-8"
    )
    return text, told


def _try(data: bytes, encoding: str, whole: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)("strict").decode(data, whole)
    except UnicodeDecodeError:
        return None


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text as csv counts them, without their ends."""
    for line in io.StringIO(text, newline=None):
        yield line.rstrip("\n")


def _head(text: str) -> tuple[int, str | None]:
    """Return the number of lines before the header, and the delimiter that one of them names."""
    delimiter = None
    for number, line in enumerate(_lines(text)):
        bare = line.strip()
        if number == 0 and bare[: len(_SEPARATOR_LINE)].lower() == _SEPARATOR_LINE:
            mark = line.strip(' \r"')[len(_SEPARATOR_LINE) :]
            delimiter = mark[:1] if mark[:1] in DELIMITERS else None
        elif number >= _MAX_HEAD_LINES or not bare.startswith(_COMMENT):
            return number, delimiter
    return 0, delimiter


def _header_line(text: str, start: int) -> str:
    """Return the first line from a number of lines on that is not blank; empty if there is none."""
    return next((line for number, line in enumerate(_lines(text)) if number >= start and line.strip()), "")


def _fields(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line without blanks around them."""
    try:
        return [each.strip() for each in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
    except csv.Error:
        return []


def _records(path: Path, text: str, start: int, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the line on which it starts, from 1; blanks and guards removed."""
    stream = io.StringIO(text, newline="")
    for _ in range(start):
        _skip_line(stream)
    reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True)
    line = start + 1
    try:
        for fields in reader:
            stripped = [unguarded(field.strip()) for field in fields]
            if any(stripped):
                yield line, stripped
            line = start + reader.line_num + 1
    except csv.Error as error:
        raise AnnotationError(f"{path} line {line}: not CSV ({error}); look for a stray quote") from error


def _skip_line(stream: io.StringIO) -> None:
    """Read a line that ends in a line feed, a carriage return or both."""
    while (letter := stream.read(1)) not in {"", "\n"}:
        if letter == "\r":
            place = stream.tell()
            if stream.read(1) != "\n":
                stream.seek(place)
            return


def _sheet(path: Path, header: tuple[str, ...], records: Sequence[tuple[int, list[str]]]) -> Sheet:
    """Make a sheet of rows; empty fields beyond the header are dropped."""
    rows = []
    for line, fields in records:
        if any(fields[len(header) :]):
            raise AnnotationError(
                f"{path} line {line}: {len(fields)} fields, but the header has {len(header)}: {','.join(fields)[:99]}; "
                "a field with a comma, such as a decimal comma, must be in quotes, or fields separated by semicolons"
            )
        rows.append(fields[: len(header)] + [""] * (len(header) - len(fields)))
    return Sheet(path, header, [line for line, _ in records], rows)

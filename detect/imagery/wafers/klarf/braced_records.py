"""KLARF 1.8: records with braces, fields and lists; the same events as the statements of 1.0 to 1.2."""

import re
from collections.abc import Iterator

from detect.imagery.wafers.klarf.events import (
    FIELDS,
    Begin,
    DefectRows,
    End,
    Event,
    Field,
    Table,
    WordRow,
    check_over,
    number,
    whole,
)
from detect.imagery.wafers.klarf.sample_plan import record_plan
from detect.imagery.wafers.klarf.text_blocks import TextBlocks, Word

WORD = re.compile(rb'"[^"\r\n]*"|[;{},]|[^\s;{},"]+')
"""A word of a record."""

MOST_LEVELS = 64
"""Records inside each other."""

MOST_VALUES = 100_000
"""Values of a field, columns of a list, or words of a row."""

MOST_TEXT = 1 << 20
"""Letters of a field's values, of a list's columns, or of a defect's images."""

MOST_ROWS = 100_000
"""Rows of a small table."""

_PLAN = "SAMPLETESTPLANLIST"
_TABLES = ("CLASSLOOKUPLIST", "TESTSUMMARYLIST", _PLAN)
_NOTHING = re.compile(rb"(?<![^\s;])NA?(?![^\s;])")


class RecordRows(DefectRows):
    """Rows of a `DefectList`: each ends with a semicolon and may be wrapped; the last is followed by a brace."""

    list_end, row_end = b"}", b";"

    def skip(self) -> None:
        """Pass over the rows and their brace."""
        self.text.skip_past(b"}", self.where, b"{")

    def _whole_rows(self, data: bytes) -> tuple[int, bytes]:
        """Return the bytes up to the last semicolon, with nan for "N" and "NA"."""
        count = data.rfind(b";") + 1
        data = data[:count]
        return count, _NOTHING.sub(b"nan", data) if b"N" in data else data

    def _row(self) -> WordRow | None:
        """Read a row: as many values as there are columns, where images in braces are one, and a semicolon."""
        word = self._next()
        if word.is_mark("}"):
            return None
        values: list[float] = []
        images: list[str] = []
        while not word.is_mark(";"):
            if word.text.upper() == "IMAGES" and not word.quoted:
                images += self._images()
                values.append(len(images))
            elif not word.quoted and word.text in "{},":
                raise self.text.error(f"{word.text!r} in a row of defects, which ends with a semicolon", word.line)
            else:
                values.append(number(word.text))
            if len(values) > len(self.columns):
                break
            word = self._next()
        if len(values) != len(self.columns):
            more = "more" if len(values) > len(self.columns) else f"{len(values)}"
            raise self.text.error(f"a row of {more} values, and the list has {len(self.columns)} columns")
        return WordRow(values, ";".join(images), self.text.line)

    def _images(self) -> list[str]:
        """Read images in braces, and return the first word of each: its name."""
        count, names = whole(self._next().text), []
        if not self._next().is_mark("{"):
            raise self.text.error("Images: a count and a brace wanted")
        for words in _groups(self.text, self.where):
            names.append(words[0].replace(";", ","))
        if count != len(names):
            raise self.text.error(f"Images says {count} images, and {len(names)} follow")
        return names


def walk_records(text: TextBlocks) -> Iterator[Event]:
    """Yield what a file has, in its order; a list of defects must be read or skipped before the next is asked for.

    Raises:
        WaferError: something is no record, field or list, a count is wrong, or braces lie too deep.
        CutOffError: the text ends before `EndOfFile`.
    """
    levels: list[str] = []
    while True:
        word = _next(text, "before EndOfFile")
        name = "" if word.quoted else word.text.upper()
        if name == "ENDOFFILE":
            break
        if name == "RECORD":
            begin = _begin(text)
            levels.append(begin.kind)
            if len(levels) > MOST_LEVELS:
                raise text.error(f"more than {MOST_LEVELS} records inside each other")
            yield begin
        elif name == "FIELD":
            yield from _field(text)
        elif name == "LIST":
            yield from _list(text)
        elif name == "}" and levels:
            yield End(levels.pop(), word.line)
        elif name != ";":
            raise text.error(f"{word.text[:40]!r} where Record, Field, List or EndOfFile belongs", word.line)
    if levels:
        raise text.error(f"EndOfFile before the brace that ends {levels[-1]}", word.line)
    check_over(text)


def _begin(text: TextBlocks) -> Begin:
    """Read the beginning of a record: its kind, its name or none, and a brace."""
    kind = _next(text, "in a record")
    name = _next(text, "in a record")
    if name.is_mark("{"):
        return Begin(kind.text.upper(), "", kind.line)
    _brace(text, f"Record {kind.text[:40]}")
    return Begin(kind.text.upper(), name.text, kind.line)


def _field(text: TextBlocks) -> Iterator[Field]:
    """Read a field: its name, the count of its values, and these in braces; yield it if it is one that is read."""
    name = _next(text, "in a field")
    where = f"Field {name.text[:40]}"
    count = _count(text, where, MOST_VALUES)
    _brace(text, where)
    values = tuple(" ".join(words) for words in _groups(text, f"in {where}"))
    if len(values) != count:
        raise text.error(f"{where} says {count} values, and {len(values)} follow", name.line)
    if name.text.upper() in FIELDS:
        yield Field(name.text.upper(), values, name.line)


def _list(text: TextBlocks) -> Iterator[Event]:
    """Read a list: a table is returned whole, defects are read by who asks for them, others are passed over."""
    name = _next(text, "in a list")
    kind, where = name.text.upper(), f"List {name.text[:40]}"
    _brace(text, where)
    if kind != "DEFECTLIST" and kind not in _TABLES:
        text.skip_past(b"}", f"in {where}", b"{")
        return
    columns = _list_columns(text, where)
    _keyword(text, "Data", where)
    count = _count(text, where, 999_999_999)
    _brace(text, where)
    if kind == "DEFECTLIST":
        yield RecordRows(text, columns, name.line, count)
    elif kind == _PLAN:
        yield record_plan(text, columns, count)
    else:
        yield _table(text, kind, columns, count)
    if not _next(text, f"in {where}").is_mark("}"):
        raise text.error(f"{where}: a brace wanted after its rows")


def _list_columns(text: TextBlocks, where: str) -> tuple[str, ...]:
    """Read a list's columns, each a type and a name."""
    _keyword(text, "Columns", where)
    count = _count(text, where, MOST_VALUES)
    _brace(text, where)
    names = tuple(words[-1].upper() for words in _groups(text, f"in {where}"))
    if len(names) != count or not count:
        raise text.error(f"{where} says {count} columns, and {len(names)} follow")
    if len({*names}) < count:
        raise text.error(f"{where} names a column twice")
    return names


def _table(text: TextBlocks, name: str, columns: tuple[str, ...], count: int) -> Table:
    """Read the rows of a small table as texts, and the brace that ends them."""
    line, rows, row = text.line, list[tuple[str, ...]](), list[str]()
    while not (word := _next(text, f"in {name}")).is_mark("}"):
        if not word.is_mark(";"):
            row.append(text.keep(word))
        elif len(row) == len(columns) and len(rows) < MOST_ROWS:
            rows.append(tuple(row))
            row = []
        else:
            raise text.error(f"{name}: {MOST_ROWS:,} rows of {len(columns)} values at most, one has {len(row)}")
        if len(row) > len(columns):
            raise text.error(f"{name}: a row has more than {len(columns)} values")
    if row or len(rows) != count:
        raise text.error(f"{name} says {count} rows, and {len(rows)} follow")
    return Table(name, columns, tuple(rows), line)


def _groups(text: TextBlocks, where: str) -> list[list[str]]:
    """Read words between commas, up to the brace that ends them."""
    groups: list[list[str]] = [[]]
    size = 0
    for _ in range(MOST_VALUES):
        word = _next(text, where)
        if word.is_mark("}"):
            return [words for words in groups if words]
        if word.is_mark("{") or word.is_mark(";"):
            raise text.error(f"{word.text!r} {where}, before the brace that ends it", word.line)
        if word.is_mark(","):
            groups.append([])
        else:
            groups[-1].append(word.text)
            size += len(word.text)
        if size > MOST_TEXT:
            break
    raise text.error(f"more than {MOST_VALUES:,} words or {MOST_TEXT:,} letters {where}")


def _next(text: TextBlocks, where: str) -> Word:
    """Read a word."""
    word = text.next()
    if word is None:
        raise text.cut_off(where)
    return word


def _brace(text: TextBlocks, where: str) -> None:
    """Read the brace that begins something."""
    word = _next(text, f"in {where}")
    if not word.is_mark("{"):
        raise text.error(f"{where}: a brace wanted, is {word.text[:40]!r}", word.line)


def _keyword(text: TextBlocks, keyword: str, where: str) -> None:
    """Read a word that must be there."""
    word = _next(text, f"in {where}")
    if word.text.upper() != keyword.upper():
        raise text.error(f"{where}: {keyword} wanted, is {word.text[:40]!r}", word.line)


def _count(text: TextBlocks, where: str, most: int) -> int:
    """Read a count."""
    word = _next(text, f"in {where}")
    count = whole(word.text)
    if count is None or count > most:
        raise text.error(f"{where}: a count of 0 to {most:,} wanted, is {word.text[:40]!r}", word.line)
    return count

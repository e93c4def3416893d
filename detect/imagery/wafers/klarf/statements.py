"""KLARF 1.0 to 1.2: statements of a name, words and a semicolon; the same events as the records of 1.8."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from detect.imagery.wafers.errors import WaferError
from detect.imagery.wafers.klarf.events import (
    FIELDS,
    WAFER,
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
from detect.imagery.wafers.klarf.number_rows import Rows
from detect.imagery.wafers.klarf.sample_plan import statement_plan
from detect.imagery.wafers.klarf.text_blocks import TextBlocks, Word

WORD = re.compile(rb'"[^"\r\n]*"|;|[^\s;"]+')
"""A word of a statement."""

MOST_WORDS = 500_000
"""Words of a statement other than lists of defects."""

MOST_COLUMNS = 1000
"""Columns of a list."""

MOST_OF_A_NAME = 260
"""Letters of the name of the file of images, which stands before each image's number."""

MOST_IMAGES = 10_000
"""Images of a defect."""

_IMAGES = "IMAGELIST"
_OTHER = re.compile(rb"^[ \t]*([A-Za-z_]{4,64})", re.M)
_NAME = re.compile(r"[A-Za-z_]\w*")


class StatementRows(DefectRows):
    """Rows of a `DefectList` statement: a line each, which may be wrapped, the last followed by a semicolon.

    Args:
        text: the text, in front of the first row.
        columns: names of the columns.
        line: where the list begins.
        tiff: the file of the images, "" for none.
    """

    list_end, row_end = b";", b"\n"

    def __init__(self, text: TextBlocks, columns: tuple[str, ...], line: int, tiff: str) -> None:
        super().__init__(text, columns, line)
        self.tiff = tiff

    def skip(self) -> None:
        """Pass over the list and its semicolon.

        Raises:
            WaferError: the semicolon is another statement's.
        """
        passed = self.text.skip_past(b";", self.where)
        found = _OTHER.search(passed)
        if found is not None:
            raise self._unended(found[1].decode(), self.text.line - passed.count(b"\n", found.start(1)))

    def _whole_rows(self, data: bytes) -> tuple[int, bytes]:
        """Return the bytes up to the last end of a line, or all before the list's end."""
        if len(data) < len(self.text.rest()):
            return len(data), data + b"\n"
        count = data.rfind(b"\n") + 1
        return count, data[:count]

    def _fits(self, rows: Rows) -> bool:
        """Return whether no row has images, whose numbers follow their count."""
        return _IMAGES not in self.columns or not rows.values[:, self.columns.index(_IMAGES)].any()

    def _row(self) -> WordRow | None:
        """Read a row: as many words as there are columns, and two for each image."""
        word = self._next()
        if word.is_mark(";"):
            return None
        if not word.first:
            raise self.text.error(
                f"a row begins in the middle of the line: it or the row before has not the {len(self.columns)} values "
                "of DefectRecordSpec"
            )
        if number(word.text) != number(word.text):
            raise self._unended(word.text, word.line)
        values, images = [number(word.text)], ""
        for column in self.columns[1:]:
            word = self._value(len(values))
            values.append(number(word.text))
            if column == _IMAGES:
                images = self._image_names(word, len(values))
        if self.text.ends_inside_line:
            raise self.text.cut_off(self.where)
        return WordRow(values, images, self.text.line)

    def _unended(self, word: str, line: int) -> WaferError:
        """Return the error of a word that begins no row."""
        what = f"{word[:40]!r} where the number of a defect belongs"
        return self.text.error(f"{what}; does the list of line {self.line} end without a semicolon?", line)

    def _value(self, found: int) -> Word:
        """Read a word of a row that is not over."""
        word = self._next()
        if word.is_mark(";"):
            raise self.text.error(f"a row of {found} values, and DefectRecordSpec has {len(self.columns)}")
        return word

    def _image_names(self, count: Word, found: int) -> str:
        """Read a defect's images, each a number and a type, and return their names."""
        images = whole(count.text)
        if images is None or images > MOST_IMAGES:
            raise self.text.error(f"IMAGELIST: a count of 0 to {MOST_IMAGES:,} images wanted, is {count.text[:40]!r}")
        numbers = [(self._value(found), self._value(found))[0].text for _ in range(images)]
        return ";".join(f"{self.tiff}#{each}" for each in numbers)


def walk_statements(text: TextBlocks) -> Iterator[Event]:
    """Yield what a file has, in its order; a list of defects must be read or skipped before the next is asked for.

    Raises:
        WaferError: something is no statement, or a count is wrong.
        CutOffError: the text ends before `EndOfFile`.
    """
    columns: dict[str, tuple[str, ...]] = {}
    inside, tiff = False, ""
    while True:
        name, line = _statement(text)
        match name:
            case "ENDOFFILE":
                break
            case "DEFECTLIST":
                yield StatementRows(text, _known(text, columns, "DEFECTRECORDSPEC"), line, tiff)
            case "WAFERID":
                if inside:
                    yield End(WAFER, line)
                yield Begin(WAFER, _words(text, name)[0], line)
                inside = True
            case "DEFECTRECORDSPEC" | "SUMMARYSPEC":
                columns[name] = _columns(text, name)
            case "SUMMARYLIST":
                yield _table(text, name, _known(text, columns, "SUMMARYSPEC"), _words(text, name))
            case "TIFFFILENAME":
                tiff = _tiff(text)
            case _ if name in _TABLES:
                yield _TABLES[name](text)
            case _ if name in FIELDS:
                yield Field(name, tuple(_words(text, name)), line)
            case _:
                text.skip_past(b";", f"in the statement {name} of line {line}")
    check_over(text)
    if inside:
        yield End(WAFER, line)


def _statement(text: TextBlocks) -> tuple[str, int]:
    """Read a statement's name, and return it in upper case with its line."""
    word = text.next()
    while word is not None and word.is_mark(";"):
        word = text.next()
    if word is None:
        raise text.cut_off("before EndOfFile")
    if word.quoted or not _NAME.fullmatch(word.text):
        raise text.error(f"{word.text[:40]!r} where the name of a statement belongs", word.line)
    return word.text.upper(), word.line


def _words(text: TextBlocks, name: str) -> list[str]:
    """Read the words of a statement and its semicolon; "" where it has none."""
    words: list[str] = []
    while True:
        word = text.next()
        if word is None:
            raise text.cut_off(f"in the statement {name}")
        if word.is_mark(";"):
            return words or [""]
        words.append(text.keep(word))
        if len(words) > MOST_WORDS:
            raise text.error(f"{name} has more than {MOST_WORDS:,} words; does it end without a semicolon?")


def _columns(text: TextBlocks, name: str) -> tuple[str, ...]:
    """Read names of columns after their count."""
    words = _words(text, name)
    count = whole(words[0])
    if count is None or not 0 < count <= MOST_COLUMNS or count != len(words) - 1:
        raise text.error(f"{name} says {words[0][:40]!r} columns and names {len(words) - 1}, of {MOST_COLUMNS} at most")
    names = tuple(word.upper() for word in words[1:])
    if len({*names}) < len(names):
        raise text.error(f"{name} names a column twice")
    return names


def _known(text: TextBlocks, columns: dict[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    """Return the columns that a statement before has named."""
    if name not in columns:
        raise text.error(f"a list before {name}, which names its columns")
    return columns[name]


def _tiff(text: TextBlocks) -> str:
    """Read the name of the file of images."""
    name = _words(text, "TIFFFILENAME")[0].replace(";", ",")
    if len(name) > MOST_OF_A_NAME:
        raise text.error(f"TiffFileName of {len(name):,} letters, and {MOST_OF_A_NAME} are the most")
    return name


def _class_lookup(text: TextBlocks) -> Table:
    """Read the table of classes: a count, then a number and a name each."""
    line = text.line
    words = _words(text, "CLASSLOOKUP")
    count = whole(words[0])
    if count is None or 2 * count != len(words) - 1:
        raise text.error(f"ClassLookup says {words[0][:40]!r} classes, and {(len(words) - 1) / 2:g} follow", line)
    return _table(text, "CLASSLOOKUP", ("CLASSNUMBER", "CLASSNAME"), words[1:], line)


_TABLES: Mapping[str, Callable[[TextBlocks], Event]] = {
    "CLASSLOOKUP": _class_lookup,
    "SAMPLETESTPLAN": statement_plan,
}


def _table(
    text: TextBlocks, name: str, columns: tuple[str, ...], words: Sequence[str], line: int | None = None
) -> Table:
    """Return words as rows of a table."""
    wide = len(columns)
    if [*words] == [""]:
        words = []
    if len(words) % wide:
        raise text.error(f"{name} has {len(words)} values, which is no number of rows of {wide}")
    rows = tuple(tuple(words[start : start + wide]) for start in range(0, len(words), wide))
    return Table(name, columns, rows, text.line if line is None else line)

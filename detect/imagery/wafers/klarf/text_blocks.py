"""Text of others in blocks of whole lines: memory is bounded, lines are counted, bytes that no text has are errors."""

import re
from pathlib import Path
from typing import BinaryIO, NamedTuple

from detect.imagery.wafers.errors import WAY_TO_KEEP, CutOffError, WaferError

BLOCK_BYTES = 1 << 20
"""Bytes that are read at once."""

LINE_BYTES = 1 << 20
"""Greatest length of a line."""

WORD_BYTES = 4096
"""Greatest length of a word."""

KEPT_BYTES = 16 << 20
"""Most text of fields and small tables that is kept."""

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x19\x1b-\x1f\x7f]")
_SPACE = re.compile(rb"\s*")
_NOT_CLOSED = 'a quotation mark (") is not closed on its line'
_QUOTED = re.compile(rb'"[^"\r\n]*"')


class Word(NamedTuple):
    """A word of the text.

    Attributes:
        text: the word, quotation marks left out.
        quoted: whether it stood in quotation marks.
        line: its line, from 1.
        first: whether it is the first of its line.
    """

    text: str
    quoted: bool
    line: int
    first: bool

    def is_mark(self, mark: str) -> bool:
        """Return whether it is a mark such as ";", not quoted."""
        return self.text == mark and not self.quoted


class TextBlocks:
    """A text that is read once, word by word or by what is left of a block.

    Args:
        file: the file, at its beginning.
        path: its path, for messages.
        word: what a word is: words in quotation marks, marks, and other words, without space at the beginning.
    """

    def __init__(self, file: BinaryIO, path: Path, word: re.Pattern[bytes]) -> None:
        self.path = path
        self.line = 1
        self.blocks = 0
        self._file, self._word = file, word
        self._block, self._at, self._kept = b"", 0, 0

    def error(self, what: str, line: int | None = None) -> WaferError:
        """Return an error at a line, this one if none is named."""
        return WaferError(self.path, self.line if line is None else line, what)

    def cut_off(self, where: str) -> CutOffError:
        """Return the error of a text that ends where it must not."""
        return CutOffError(
            self.path,
            self.line,
            f"the file ends {where}: it was cut off; copy it again, or {WAY_TO_KEEP} reads what is whole",
        )

    def next(self) -> Word | None:
        """Read the next word; None at the end of the text.

        Raises:
            WaferError: a quotation mark is not closed on its line, or the text is none.
        """
        first = self._at == 0 or self._block[self._at - 1] == ord("\n")
        while True:
            end = _match(_SPACE, self._block, self._at).end()
            lines = self._block.count(b"\n", self._at, end)
            self.line, self._at, first = self.line + lines, end, first or lines > 0
            if end < len(self._block):
                break
            if not self._refill():
                return None
            first = True
        found = self._word.match(self._block, self._at)
        if found is None:
            raise self.error(_NOT_CLOSED)
        self._at = found.end()
        data = found.group()
        if len(data) > WORD_BYTES:
            raise self.error(f"a word of {len(data):,} bytes, and {WORD_BYTES:,} are the most")
        quoted = data[:1] == b'"'
        return Word(_decoded(data[1:-1] if quoted else data), quoted, self.line, first)

    def keep(self, word: Word) -> str:
        """Return a word's text, which is kept until the file was read.

        Raises:
            WaferError: more than `KEPT_BYTES` would be kept.
        """
        self._kept += len(word.text) + 1
        if self._kept > KEPT_BYTES:
            raise self.error(f"fields and tables of more than {KEPT_BYTES:,} bytes", word.line)
        return word.text

    def rest(self) -> bytes:
        """Return what is left of the block, reading the next one if nothing is; nothing at the end of the text."""
        if self._at == len(self._block):
            self._refill()
        return self._block[self._at :]

    def advance(self, count: int) -> None:
        """Pass over bytes of what `rest` returned."""
        self.line += self._block.count(b"\n", self._at, self._at + count)
        self._at += count

    @property
    def ends_inside_line(self) -> bool:
        """Whether everything was read, and the last line had no end."""
        return self._at == len(self._block) and not self._block.endswith(b"\n")

    def skip_past(self, end: bytes, where: str, begin: bytes | None = None) -> bytes:
        """Pass over everything up to a mark that is not quoted, and over it.

        Args:
            end: the mark, a byte.
            where: the place for the message: "in the list of ...".
            begin: the mark that opens another such part inside, which has to end before; None for none.

        Returns:
            What was passed over in the last block, blanks for everything quoted.

        Raises:
            CutOffError: the text ends before.
        """
        marks = re.compile(re.escape(end) if begin is None else b"[" + re.escape(end + begin) + b"]")
        open_parts = 1
        while rest := self.rest():
            plain = unquoted(rest)
            for found in marks.finditer(plain):
                open_parts += -1 if found.group() == end else 1
                if not open_parts:
                    self._check_quotes(plain, found.end())
                    self.advance(found.end())
                    return plain[: found.end()]
            self._check_quotes(plain, len(plain))
            self.advance(len(rest))
        raise self.cut_off(where)

    def _check_quotes(self, plain: bytes, end: int) -> None:
        """Check that no quotation mark is left in text from which everything quoted was taken."""
        odd = plain.find(b'"', 0, end)
        if odd >= 0:
            self.advance(odd)
            raise self.error(_NOT_CLOSED)

    def _refill(self) -> bool:
        """Read the next block of whole lines; False at the end of the file."""
        block = self._file.read(BLOCK_BYTES)
        if block and not block.endswith(b"\n"):
            tail = self._file.readline(LINE_BYTES + 1)
            if len(tail) > LINE_BYTES:
                line = self.line + block.count(b"\n")
                raise self.error(f"longer than {LINE_BYTES:,} bytes; is it a text with one defect a line?", line)
            block += tail
        if not block:
            return False
        odd = _CONTROL.search(block)
        if odd is not None:
            line = self.line + block.count(b"\n", 0, odd.start())
            raise self.error(f"a byte of value {odd.group()[0]}, which no text has; was the file damaged?", line)
        self._block, self._at = block, 0
        self.blocks += 1
        return True


def unquoted(data: bytes) -> bytes:
    """Return bytes with everything in quotation marks, and the marks, as blanks, as many as there were."""
    return _QUOTED.sub(lambda found: b" " * len(found.group()), data) if b'"' in data else data


def _match(pattern: re.Pattern[bytes], data: bytes, start: int) -> re.Match[bytes]:
    """Return the match of a pattern that always matches."""
    found = pattern.match(data, start)
    assert found is not None
    return found


def _decoded(data: bytes) -> str:
    """Return a word as text: UTF-8, or Latin-1 where it is none."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")

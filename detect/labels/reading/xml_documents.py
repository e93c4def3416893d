"""XML of others: well-formed files of bounded size and depth, which declare no entities; any case and encoding."""

import codecs
import re
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from detect.imagery.files import read_regular
from detect.labels.annotations import AnnotationError

MAX_XML_BYTES = 512 << 20
"""Most bytes of an XML document that is read."""

MAX_LEVELS = 64
"""Elements inside each other, at most."""

HEAD_BYTES = 4096
"""How much of a file is looked at for the name of its first element."""


_ENCODING_BYTES = 200
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)["']""")
_EXPAT_ENCODINGS = ("utf-8", "utf-16", "ascii", "iso8859-1")
_MULTI_BYTE = ("gb", "big5", "euc", "shift_jis", "iso2022", "cp932", "cp936", "cp949", "cp950", "hz")
"""Beginnings of Python's names for the encodings of East Asia, in which a letter is of several bytes."""


class XmlDocument:
    """An XML file as a tree, with the line of every element; names of elements in lower case, without namespaces.

    Args:
        path: the file.
        most_bytes: a larger file is not read.

    Raises:
        FileNotFoundError: no such file.
        AnnotationError: it is no file, beyond a bound, not well-formed, or declares entities, by which a small file can
            fill the memory; the message names file and line.
    """

    def __init__(self, path: Path, most_bytes: int = MAX_XML_BYTES) -> None:
        self.path = path
        self._lines: dict[ElementTree.Element, int] = {}
        self._level = 0
        self._builder = ElementTree.TreeBuilder()
        try:
            data = read_regular(path, most_bytes)
        except ValueError as error:
            raise AnnotationError(str(error)) from error
        encoding = _declared_encoding(data)
        self._parser = expat.ParserCreate(None if encoding is None else "utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._builder.data
        self._parser.EntityDeclHandler = self._reject_entity
        try:
            self._parser.Parse(data if encoding is None else data.decode(encoding).encode(), True)
        except AnnotationError:
            raise
        except (expat.ExpatError, LookupError, ValueError) as error:  # the last two for encodings that nobody can read
            raise AnnotationError(f"{self._here()}: not well-formed XML ({error})") from error
        self.root: ElementTree.Element = self._builder.close()

    def _here(self) -> str:
        """Return file and line of what is being read, for messages."""
        return f"{self.path} line {max(self._parser.CurrentLineNumber, self._parser.ErrorLineNumber)}"

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        """Start an element and keep its line."""
        self._level += 1
        if self._level > MAX_LEVELS:
            raise AnnotationError(f"{self._here()}: elements are nested deeper than {MAX_LEVELS} levels")
        self._lines[self._builder.start(_plain(tag), attributes)] = self._parser.CurrentLineNumber

    def _end(self, tag: str) -> None:
        """End an element."""
        self._level -= 1
        self._builder.end(_plain(tag))

    def _reject_entity(self, name: str, *_: object) -> None:
        """Raise for an entity that the file declares."""
        raise AnnotationError(f"{self._here()}: declares the entity {name!r}; remove the declaration")

    def line(self, element: ElementTree.Element) -> int:
        """Return the line, from 1, on which `element` starts."""
        return self._lines[element]

    def place(self, element: ElementTree.Element) -> str:
        """Return file and line of an element, for messages."""
        return f"{self.path} line {self.line(element)}"

    def text(self, element: ElementTree.Element, tag: str) -> str:
        """Return the text of the child `tag`, stripped; empty if there is none."""
        return (element.findtext(tag) or "").strip()


def _plain(tag: str) -> str:
    """Return an element's name in lower case, without the prefix of its namespace."""
    return tag.rpartition(":")[2].lower()


def _declared_encoding(data: bytes) -> str | None:
    """Return the encoding that an XML file declares where expat cannot read it and Python can, such as GB 2312."""
    found = _ENCODING.match(data[:_ENCODING_BYTES])
    if found is None:
        return None
    try:
        name = codecs.lookup(found[1].decode("ascii")).name
    except LookupError:
        return None
    return None if name in _EXPAT_ENCODINGS or not name.startswith(_MULTI_BYTE) else name


def first_element(path: Path) -> str:
    """Return the name of the first element of an XML file, in so far as its first bytes show it; else nothing."""
    found: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, _: found.append(tag)
    try:
        with path.open("rb") as file:
            parser.Parse(file.read(HEAD_BYTES), False)
    except (expat.ExpatError, LookupError, ValueError, OSError):
        pass
    return found[0] if found else ""

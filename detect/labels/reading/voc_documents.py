"""The XML files of Pascal VOC, whatever program wrote them: any case, namespace and encoding."""

import codecs
import re
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from detect.imagery.files import read_regular
from detect.labels.annotations import AnnotationError

MAX_XML_BYTES = 64 << 20
"""Most bytes of a file that is read; one describes one image."""

_MAX_DEPTH, _ENCODING_BYTES = 64, 200
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)["']""")
_EXPAT_ENCODINGS = ("utf-8", "utf-16", "ascii", "iso8859-1")
_MULTI_BYTE = ("gb", "big5", "euc", "shift_jis", "iso2022", "cp932", "cp936", "cp949", "cp950", "hz")
"""Beginnings of Python's names for the encodings of East Asia, in which a letter is of several bytes."""


class VocDocument:
    """An XML file as a tree, with the line of every element; names of elements in lower case, without namespaces.

    Args:
        path: the file.

    Raises:
        AnnotationError: not a file, too large, not well-formed, nested too deep, or it declares entities, by which a
            small file can fill the memory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[ElementTree.Element, int] = {}
        self._depth = 0
        self._builder = ElementTree.TreeBuilder()
        try:
            data = read_regular(path, MAX_XML_BYTES)
        except ValueError as error:
            raise AnnotationError(str(error)) from error
        encoding = _declared_encoding(data)
        self._parser = expat.ParserCreate(None if encoding is None else "utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._builder.data
        self._parser.EntityDeclHandler = self._reject_entity
        try:
            self._parser.Parse(data if encoding is None else data.decode(encoding).encode(), True)
        except AnnotationError:
            raise
        except (expat.ExpatError, LookupError, ValueError) as error:  # the last two for encodings that nobody can read
            line = self._parser.ErrorLineNumber
            raise AnnotationError(f"{path} line {line}: not well-formed XML ({error})") from error
        self.root: ElementTree.Element = self._builder.close()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        """Start an element and keep its line."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            line = self._parser.CurrentLineNumber
            raise AnnotationError(f"{self.path} line {line}: elements are nested deeper than {_MAX_DEPTH} levels")
        self._lines[self._builder.start(_plain(tag), attributes)] = self._parser.CurrentLineNumber

    def _end(self, tag: str) -> None:
        """End an element."""
        self._depth -= 1
        self._builder.end(_plain(tag))

    def _reject_entity(self, name: str, *_: object) -> None:
        """Raise for an entity that the file declares."""
        line = self._parser.CurrentLineNumber
        raise AnnotationError(f"{self.path} line {line}: declares the entity {name!r}; remove the declaration")

    def line(self, element: ElementTree.Element) -> int:
        """Return the line, from 1, on which `element` starts."""
        return self._lines[element]

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

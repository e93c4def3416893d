"""XML of others: well-formed files of bounded size and depth, which declare no entities."""

from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from detect.imagery.files import read_regular

MAX_XML_BYTES = 512 << 20
"""Most bytes of an XML document that is read."""

MAX_LEVELS = 64
"""Elements inside each other, at most."""

HEAD_BYTES = 4096
"""How much of a file is looked at for the name of its first element."""


class XmlDocument:
    """An XML file as a tree, with the line of every element.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no file, beyond a bound, not well-formed, or declares entities, by which a small file can fill
            the memory; the message names file and line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[ElementTree.Element, int] = {}
        self._level = 0
        self._builder = ElementTree.TreeBuilder()
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._builder.data
        self._parser.EntityDeclHandler = self._reject_entity
        data = read_regular(path, MAX_XML_BYTES)
        try:
            self._parser.Parse(data, True)
        except (expat.ExpatError, LookupError, UnicodeError) as error:  # the last two for encodings expat cannot read
            raise ValueError(f"{self._here()}: not well-formed XML ({error})") from error
        except ValueError as error:
            if str(error).startswith(str(path)):
                raise
            raise ValueError(f"{self._here()}: not well-formed XML ({error})") from error
        self.root: ElementTree.Element = self._builder.close()

    def _here(self) -> str:
        """Return file and line of what is being read, for messages."""
        return f"{self.path} line {max(self._parser.CurrentLineNumber, self._parser.ErrorLineNumber)}"

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        """Start an element and keep its line."""
        self._level += 1
        if self._level > MAX_LEVELS:
            raise ValueError(f"{self._here()}: elements are nested deeper than {MAX_LEVELS} levels")
        self._lines[self._builder.start(tag, attributes)] = self._parser.CurrentLineNumber

    def _end(self, tag: str) -> None:
        """End an element."""
        self._level -= 1
        self._builder.end(tag)

    def _reject_entity(self, name: str, *_: object) -> None:
        """Raise for an entity that the file declares."""
        raise ValueError(f"{self._here()}: declares the entity {name!r}; remove the declaration")

    def line(self, element: ElementTree.Element) -> int:
        """Return the line, from 1, on which `element` starts."""
        return self._lines[element]

    def place(self, element: ElementTree.Element) -> str:
        """Return file and line of an element, for messages."""
        return f"{self.path} line {self.line(element)}"


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

"""Pascal VOC: one XML file an image, with boxes (Everingham et al. 2010, The Pascal Visual Object Classes Challenge).

The challenge counted pixels from 1 and included the last one. Most programs that write the format today (labelImg,
DeepForest) count from 0, so corners are read and written unchanged: half-open, in pixels from 0.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree
from xml.parsers import expat

from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.entries import Entry, Problems, labelled_objects, parse_numbers
from detect.labels.sheets import number_text, writable, write_whole

_log = logging.getLogger(__name__)

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_SIDES = ("train", "val", "test")


class _Document:
    """An XML file as a tree, with the line of every element.

    Args:
        path: the file.

    Raises:
        AnnotationError: not well-formed, or it declares entities, by which a small file can fill the memory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[ElementTree.Element, int] = {}
        self._builder = ElementTree.TreeBuilder()
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._builder.end
        self._parser.CharacterDataHandler = self._builder.data
        self._parser.EntityDeclHandler = self._reject_entity
        try:
            self._parser.Parse(path.read_bytes(), True)
        except AnnotationError:
            raise
        except (expat.ExpatError, LookupError, ValueError) as error:  # the last two for encodings expat cannot read
            line = self._parser.ErrorLineNumber
            raise AnnotationError(f"{path} line {line}: not well-formed XML ({error})") from error
        self.root: ElementTree.Element = self._builder.close()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        """Start an element and keep its line."""
        self._lines[self._builder.start(tag, attributes)] = self._parser.CurrentLineNumber

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


def is_voc(path: Path) -> bool:
    """Return whether a path is an `.xml` file or a folder."""
    return path.is_dir() or path.suffix.lower() == ".xml"


def read_voc(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the entries of a VOC file, or of every `.xml` file below a folder, sorted by path.

    An image beside its XML file has precedence over others of its name. `<split>` and `<group>` are read where they
    occur; `<size>` is compared with the image; `<folder>`, `<difficult>` and other elements are not used.

    Args:
        path: an `.xml` file or a folder.
        root: the data folder; None if no image is opened.
        problems: collects files and objects that cannot be used.

    Returns:
        The entries, and True: they are boxes.

    Raises:
        AnnotationError: there is no such file, or the folder holds none.
    """
    files = _xml_files(path) if path.is_dir() else [path]
    if not files:
        raise AnnotationError(f"{path}: no annotations: the folder has no .xml files")
    if not path.exists():
        raise AnnotationError(f"{path}: no such file")
    entries: list[Entry] = []
    owner: dict[str, Path] = {}
    for file in files:
        try:
            found = list(_file_entries(_Document(file), root, problems))
        except AnnotationError as error:
            problems.found.append(str(error))
            continue
        if found and owner.setdefault(found[0].image, file) != file:
            first = owner[found[0].image]
            problems.add(
                found[0].place, f"image {found[0].image!r} is described by {first} too; keep one file an image"
            )
            continue
        entries += found
    return entries, True


def _xml_files(folder: Path) -> list[Path]:
    """List the `.xml` files below a folder, sorted, without hidden ones, as macOS keeps beside others (`._a.xml`)."""
    every = sorted(folder.rglob("*.xml"))
    files = [path for path in every if not path.name.startswith(".") and path.is_file()]
    if len(files) < len(every):
        _log.info("%s: %d hidden entries or folders that end in .xml are not read", folder, len(every) - len(files))
    return files


def _file_entries(document: _Document, root: Path | None, problems: Problems) -> Iterator[Entry]:
    """Yield an entry for each object of a file, or one for an image without objects."""
    top = document.root
    place = f"{document.path} line {document.line(top)}"
    name = document.text(top, "filename")
    if top.tag != "annotation" or not name:
        problems.add(place, f"a VOC file has <annotation> with a <filename>, this one has <{top.tag}> and {name!r}")
        return
    side = document.text(top, "split") or None
    if side not in {None, *_SIDES}:
        problems.add(place, f"split must be train, val or test, got {side!r}")
        return
    image = _image_name(document.path, name, root)
    group = document.text(top, "group") or None
    empty = Entry(document.path, document.line(top), image, None, "", side, group, _size(document))
    objects = top.findall("object")
    if not objects:
        yield empty
    for each in objects:
        entry = _object_entry(document, each, empty, problems)
        if entry is not None:
            yield entry


def _object_entry(document: _Document, element: ElementTree.Element, image: Entry, problems: Problems) -> Entry | None:
    """Read one `<object>`: the image's entry with a box and a label; None where a problem was added."""
    line = document.line(element)
    place = f"{document.path} line {line}"
    box = element.find("bndbox")
    texts = ["" if box is None else document.text(box, corner) for corner in _CORNERS]
    label = document.text(element, "name")
    missing = [tag for tag, text in zip((*_CORNERS, "name"), (*texts, label), strict=True) if not text]
    if missing:
        problems.add(place, f"<object> without {', '.join(missing)}; it needs a <name> and a <bndbox> of four corners")
        return None
    numbers = parse_numbers(texts, _CORNERS, place, problems)
    return None if numbers is None else replace(image, line=line, numbers=numbers, label=label)


def _image_name(file: Path, name: str, root: Path | None) -> str:
    """Return the path below `root` of the image in the XML file's own folder, or `name` where there is none."""
    if root is not None and (file.parent / name).is_file() and file.parent.is_relative_to(root):
        return (file.parent.relative_to(root) / name).as_posix()
    return name


def _size(document: _Document) -> tuple[int, int] | None:
    """Read (height, width) in pixels; None where the file has none or zeros, as some programs write."""
    size = document.root.find("size")
    if size is None:
        return None
    height, width = document.text(size, "height"), document.text(size, "width")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        return None
    return int(height), int(width)


def write_voc(annotations: Annotations, folder: Path) -> None:
    """Write one XML file an image, at the image's path with the ending `.xml`, each whole or not at all.

    Reading the folder with the same classes and negative labels returns the same annotations, sorted by path.

    Raises:
        ValueError: the annotations are points, two images would share a file, or a name cannot be written or is hidden.
    """
    if not annotations.boxes:
        raise ValueError("Pascal VOC holds boxes, these annotations are points; write a CSV table instead")
    texts: dict[Path, str] = {}
    for image in annotations.images:
        file = folder / PurePosixPath(image.name).with_suffix(".xml")
        if file.name.startswith("."):
            raise ValueError(f"{image.name}: {file} would be hidden, and hidden files are not read; rename the image")
        if file in texts:
            raise ValueError(f"two images would be written to {file}; rename {image.name}")
        top = ElementTree.Element("annotation")
        _add(top, "filename", writable(image.name, "image name"))
        size = ElementTree.SubElement(top, "size")
        _add(size, "width", str(image.shape[1]))
        _add(size, "height", str(image.shape[0]))
        for tag, value in (("split", image.split), ("group", image.group)):
            if value:
                _add(top, tag, writable(value, tag))
        for corners, label in labelled_objects(image, boxes=True):
            each = ElementTree.SubElement(top, "object")
            _add(each, "name", label)
            box = ElementTree.SubElement(each, "bndbox")
            for corner, value in zip(_CORNERS, corners, strict=True):
                _add(box, corner, number_text(value))
        ElementTree.indent(top)
        texts[file] = ElementTree.tostring(top, encoding="unicode") + "\n"
    for file, text in texts.items():
        write_whole(file, text)


def _add(parent: ElementTree.Element, tag: str, text: str) -> None:
    """Add a child with a text."""
    ElementTree.SubElement(parent, tag).text = text

"""Pascal VOC: one XML file an image, with boxes (Everingham et al. 2010, The Pascal Visual Object Classes Challenge).

The challenge counted pixels from 1 and included the last one. Most programs that write the format today (labelImg,
DeepForest) count from 0, so corners are read and written unchanged: half-open, in pixels from 0.
"""

import logging
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree

from detect.labels.annotations import AnnotationError
from detect.labels.entries import MAX_COORDINATE, Entry, Problems, name_beside, parse_numbers
from detect.labels.reading.xml_documents import XmlDocument

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 64 << 20
"""Most bytes of a file that is read; one describes one image."""

_HEAD_BYTES = 4096

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_SIDES = ("train", "val", "test")
_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*:)?annotation[\s>/]", re.IGNORECASE)


def is_voc(path: Path) -> bool:
    """Return whether a path is an `.xml` file of this kind, or a folder with such files, by the first element."""
    if not path.is_dir():
        return path.suffix.lower() == ".xml" and (not path.is_file() or _begins_as_voc(path))
    return any(_begins_as_voc(file) for file in islice(_xml_files(path), _LOOKED_AT))


_LOOKED_AT = 50
"""Files of a folder that are looked at for their kind, at most."""


def _begins_as_voc(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    first = re.search(rb"<([A-Za-z_][\w.-]*)", head)
    return first is None or _ROOT.match(head, first.start()) is not None


def read_voc(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the entries of a VOC file, or of every `.xml` file below a folder, sorted by path.

    An image beside its XML file has precedence over others of its name; where there is none of the name that the file
    gives, the image may be called as the XML file. A polygon without a box is read as the box around it, an oriented
    box (`robndbox`) too; boxes of an object's parts are not used. `<split>` and `<group>` are read where they occur;
    `<size>` is compared with the image; `<folder>`, `<difficult>` and other elements are not used.

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
            found = list(_file_entries(XmlDocument(file, MAX_FILE_BYTES), root, problems))
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
    every = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".xml")
    files = [path for path in every if not path.name.startswith(".") and path.is_file()]
    if len(files) < len(every):
        logger.info("%s: %d hidden entries or folders that end in .xml are not read", folder, len(every) - len(files))
    return files


def _file_entries(document: XmlDocument, root: Path | None, problems: Problems) -> Iterator[Entry]:
    """Yield an entry for each object of a file, or one for an image without objects."""
    top = document.root
    place = f"{document.path} line {document.line(top)}"
    if top.tag != "annotation":
        problems.add(place, f"a VOC file has <annotation> with a <filename>, this one has <{top.tag}>")
        return
    side = document.text(top, "split") or None
    if side not in {None, *_SIDES}:
        problems.add(place, f"split must be train, val or test, got {side!r}")
        return
    stem = document.path.stem
    name = document.text(top, "filename") or stem
    image = name_beside(document.path, name, root)
    others = tuple(dict.fromkeys(each for each in (PureWindowsPath(name).name, stem) if each and each != image))
    group = document.text(top, "group") or None
    empty = Entry(document.path, document.line(top), image, None, "", side, group, _size(document), others)
    objects = top.findall("object")
    if not objects:
        yield empty
    for each in objects:
        entry = _object_entry(document, each, empty, problems)
        if entry is not None:
            yield entry


def _object_entry(
    document: XmlDocument, element: ElementTree.Element, image: Entry, problems: Problems
) -> Entry | None:
    """Read one `<object>`: the image's entry with a box and a label; None where it is left out."""
    line = document.line(element)
    place = f"{document.path} line {line}"
    label = document.text(element, "name")
    box, polygon, oriented = (element.find(tag) for tag in ("bndbox", "polygon", "robndbox"))
    if not label:
        problems.skip(place, "<object> without name; it needs a <name> and a <bndbox> of four corners", image.image)
        return None
    if box is None and (polygon is not None or oriented is not None):
        shape = polygon if polygon is not None else oriented
        assert shape is not None
        what, numbers = (
            ("polygons are read as the boxes around them", _around(shape))
            if polygon is not None
            else ("oriented boxes are read as the upright boxes around them", _upright(document, shape))
        )
        if numbers is None:
            problems.skip(
                place, f"<object> with a <{shape.tag}> that cannot be read, and without <bndbox>", image.image
            )
            return None
        problems.tell(what, place)
        return replace(image, line=line, numbers=numbers, label=label)
    texts = ["" if box is None else document.text(box, corner) for corner in _CORNERS]
    missing = [tag for tag, text in zip(_CORNERS, texts, strict=True) if not text]
    if missing:
        problems.skip(place, f"<object> without {', '.join(missing)}; it needs a <bndbox> of four corners", image.image)
        return None
    corners = parse_numbers(texts, _CORNERS, place, problems, image.image)
    return None if corners is None else replace(image, line=line, numbers=corners, label=label)


def _around(polygon: ElementTree.Element) -> tuple[float, ...] | None:
    """Return the box around a polygon, `<x1><y1><x2>...` or `<pt><x><y></pt>...`; None if it cannot be read."""
    texts: dict[str, list[str]] = {"x": [], "y": []}
    for each in polygon.iter():
        if each.tag.rstrip("0123456789") in texts:
            texts[each.tag[0]].append((each.text or "").strip())
    xs, ys = (_numbers(texts[axis]) for axis in "xy")
    if xs is None or ys is None or len(xs) != len(ys) or len(xs) < _LEAST_CORNERS:
        return None
    return (min(xs), min(ys), max(xs), max(ys))


_LEAST_CORNERS = 2


def _upright(document: XmlDocument, box: ElementTree.Element) -> tuple[float, ...] | None:
    """Return the upright box around an oriented one, `<cx><cy><w><h><angle>` in radians (roLabelImg)."""
    numbers = _numbers([document.text(box, tag) for tag in ("cx", "cy", "w", "h", "angle")])
    if numbers is None:
        return None
    x, y, width, height, angle = numbers
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    across, down = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    return (x - across, y - down, x + across, y + down)


def _numbers(texts: Sequence[str]) -> list[float] | None:
    """Return texts as numbers; None where one is no finite number of a bounded size."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return None
    return numbers if all(abs(value) <= MAX_COORDINATE for value in numbers) else None


def _size(document: XmlDocument) -> tuple[int, int] | None:
    """Read (height, width) in pixels; None where the file has none or zeros, as some programs write."""
    size = document.root.find("size")
    if size is None:
        return None
    sides = _numbers([document.text(size, "height"), document.text(size, "width")])
    if sides is None or not all(side >= 1 and side.is_integer() for side in sides):
        return None
    return int(sides[0]), int(sides[1])

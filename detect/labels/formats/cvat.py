"""CVAT for images 1.1: an XML file with the shapes of all images (docs.cvat.ai, XML annotation format)."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems
from detect.labels.formats.csv_table import SPLITS
from detect.labels.reading.drawings import Drawings, Drawn, Numbers
from detect.labels.reading.naming import image_names
from detect.labels.reading.shapes import (
    ShapeError,
    box_around,
    box_of_ellipse,
    box_of_rectangle,
    numbers_of,
    pairs_of,
)
from detect.labels.reading.task_states import TaskState
from detect.labels.reading.xml_documents import XmlDocument, first_element

SHAPES = {"box", "points", "polygon", "ellipse", "mask"}
"""Elements that are objects; the box of a mask is the one that CVAT states."""

NO_OBJECTS = "{} are no objects and are not read"
"""What is told of other elements."""

TAGS = "tags of whole images"
"""What is said of tags, which `cvat_states` has."""

TRACKS = "tracks of videos are not read"
"""What is told of tracks beside images: objects in frames that have no names."""

_NO_OBJECTS = {"polyline": "lines", "tag": TAGS, "cuboid": "cuboids", "skeleton": "skeletons"}


def is_cvat(path: Path) -> bool:
    """Return whether a path is a CVAT file, by its first element."""
    return path.suffix.lower() == ".xml" and path.is_file() and first_element(path) == "annotations"


def read_cvat(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the shapes of a CVAT file; the subset of an image that is called train, val or test is its side.

    Its attribute `group`, which is this program's and which CVAT passes over, is the image's group.

    Args:
        path: the file.
        root: the data folder; None if no image is opened.
        problems: collects shapes that cannot be used.

    Returns:
        The entries, and whether they are boxes: turned boxes, polygons, ellipses and masks become upright boxes.

    Raises:
        AnnotationError: the file is damaged, or holds tracks of a video and no images.
    """
    document = XmlDocument(path)
    images, tracks = document.root.findall("image"), document.root.findall("track")
    if tracks and not images:
        raise AnnotationError(
            f"{document.place(tracks[0])}: tracks of a video, whose frames have no names; export the task as 'CVAT for "
            "images 1.1'"
        )
    if tracks:
        problems.tell(TRACKS, document.place(tracks[0]))
    drawings = Drawings(problems)
    for image in images:
        name = image.get("name", "").strip()
        if not name:
            problems.add(document.place(image), "<image> without a name")
            continue
        drawings.add(_entry(document, image, name, root), _drawn(document, image, problems))
    return drawings.finished()


def cvat_states(path: Path) -> list[TaskState]:
    """Return what a file says of each of its images: size, tags, what is no object; not whether a person looked at it.

    Raises:
        AnnotationError: the file is damaged.
    """
    document = XmlDocument(path)
    states = []
    for image in document.root.findall("image"):
        name, _ = image_names(image.get("name", "").strip(), path, None)
        tags = frozenset(each.get("label", "").strip() for each in image.findall("tag"))
        unread = dict.fromkeys(_other(each) for each in image if each.tag not in {*SHAPES, "tag"} and not _hidden(each))
        states.append(TaskState(name, None, _size(image), tags, tuple(unread)))
    return states


def _size(image: ElementTree.Element) -> tuple[int, int] | None:
    """Return the (height, width) that an image states, None without."""
    sides = image.get("height", ""), image.get("width", "")
    stated = all(side.isascii() and side.isdecimal() and 0 < len(side) < 9 for side in sides)
    return (int(sides[0]), int(sides[1])) if stated else None


def _entry(document: XmlDocument, image: ElementTree.Element, name: str, root: Path | None) -> Entry:
    """Return the entry of an image without objects."""
    found, others = image_names(name, document.path, root)
    split = SPLITS.get(image.get("subset", "").strip().lower())
    line, group = document.line(image), image.get("group") or None
    return Entry(document.path, line, found, None, split=split, group=group, size=_size(image), other_names=others)


def _drawn(document: XmlDocument, image: ElementTree.Element, problems: Problems) -> Iterator[Drawn]:
    """Yield the shapes of an image that are objects."""
    for shape in image:
        if _hidden(shape):
            problems.tell("shapes that are outside of view are not read", document.place(shape))
        elif shape.tag in SHAPES:
            yield Drawn(document.line(shape), shape.get("label"), partial(_numbers, shape))
        else:
            problems.tell(NO_OBJECTS.format(_other(shape)), document.place(shape))


def _hidden(shape: ElementTree.Element) -> bool:
    """Return whether a shape is out of view in its image."""
    return shape.get("outside") == "1"


def _other(shape: ElementTree.Element) -> str:
    """Return what an element that is no object is called in messages."""
    return _NO_OBJECTS.get(shape.tag, "other elements")


def _numbers(shape: ElementTree.Element) -> Sequence[Numbers]:
    """Return the points or the box of a shape."""
    if shape.tag == "box":
        x1, y1, x2, y2 = _given(shape, "xtl", "ytl", "xbr", "ybr")
        degrees = _given(shape, "rotation")[0] if shape.get("rotation") else 0.0
        if not degrees:
            return [(x1, y1, x2, y2)]
        return [box_of_rectangle((x1, y1), (x2 - x1, y2 - y1), degrees, about_middle=True)]
    if shape.tag == "ellipse":
        x, y, radius_x, radius_y = _given(shape, "cx", "cy", "rx", "ry")
        degrees = _given(shape, "rotation")[0] if shape.get("rotation") else 0.0
        return [box_of_ellipse((x, y), (radius_x, radius_y), degrees)]
    if shape.tag == "mask":
        left, top, width, height = _given(shape, "left", "top", "width", "height")
        return [(left, top, left + width, top + height)]
    points = pairs_of([pair.split(",") for pair in shape.get("points", "").split(";")], "points")
    if shape.tag == "points":
        return points
    if len(points) < 2:
        raise ShapeError("a polygon of one point")
    return [box_around(points)]


def _given(shape: ElementTree.Element, *names: str) -> tuple[float, ...]:
    """Return attributes of a shape as numbers."""
    missing = [name for name in names if shape.get(name) is None]
    if missing:
        raise ShapeError(f"<{shape.tag}> without {', '.join(missing)}")
    return numbers_of((shape.get(name) for name in names), ", ".join(names))

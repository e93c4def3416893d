"""VIA, the VGG Image Annotator: regions of images as a CSV table with JSON in its cells, or as JSON.

Dutta and Zisserman 2019, The VIA Annotation Software for Images, Audio and Video.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems
from detect.labels.json_files import MAX_LABELS_BYTES, parse_json, read_json
from detect.labels.reading.drawings import Drawings, Drawn, Numbers, one
from detect.labels.reading.json_heads import names_in
from detect.labels.reading.naming import image_names
from detect.labels.reading.shapes import ShapeError, box_around, box_of_ellipse, numbers_of
from detect.labels.sheets import read_rows

_COLUMNS = ("filename", "region_shape_attributes", "region_attributes")
_CLASSES = ("label", "class", "name", "species", "category", "type", "object")
_LONE_CLASS = "object"
_LOOKED_AT_BYTES = 4096


@dataclass(frozen=True)
class Region:
    """A region of an image.

    Attributes:
        line: the line in a table, or its number in a JSON file, from 1.
        image: the image's name.
        shape: its shape attributes; None for an image without regions.
        attributes: what people wrote about it.
    """

    line: int
    image: str
    shape: Mapping[str, Any] | None
    attributes: Mapping[str, Any]


def is_via(path: Path) -> bool:
    """Return whether a path is a table or JSON file of VIA."""
    if path.suffix.lower() == ".csv" and path.is_file():
        with path.open("rb") as file:
            head = file.read(_LOOKED_AT_BYTES).decode("utf-8-sig", "replace")
        return all(name in head.partition("\n")[0] for name in _COLUMNS)
    if path.suffix.lower() != ".json":
        return False
    return names_in(path, "_via_img_metadata") or names_in(path, "filename", "regions", "file_attributes")


def read_via(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the regions of a VIA table, project, or annotations in JSON.

    The class of a region is its only attribute, or the one called label, class, name or the like.

    Args:
        path: the file.
        root: the data folder; None if no image is opened.
        problems: collects regions that cannot be used.

    Returns:
        The entries, and whether they are boxes: of rectangles, circles, ellipses and polygons.

    Raises:
        AnnotationError: the file holds something else, or no attribute is clearly the class.
    """
    table = path.suffix.lower() == ".csv"
    try:
        regions = list(_table_regions(path, problems) if table else _json_regions(path, problems))
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    attribute = _class_attribute(path, regions, problems)
    by_image: dict[str, list[Region]] = {}
    for region in regions:
        by_image.setdefault(region.image, []).append(region)
    drawings = Drawings(problems)
    unit = "line" if table else "region"
    for text, found in by_image.items():
        name, others = image_names(text, path, root)
        image = Entry(path, found[0].line, name, None, other_names=others, unit=unit)
        drawings.add(image, _drawn(image, found, attribute, problems))
    return drawings.finished()


def _table_regions(path: Path, problems: Problems) -> Iterator[Region]:
    """Yield the regions of a table."""
    header: list[str] | None = None
    for line, row in read_rows(path):
        if header is None:
            header = [name.strip().lstrip("#") for name in row]
            continue
        cells = dict(zip(header, row, strict=False))
        try:
            shape, attributes = (_object(cells.get(name, "")) for name in _COLUMNS[1:])
        except ValueError as error:
            problems.skip(f"{path} line {line}", f"its cells are not JSON objects ({error})")
            continue
        if not cells.get("filename"):
            problems.skip(f"{path} line {line}", "names no image")
            continue
        yield Region(line, cells["filename"], shape or None, attributes)


def _object(text: str) -> Mapping[str, Any]:
    """Return the JSON object in a cell; an empty one of an empty cell."""
    found = parse_json(text) if text.strip() else {}
    if not isinstance(found, dict):
        raise ValueError(f"got {text[:40]!r}")  # noqa: TRY004
    return found


def _json_regions(path: Path, problems: Problems) -> Iterator[Region]:
    """Yield the regions of a project, or of annotations that were exported as JSON."""
    content = read_json(path, most_bytes=MAX_LABELS_BYTES)
    images = content.get("_via_img_metadata", content) if isinstance(content, dict) else None
    if not isinstance(images, dict):
        raise AnnotationError(f"{path}: a VIA file has images by name, this one has not")
    number = 0
    for key, image in images.items():
        name = image.get("filename") if isinstance(image, dict) else None
        regions = image.get("regions") if isinstance(image, dict) else None
        listed = list(regions.values()) if isinstance(regions, dict) else regions
        if not isinstance(name, str) or not name or not isinstance(listed, list):
            problems.add(f"{path} image {str(key)[:60]!r}", "has no filename, or no list of regions")
            continue
        if not listed:
            yield Region(number + 1, name, None, {})
        for region in listed:
            number += 1
            shape, attributes = (
                _member(region, "shape_attributes") or {"name": "nothing"},
                _member(region, "region_attributes"),
            )
            yield Region(number, name, shape, attributes)


def _member(region: Any, name: str) -> Mapping[str, Any]:
    found = region.get(name) if isinstance(region, dict) else None
    return found if isinstance(found, dict) else {}


def _class_attribute(path: Path, regions: Sequence[Region], problems: Problems) -> str | None:
    """Return the attribute that holds the class; None where no region has any attribute.

    Raises:
        AnnotationError: there are several, and none is called label, class, name or the like.
    """
    counts = Counter(
        name
        for region in regions
        if region.shape is not None
        for name, value in region.attributes.items()
        if _text(value)
    )
    if not counts:
        if any(region.shape is not None for region in regions):
            problems.tell(f"regions have no attributes, and are of the class {_LONE_CLASS!r}", str(path))
        return None
    if len(counts) == 1:
        return next(iter(counts))
    plain = {name.strip().lower(): name for name in counts}
    found = next((plain[name] for name in _CLASSES if name in plain), None)
    if found is None:
        raise AnnotationError(
            f"{path}: regions have the attributes {', '.join(sorted(counts))}, and which one is the class is not "
            "clear; call it label"
        )
    problems.tell(f"the class of a region is its attribute {found!r}, of {', '.join(sorted(counts))}", str(path))
    return found


def _text(value: Any) -> str:
    """Return an attribute as text; of boxes to tick, the one that is ticked."""
    if isinstance(value, dict):
        ticked = [name for name, on in value.items() if on]
        return ticked[0] if len(ticked) == 1 else ""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _drawn(image: Entry, regions: Sequence[Region], attribute: str | None, problems: Problems) -> Iterator[Drawn]:
    """Yield the regions of an image that are objects."""
    for region in regions:
        shape = region.shape
        if shape is None:
            continue
        if shape.get("name") in ("polyline", "line"):
            problems.tell("lines are no objects and are not read", f"{image.source} {image.unit} {region.line}")
            continue
        label = _LONE_CLASS if attribute is None else _text(region.attributes.get(attribute, ""))
        yield Drawn(region.line, label, one(_numbers, shape))


def _numbers(shape: Mapping[str, Any]) -> Numbers:
    """Return the point or box of a shape."""

    def given(*names: str) -> tuple[float, ...]:
        return numbers_of((shape.get(name) for name in names), ", ".join(names))

    kind = shape.get("name")
    if kind == "point":
        return given("cx", "cy")
    if kind == "rect":
        x, y, width, height = given("x", "y", "width", "height")
        return (x, y, x + width, y + height)
    if kind == "circle":
        x, y, radius = given("cx", "cy", "r")
        return box_of_ellipse((x, y), (radius, radius))
    if kind == "ellipse":
        x, y, radius_x, radius_y = given("cx", "cy", "rx", "ry")
        theta = numbers_of([shape.get("theta") or 0], "theta")[0]
        return box_of_ellipse((x, y), (radius_x, radius_y), math.degrees(theta))
    if kind == "polygon":
        xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
        if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys) or len(xs) < 2:
            raise ShapeError("a polygon needs lists all_points_x and all_points_y of one length")
        return box_around(list(zip(numbers_of(xs, "all_points_x"), numbers_of(ys, "all_points_y"), strict=True)))
    raise ShapeError(f"a {str(kind)[:40]}; point, rect, circle, ellipse and polygon are read")

"""LabelMe: a JSON file an image, with rectangles, polygons, circles and points (Wada, github.com/wkentaro/labelme)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems
from detect.labels.json_files import MAX_LABELS_BYTES, read_json
from detect.labels.reading.drawings import Drawings, Drawn, Numbers, one
from detect.labels.reading.json_heads import files_below, first_files, names_in
from detect.labels.reading.naming import image_names
from detect.labels.reading.shapes import ShapeError, box_around, box_of_ellipse, pairs_of

_LINES = {"line", "linestrip"}


def is_labelme(path: Path) -> bool:
    """Return whether a path is a LabelMe file, or a folder that has some, by the names in them."""
    if path.is_dir():
        return any(_is_file(each) for each in first_files(path, ".json"))
    return path.suffix.lower() == ".json" and _is_file(path)


def _is_file(path: Path) -> bool:
    return names_in(path, "shapes") and (names_in(path, "imagePath") or names_in(path, "imageHeight"))


def read_labelme(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the shapes of a LabelMe file, or of every one below a folder; `imageData` is not used.

    Args:
        path: a `.json` file or a folder.
        root: the data folder; None if no image is opened.
        problems: collects files and shapes that cannot be used.

    Returns:
        The entries, and whether they are boxes: of rectangles, polygons, circles and masks.
    """
    drawings = Drawings(problems)
    owner: dict[str, Path] = {}
    for file in files_below(path, ".json") if path.is_dir() else [path]:
        if path.is_dir() and not _is_file(file):
            problems.tell("JSON files of other kinds are not read", str(file))
            continue
        try:
            image, shapes = _image(file, root)
        except ValueError as error:
            problems.add(str(file), str(error).removeprefix(f"{file}: "))
            continue
        if owner.setdefault(image.image, file) != file:
            problems.add(str(file), f"image {image.image!r} is described by {owner[image.image]} too; keep one of them")
            continue
        drawings.add(image, _drawn(image, shapes, problems))
    return drawings.finished()


def _image(file: Path, root: Path | None) -> tuple[Entry, list[Any]]:
    """Return the entry of a file's image without objects, and its shapes."""
    content = read_json(file, most_bytes=MAX_LABELS_BYTES)
    name = content.get("imagePath") if isinstance(content, dict) else None
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(name, str) or not name or not isinstance(shapes, list):
        raise AnnotationError(f"{file}: a LabelMe file has imagePath, a text, and shapes, a list; this one has not")
    sides = content.get("imageHeight"), content.get("imageWidth")
    size = (sides[0], sides[1]) if all(isinstance(side, int) and side > 0 for side in sides) else None
    image, others = image_names(name, file, root)
    return Entry(file, 1, image, None, size=size, other_names=others, unit="shape"), shapes


def _drawn(image: Entry, shapes: list[Any], problems: Problems) -> Iterator[Drawn]:
    """Yield the shapes that are objects."""
    for number, shape in enumerate(shapes, start=1):
        content = shape if isinstance(shape, dict) else {}
        kind = str(content.get("shape_type") or "polygon")
        if kind in _LINES:
            problems.tell("lines are no objects and are not read", f"{image.source} shape {number}")
            continue
        yield Drawn(number, content.get("label"), one(_numbers, kind, content))


def _numbers(kind: str, shape: dict[str, Any]) -> Numbers:
    """Return the point or box of a shape."""
    points = pairs_of(shape.get("points"), "points")
    if kind == "point":
        return points[0]
    if kind == "circle" and len(points) == 2:
        (x, y), (rim_x, rim_y) = points
        radius = ((rim_x - x) ** 2 + (rim_y - y) ** 2) ** 0.5
        return box_of_ellipse((x, y), (radius, radius))
    if kind in ("rectangle", "polygon", "mask", "oriented_rectangle") and len(points) >= 2:
        return box_around(points)
    raise ShapeError(f"a {kind[:40]} of {len(points)} points; rectangle, polygon, circle, point, mask are read")

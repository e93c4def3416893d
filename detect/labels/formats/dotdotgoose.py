"""DotDotGoose: points of each class on each image of a folder, in a `.pnt` file.

The program is by Peter Ersts, American Museum of Natural History.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems
from detect.labels.json_files import MAX_LABELS_BYTES, read_json
from detect.labels.reading.drawings import Drawings, Drawn, Numbers, one
from detect.labels.reading.json_heads import names_in
from detect.labels.reading.naming import image_names
from detect.labels.reading.shapes import ShapeError, numbers_of


def is_dotdotgoose(path: Path) -> bool:
    """Return whether a path is a DotDotGoose file, by its ending or what it holds."""
    if path.suffix.lower() == ".pnt":
        return path.is_file()
    return path.suffix.lower() == ".json" and names_in(path, "points", "colors", "classes", "survey_id")


def read_dotdotgoose(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the points of a DotDotGoose file; the program lists every image of its folder, those without points too.

    Args:
        path: the file.
        root: the data folder; None if no image is opened.
        problems: collects points that cannot be used.

    Returns:
        The entries, and False: they are points.

    Raises:
        AnnotationError: the file holds something else.
    """
    try:
        content = read_json(path, most_bytes=MAX_LABELS_BYTES)
    except ValueError as error:
        raise AnnotationError(str(error)) from error
    images = content.get("points") if isinstance(content, dict) else None
    if not isinstance(images, dict):
        raise AnnotationError(f"{path}: a DotDotGoose file has points by image, this one has not")
    drawings = Drawings(problems)
    number = 0
    for text, classes in images.items():
        name, others = image_names(text, path, root)
        image = Entry(path, number + 1, name, None, other_names=others, unit="point")
        if not isinstance(classes, dict) or not all(isinstance(each, list) for each in classes.values()):
            problems.add(f"{path} image {text!r}", "its points must be lists by class")
            continue
        count = sum(map(len, classes.values()))
        if not count:
            problems.tell("images without points count as looked at, with nothing there", name)
        drawings.add(image, _drawn(classes, number))
        number += count
    return drawings.finished()


def _drawn(classes: dict[str, list[Any]], before: int) -> Iterator[Drawn]:
    """Yield the points of an image, numbered on from those of the images before."""
    number = before
    for label, points in classes.items():
        for point in points:
            number += 1
            yield Drawn(number, label, one(_numbers, point))


def _numbers(point: Any) -> Numbers:
    if not isinstance(point, dict):
        raise ShapeError(f"a point must have x and y, got {str(point)[:60]}")
    return numbers_of((point.get("x"), point.get("y")), "x and y")

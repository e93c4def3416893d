"""YOLO: a text file beside or parallel to each image, a row an object, in shares of the image's sides (Ultralytics).

A row is `class x_centre y_centre width height`, with a score after it where a program wrote it, or `class x y x y ...`,
a polygon or the four corners of an oriented box. `data.yaml` names classes and sides of the split; folders without it
have `classes.txt`, a name a line. The labels of `.../images/a.jpg` are in `.../labels/a.txt`, or beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import SceneError
from detect.labels.annotations import AnnotationError
from detect.labels.entries import Entry, Problems
from detect.labels.reading.yolo_folders import (
    MAX_LABEL_BYTES,
    class_list_in,
    described_files,
    described_names,
    description_in,
    files_in,
    is_description,
    listed_names,
    read_description,
    text_lines,
)

_LARGEST_SHARE = 2.0
"""A share of a side beyond this is no share."""

_BOX_NUMBERS, _SCORED_NUMBERS, _LEAST_POLYGON = 4, 5, 6


def is_yolo(path: Path) -> bool:
    """Return whether a path is a `data.yaml`, or a folder that has one or a list of classes."""
    if path.is_dir():
        return description_in(path) is not None or class_list_in(path) is not None
    return path.suffix.lower() in (".yaml", ".yml") and path.is_file() and is_description(path)


def read_yolo(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the entries of a data set in YOLO's layout; every image is opened for its size.

    An image with an empty label file has no objects, and one without a label file has none either, as for Ultralytics;
    their number is told. Polygons and oriented boxes are read as the upright boxes around them.

    Args:
        path: `data.yaml`, or the folder that has it or a list of classes.
        root: the data folder; None to name images by their path below the data set's folder.
        problems: collects what cannot be used.

    Returns:
        The entries, and True: they are boxes.

    Raises:
        AnnotationError: there are no names of classes, no images, or a folder that is named is not there.
    """
    described = description_in(path) if path.is_dir() else path
    folder = path if path.is_dir() else path.parent
    if described is None:
        names, posed, files = listed_names(folder), False, files_in(folder, root)
    else:
        content = read_description(described)
        names, posed = described_names(described, content), "kpt_shape" in content
        files = described_files(described, content, root)
    if not files:
        raise AnnotationError(f"{path}: no images are found in {folder}; they are needed for their sizes")
    read = _Rows(names, posed, problems)
    entries: list[Entry] = []
    for file in files:
        name = _name(file.image, [base for base in (root, folder) if base is not None])
        if file.labels is None:
            problems.tell("images without a label file are images without objects", name)
            entries.append(Entry(file.image, 0, name, None, "", file.split, unit="image"))
        else:
            entries += read.image(file.image, Entry(file.labels, 1, name, None, "", file.split))
    return entries, True


def _name(image: Path, bases: Sequence[Path]) -> str:
    """Return an image's path below the first of some folders that it is in, or its name where it is elsewhere."""
    below = [base for base in bases if image.absolute().is_relative_to(base.absolute())]
    return image.absolute().relative_to(below[0].absolute()).as_posix() if below else image.name


@dataclass(frozen=True, eq=False)
class _Rows:
    """Reads the rows of label files.

    Attributes:
        names: of the classes, by their numbers.
        posed: whether keypoints follow the box.
        problems: collects what cannot be used.
    """

    names: Mapping[int, str]
    posed: bool
    problems: Problems

    def image(self, path: Path, head: Entry) -> list[Entry]:
        """Return the entries of an image with a label file; none where all its rows are left out.

        Args:
            path: the image.
            head: names the image and its label file.
        """
        try:
            lines = text_lines(head.source, MAX_LABEL_BYTES)
            height, width = open_scene(path).shape
        except (AnnotationError, SceneError) as error:
            self.problems.add(head.place, str(error))
            return []
        entries = []
        left_out = len(self.problems.left_out)
        for number, line in enumerate(lines, 1):
            if line.strip():
                entry = self._row(replace(head, line=number, size=(height, width)), line.split(), (width, height))
                entries += [] if entry is None else [entry]
        return entries or ([head] if len(self.problems.left_out) == left_out else [])

    def _row(self, head: Entry, fields: Sequence[str], sides: tuple[int, int]) -> Entry | None:
        """Return the entry of a row; None where it is left out."""
        try:
            kind, *values = (float(field) for field in fields)
        except ValueError:
            self.problems.skip(head.place, f"must be a class and numbers, got {' '.join(fields)[:80]!r}", head.image)
            return None
        if not (kind.is_integer() and int(kind) in self.names):
            self.problems.add(head.place, f"class {fields[0][:20]} is not one of the {len(self.names)} names")
            return None
        if not all(abs(value) <= _LARGEST_SHARE for value in values):
            self.problems.skip(
                head.place, f"must be shares of the image's sides in [0, 1], got {fields[1][:20]}, ...", head.image
            )
            return None
        corners = self._corners(values, head.place)
        if corners is None:
            self.problems.skip(head.place, f"{len(values)} numbers are no box, polygon or oriented box", head.image)
            return None
        numbers = tuple(value * side for value, side in zip(corners, sides * 2, strict=True))
        return replace(head, numbers=numbers, label=self.names[int(kind)])

    def _corners(self, values: Sequence[float], place: str) -> tuple[float, float, float, float] | None:
        """Return the corners of a box in shares of the sides; None if the numbers are none."""
        if len(values) in (_BOX_NUMBERS, _SCORED_NUMBERS) or (self.posed and len(values) > _BOX_NUMBERS):
            x, y, width, height = values[:_BOX_NUMBERS]
            if len(values) == _SCORED_NUMBERS and not self.posed:
                self.problems.tell("rows have a score, so they are what a program found; it is not used", place)
            return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        if len(values) < _LEAST_POLYGON or len(values) % 2:
            return None
        self.problems.tell("polygons and oriented boxes are read as the upright boxes around them", place)
        return (min(values[0::2]), min(values[1::2]), max(values[0::2]), max(values[1::2]))

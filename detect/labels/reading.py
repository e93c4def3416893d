"""Annotation files of every format, read by their content."""

import logging
from collections.abc import Sequence
from pathlib import Path

from detect.labels.annotations import AnnotationError, Annotations
from detect.labels.checks import gather
from detect.labels.detections import Detections
from detect.labels.entries import Entry, Problems, choose_classes, to_image
from detect.labels.formats.csv_table import BOXES, POINTS, _csv_entries, _kind
from detect.labels.formats.voc import read_voc
from detect.labels.sheets import read_sheet

_log = logging.getLogger(__name__)


def read_annotations(
    path: Path, root: Path, *, negative_labels: Sequence[str] = (), classes: Sequence[str] | None = None
) -> Annotations:
    """Read labelled images: a CSV table of points or boxes, a Pascal VOC file, or a folder of them.

    A CSV table has the header `image,x,y,label` or `image,xmin,ymin,xmax,ymax,label`, in any order, with optional
    columns `split` (train, val, test) and `group`. A row with an image and neither coordinates nor label says that the
    image was looked at and holds nothing. Points lie in their image; boxes may leave it by a pixel.

    Args:
        path: a `.csv` file, an `.xml` file, or a folder of `.xml` files.
        root: the data folder, below which the images are found (`ImageFolder.find`).
        negative_labels: labels of look-alikes: background worth learning from, not objects.
        classes: the class list and its order; None for the sorted labels in use, without the negative ones.

    Returns:
        The images in the file's order.

    Raises:
        AnnotationError: up to ten of the problems found, each with its file and line.
        ValueError: a negative label is a class too.
    """
    problems = Problems(path)
    entries, boxes = _read_entries(path, root, problems)
    chosen = choose_classes(entries, negative_labels, classes, problems)
    by_image = gather(entries, root, problems)
    problems.stop()
    images = tuple(to_image(image, lines, chosen, boxes) for image, lines in by_image.items())
    return Annotations(images, chosen, boxes, path)


def read_truth(
    path: Path, *, negative_labels: Sequence[str] = (), classes: Sequence[str] | None = None
) -> dict[str, Detections]:
    """Read the objects alone, where the images are not at hand: what predictions are compared with.

    Names are those in the file (`match_names` pairs them with predictions); coordinates are not held against an image.

    Args:
        path: as for `read_annotations`, and so are `negative_labels` and `classes`.
        negative_labels: labels that are not objects.
        classes: the class list; None for the sorted labels in use.

    Returns:
        The objects of every image in the file, those without any too.

    Raises:
        AnnotationError: up to ten of the problems found, each with its file and line.
    """
    problems = Problems(path)
    entries, boxes = _read_entries(path, None, problems)
    chosen = choose_classes(entries, negative_labels, classes, problems)
    by_image = gather(entries, None, problems)
    problems.stop()
    return {image.name: to_image(image, lines, chosen, boxes).objects for image, lines in by_image.items()}


def _read_entries(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the lines of a file and say whether they are boxes."""
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".xml":
        entries, boxes = read_voc(path, root, problems), True
    elif suffix == ".csv":
        sheet = read_sheet(path)
        boxes = _kind(sheet) == BOXES
        entries = list(_csv_entries(sheet, BOXES if boxes else POINTS, problems))
    else:
        raise AnnotationError(f"{path}: annotations are a .csv file, an .xml file or a folder of .xml files")
    if not entries and not problems.found:
        raise AnnotationError(f"{path}: no annotations at all: there is a header and nothing below it")
    return entries, boxes

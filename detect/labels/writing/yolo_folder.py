"""YOLO: a folder of text files, one an image, in `labels/` (docs.ultralytics.com/datasets/detect).

A line is a class number and a box: x and y of the middle, width, height, as shares of the image's. It has five numbers:
training refuses the sixth, a score, that some programs write beside them. The images go to `images/`, in the same
folders as their labels; an image without objects has an empty file. Where images have sides of a split, `data.yaml`
has the classes and names a list of images for each; else `classes.txt` has the classes, and nothing is said to be for
training or validation.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

from detect.labels.writing.outgoing import MOST_TOLD, OutImage, OutSet, tell_points_as_boxes

logger = logging.getLogger(__name__)

DIGITS = 12
"""Significant digits of a share of the image: a thousandth of a pixel of the largest one needs 9."""

DATA, CLASS_LIST = "data.yaml", "classes.txt"
"""The file that lists the classes with the sides of a split, and without."""

SIDES = ("train", "val", "test")


def yolo_files(names: Sequence[str]) -> list[str]:
    """Return the files of images without sides of a split, by their paths below the folder.

    Raises:
        ValueError: two images share a file of labels, or one has the name of a list of classes.
    """
    from detect.labels.reading.yolo_folders import CLASS_LISTS

    owner: dict[str, str] = {}
    for name in names:
        if PurePosixPath(_label_file(name)).name in CLASS_LISTS:
            raise ValueError(f"yolo: the labels of {name} would be taken for a list of classes; rename it")
        first = owner.setdefault(_label_file(name), name)
        if first != name:
            raise ValueError(f"yolo: {first} and {name} would both be labelled in {_label_file(name)}; rename one")
    return [CLASS_LIST, *owner]


def yolo_texts(out: OutSet) -> Iterator[tuple[str, str]]:
    """Yield the files of the folder, each its path below it and its text.

    Raises:
        ValueError: two images share a file, or the objects are points of which no size is known.
    """
    yolo_files([image.name for image in out.images])
    tell_points_as_boxes(out, "yolo")
    if out.scored:
        logger.info("yolo: files of labels hold no scores; detections.csv and coco do")
    _tell_left_out(out.images)
    sides = {side: [image.name for image in out.images if image.split == side] for side in SIDES}
    listed = {side: names for side, names in sides.items() if names}
    yield (
        (DATA, _data_yaml(out.classes, list(listed)))
        if listed
        else (CLASS_LIST, "".join(f"{n}\n" for n in out.classes))
    )
    for side, names in listed.items():
        yield f"{side}.txt", "".join(f"./images/{name}\n" for name in names)
    for image in out.images:
        yield _label_file(image.name), "".join(_lines(image))


def _data_yaml(classes: Sequence[str], sides: Sequence[str]) -> str:
    """Return `data.yaml`; names are quoted as in JSON, which YAML has too."""
    lines = [*(f"{side}: {side}.txt" for side in sides), "names:"]
    return "\n".join(
        [*lines, *(f"  {i}: {json.dumps(name, ensure_ascii=False)}" for i, name in enumerate(classes)), ""]
    )


def _label_file(name: str) -> str:
    return f"labels/{PurePosixPath(name).with_suffix('.txt')}"


def _lines(image: OutImage) -> Iterator[str]:
    """Yield the lines of an image's objects."""
    height, width = image.shape
    boxes = image.boxes_xyxy / np.array([width, height, width, height])
    shares = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
    for label, numbers in zip(image.objects.label.tolist(), shares.tolist(), strict=True):
        yield f"{label} {' '.join(f'{number:.{DIGITS}g}' for number in numbers)}\n"


def _tell_left_out(images: Sequence[OutImage]) -> None:
    """Log what the format does not hold: groups, and among images with sides those without one."""
    without = [image.name for image in images if not image.split]
    grouped = [image.name for image in images if image.group]
    if grouped:
        logger.warning("yolo: groups of %d images are not written: %s", len(grouped), ", ".join(grouped[:MOST_TOLD]))
    if 0 < len(without) < len(images):
        named = ", ".join(without[:MOST_TOLD])
        logger.warning("yolo: %d images have no side of the split and are in no list: %s", len(without), named)

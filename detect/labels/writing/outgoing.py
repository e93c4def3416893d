"""What is written in any format: images with objects, scored ones of a model or labelled ones of a person."""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.ground.geodesy import Placement, placement_of
from detect.labels.annotations import Annotations
from detect.labels.detections import Detections
from detect.labels.entries import labelled_objects
from detect.labels.sheets import writable

logger = logging.getLogger(__name__)

PIXEL_DIGITS, SCORE_DIGITS = 3, 6
"""Decimals of pixels and scores of a model's detections, as in `detections.csv`; a person's have all their digits."""

MOST_TOLD = 3
"""Most images that a line of the log names."""


@dataclass(frozen=True, eq=False)
class OutImage:
    """An image with its objects.

    Attributes:
        name: the image's path below the images' folder, with forward slashes.
        shape: (height, width) of the file in pixels.
        objects: in pixels of the file.
        placement: where the file lies on a map; None without a georeference.
        object_wh: width and height in pixels of the box that stands for a point in formats that have no points; None
            where no size is known.
        split: `train`, `val` or `test`, or None.
        group: its group's name, or None.
        ignored: (R, 4) boxes x1, y1, x2, y2 in pixels of regions in which nothing was labelled.
    """

    name: str
    shape: tuple[int, int]
    objects: Detections
    placement: Placement | None = None
    object_wh: tuple[float, float] | None = None
    split: str | None = None
    group: str | None = None
    ignored: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))

    @property
    def boxes_xyxy(self) -> NDArray[np.float64]:
        """(N, 4) boxes as x1, y1, x2, y2 in pixels; around points, those of a typical object.

        Raises:
            ValueError: the objects are points, and the size of one is not known.
        """
        objects = self.objects
        if objects.wh is not None or not len(objects):
            return np.empty((0, 4)) if objects.wh is None else objects.boxes_xyxy
        if self.object_wh is None:
            raise ValueError(f"{self.name}: its objects are points and this format holds boxes; write csv, or coco")
        half = np.array(self.object_wh) / 2
        return np.concatenate([objects.xy - half, objects.xy + half], axis=1)


@dataclass(frozen=True, eq=False)
class OutSet:
    """Images with objects of the same classes.

    Attributes:
        images: in the order in which they are written.
        classes: the class names.
        scored: whether the objects are a model's, with scores; else a person's.
    """

    images: Sequence[OutImage]
    classes: tuple[str, ...]
    scored: bool

    @property
    def points(self) -> bool:
        """Whether there are points among the objects, or nothing but images without boxes."""
        return any(image.objects.wh is None for image in self.images)

    def number(self, value: float, digits: int = PIXEL_DIGITS) -> float:
        """Return a number as it is written."""
        return round(float(value), digits) + 0.0 if self.scored else float(value)

    def numbers(self, values: Iterable[float]) -> list[float]:
        """Return numbers of pixels as they are written."""
        return [self.number(value) for value in values]

    def score(self, image: OutImage, row: int) -> float:
        """Return the score of an object as it is written."""
        return round(float(image.objects.score[row]), SCORE_DIGITS)


def checked_set(images: Sequence[OutImage], classes: tuple[str, ...], scored: bool) -> OutSet:
    """Return a set whose names can be written and read back in every format.

    Raises:
        UnwritableError: one that cannot.
    """
    for image in images:
        writable(image.name, "image name")
    for name in classes:
        writable(name, "label")
    return OutSet(images, classes, scored)


def labelled_set(annotations: Annotations, placed: bool) -> OutSet:
    """Return annotations as they are written: of each image the objects, then the hard negatives under their labels.

    Args:
        annotations: the images.
        placed: whether the images are opened for their georeference.

    Raises:
        ValueError: hard negatives without names, or a name that cannot be written.
        SceneError: an image cannot be opened.
    """
    from detect.imagery.description.scene_opening import open_scene

    others = {name for image in annotations.images for name in image.negative_names} - {*annotations.classes}
    classes = (*annotations.classes, *sorted(others))
    images = []
    for image in annotations.images:
        rows = list(labelled_objects(image, annotations.boxes))
        numbers = np.array([each for each, _ in rows], np.float64).reshape(-1, 4 if annotations.boxes else 2)
        xy, wh = numbers, None
        if annotations.boxes:
            xy, wh = (numbers[:, :2] + numbers[:, 2:]) / 2, numbers[:, 2:] - numbers[:, :2]
        objects = Detections.truth(xy, [label for _, label in rows], classes, wh)
        placement = placement_of(open_scene(image.path)) if placed else None
        images.append(
            OutImage(
                image.name, image.shape, objects, placement, ignored=image.ignored, split=image.split, group=image.group
            )
        )
    return checked_set(images, classes, scored=False)


def check_placed(out: OutSet, what: str) -> None:
    """Check that a format of objects on a map would hold some of them.

    Raises:
        ValueError: no image has a georeference with a coordinate system, so that all objects would be lost.
    """
    if not any(image.placement is not None and image.placement.crs is not None for image in out.images):
        raise ValueError(
            f"{what}: none of the {len(out.images)} images has a georeference with a coordinate system, so no object "
            "has a place on a map; write csv, coco or another format"
        )


def json_line(value: Any) -> str:
    """Return a value as JSON in one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def json_list(values: Iterable[Any]) -> Iterator[str]:
    """Yield the lines of a list in JSON, a value a line, so that a large one is never in memory."""
    mark = "["
    for value in values:
        yield f"{mark}\n{json_line(value)}"
        mark = ","
    yield "[]" if mark == "[" else "\n]"


def write_pieces(pieces: Iterable[str], path: Path) -> None:
    """Write pieces of text one after the other, as UTF-8."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(pieces)


def tell_points_as_boxes(out: OutSet, what: str) -> None:
    """Log that points are written as boxes, where there are any."""
    sizes = {image.object_wh for image in out.images if image.objects.wh is None and len(image.objects)}
    if sizes:
        size = " x ".join(f"{side:g}" for side in sorted(sizes, key=str)[0] or ())
        more = "" if len(sizes) == 1 else f", and {len(sizes) - 1} more sizes"
        logger.info("%s has no points: each is written as a box of %s pixels around it%s", what, size, more)

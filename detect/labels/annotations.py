"""Annotated images: the objects, hard negatives and ignored regions that a person labelled."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.labels.detections import Detections


class AnnotationError(ValueError):
    """Labels that cannot be used; the message names the file, the line, the value and the way out."""


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """One image that a person has labelled.

    Attributes:
        name: the image's path below the data folder, with forward slashes.
        path: the image file.
        shape: (height, width) in pixels.
        objects: the objects in it, score 1; an empty table states that there are none.
        negatives: (M, 2) float64, xy centres in pixels of hard negatives: background worth learning from.
        split: `train`, `val` or `test`, None where the file has none.
        group: images of one group stay on one side of the split; None where the file has none.
        negative_names: the label of each hard negative, M of them; empty where they are not needed.
        negative_wh: (M, 2) float64, the hard negatives' widths and heights in pixels, None for points.
        ignored: (R, 4) float64, boxes x1, y1, x2, y2 in pixels without labels, where nothing is learned or scored.

    Raises:
        ValueError: the lengths of the negatives' arrays disagree.
    """

    name: str
    path: Path
    shape: tuple[int, int]
    objects: Detections
    negatives: NDArray[np.float64]
    split: str | None = None
    group: str | None = None
    negative_names: tuple[str, ...] = ()
    negative_wh: NDArray[np.float64] | None = None
    ignored: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))

    def __post_init__(self) -> None:
        object.__setattr__(self, "negatives", np.asarray(self.negatives, np.float64).reshape(-1, 2))
        if self.negative_wh is not None:
            object.__setattr__(self, "negative_wh", np.asarray(self.negative_wh, np.float64).reshape(-1, 2))
        number = len(self.negatives)
        names, sizes = len(self.negative_names), number if self.negative_wh is None else len(self.negative_wh)
        if names not in {0, number} or sizes != number:
            raise ValueError(f"{self.name}: {number} negatives have {names} names and {sizes} sizes; give one to each")


@dataclass(frozen=True, eq=False)
class Annotations:
    """The images of one annotation file, in its order.

    Attributes:
        images: every image the file names, those without objects too.
        classes: the class names, the same for every image.
        boxes: whether the objects are boxes; else points.
        source: the file or folder that was read.
        told: sentences on rows that were left out or put right in reading, and on what looks wrong.
        partial: whether the file shows more objects than could be read from it, so that every count is too low.
    """

    images: tuple[AnnotatedImage, ...]
    classes: tuple[str, ...]
    boxes: bool
    source: Path
    told: tuple[str, ...] = ()
    partial: bool = False

    @property
    def truth(self) -> dict[str, Detections]:
        """The objects of every image by its name."""
        return {image.name: image.objects for image in self.images}


def with_ignored(annotations: Annotations, labels: Sequence[str]) -> Annotations:
    """Make the boxes of some negative labels regions that are ignored, beside those that the image has.

    Args:
        annotations: read with these labels among the negative ones.
        labels: labels whose boxes are regions to ignore.

    Raises:
        AnnotationError: the annotations are points, which have no extent.
    """
    images = []
    for image in annotations.images:
        chosen = np.array([name in labels for name in image.negative_names], bool)
        if not chosen.any():
            images.append(image)
            continue
        if image.negative_wh is None:
            raise AnnotationError(f"{image.name}: regions to ignore must be boxes, the annotations are points")
        half = image.negative_wh[chosen] / 2
        regions = np.concatenate([image.negatives[chosen] - half, image.negatives[chosen] + half], axis=1)
        images.append(
            replace(
                image,
                negatives=image.negatives[~chosen],
                negative_names=tuple(n for n, out in zip(image.negative_names, chosen, strict=True) if not out),
                negative_wh=image.negative_wh[~chosen],
                ignored=np.concatenate([image.ignored, regions]),
            )
        )
    return replace(annotations, images=tuple(images))

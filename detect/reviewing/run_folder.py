"""`RunFolder`: what a review needs of the output folder of `detect.predict`."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.files import check_inside
from detect.imagery.scenes import SceneError
from detect.imagery.windows import Window
from detect.labels.annotations import AnnotationError
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import read_detections
from detect.labels.sheets import read_sheet
from detect.reporting.output.journal import recorded_images, recorded_sources
from detect.reporting.output.predictions import Predictions, read_candidates, read_predictions
from detect.reporting.output.records import signature
from detect.reporting.tables import IMAGE, TOTAL
from detect.reviewing.acts import MAX_PIXELS

DESIGN = "survey/design.csv"
"""The windows that a survey has drawn, in a predictions folder."""

DESIGN_WINDOW = ("row", "col", "height", "width")


@dataclass(frozen=True)
class RunImage:
    """An image of a run.

    Attributes:
        name: as the tables have it.
        path: the image file, as it was when it was counted.
        shape: (height, width) in pixels.
        count: how many objects were found.
    """

    name: str
    path: Path
    shape: tuple[int, int]
    count: int


class RunFolder:
    """The images, detections and candidates of a run.

    Args:
        folder: the output folder of `detect.predict`.

    Raises:
        FileNotFoundError: it has no counts, or no detections.
        ValueError: a file is damaged, or images of it are not known.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        predictions = read_predictions(folder)
        self.classes = predictions.classes
        self.images = _images(folder, predictions)
        self._shapes = {image.name: image.shape for image in self.images}
        self._sources = recorded_sources(folder)
        self._found = read_detections(predictions.paths.detections, self.classes)
        self.threshold = _threshold(predictions.model.get("threshold"), self._found)

    def found(self, image: str) -> Detections:
        """Return what was found in an image."""
        return self._found.get(image, Detections.empty(self.classes, boxes=bool(self.boxes)))

    def candidates(self, image: str) -> Detections:
        """Return what may be an object in an image, what was found too; nothing where that was not kept."""
        kept = read_candidates(self.folder, [image], self.classes)
        return Detections.empty(self.classes) if kept is None else kept[image]

    def changed(self, image: str) -> str:
        """Return what has become of an image's file since it was counted, for a person; empty where it is as it was.

        Raises:
            ValueError: it has other sides now, so that nothing is where it was found; the message says the way out.
        """
        path, *counted = self._sources[image]
        size, *now = signature(Path(path))[1:]
        if [size, *now] == counted:
            return ""
        if size < 0:
            return f"The file of {image} is gone: {path}."
        was, shape = self._shapes[image], _shape_of(Path(path))
        if shape not in (None, was):
            raise ValueError(
                f"{image} was changed since it was counted: it had {was[1]} x {was[0]} pixels, and has "
                f"{shape[1]} x {shape[0]} now; count it again with detect.predict before it is reviewed"
            )
        return (
            f"The file of {image} was changed since it was counted. If it shows something else now, count it again "
            "with detect.predict before you review it; if it was only copied, go on."
        )

    @cached_property
    def boxes(self) -> bool | None:
        """Whether the run finds boxes; None where it found nothing."""
        return next((each.wh is not None for each in self._found.values() if len(each)), None)

    def drawn(self) -> list[tuple[str, Window]]:
        """Return the windows that a survey drew, each once, in the order of the draws; none without a survey.

        Raises:
            ValueError: the design is damaged, or has an image that is not of the run.
        """
        path = self.folder / DESIGN
        if not os.path.lexists(path):
            return []
        check_inside(path, self.folder)
        sheet = read_sheet(path)
        shapes = {image.name: image.shape for image in self.images}
        drawn: dict[tuple[str, Window], None] = {}
        columns = ("image", *DESIGN_WINDOW)
        for line, image, *texts in zip(sheet.lines, *map(sheet.column, columns), strict=True):
            values = [int(text) if text.isascii() and text.isdigit() and len(text) < 11 else -1 for text in texts]
            if image not in shapes or min(values[:2]) < 0 or min(values[2:]) < 1 or max(values) > MAX_PIXELS:
                raise AnnotationError(
                    f"{path} line {line}: {image[:80]!r}, {texts} is no window of an image of the run"
                )
            window = Window(*values)
            if not window.inside(shapes[image]):
                raise AnnotationError(f"{path} line {line}: the window is not in {image}, which has {shapes[image]}")
            drawn[image, window] = None
        return list(drawn)


def _images(folder: Path, predictions: Predictions) -> tuple[RunImage, ...]:
    """Return the images that were counted.

    Raises:
        ValueError: it is not recorded where one is.
    """
    recorded = recorded_images(folder)
    images = []
    for name, count in zip(predictions.counts[IMAGE], predictions.counts[TOTAL].tolist(), strict=True):
        if name not in recorded:
            raise ValueError(
                f"{folder}: where {name} is, is not recorded (.run/journal.jsonl); count it again with output={folder}"
            )
        path, shape = recorded[name]
        images.append(RunImage(name, path, shape if all(shape) else open_scene(path).shape, int(count)))
    return tuple(images)


def _shape_of(path: Path) -> tuple[int, int] | None:
    """Return (height, width) of an image, None where it cannot be opened."""
    try:
        return open_scene(path).shape
    except SceneError:
        return None


def _threshold(recorded: Any, found: dict[str, Detections]) -> float:
    """Return the threshold of a run; where it is not recorded as one number, the least score of what was found."""
    if isinstance(recorded, int | float) and not isinstance(recorded, bool) and 0 <= recorded <= 1:
        return float(recorded)
    scores = np.concatenate([np.ones(1), *(each.score for each in found.values())])
    return float(scores.min())

"""What a person said of windows, as a survey takes it: points, and whether windows are covered whole."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.survey.partition import SurveyWindows
from detect.imagery.files import check_inside
from detect.labels.annotations import AnnotationError
from detect.labels.corrections import Corrections, ReviewedWindow, read_corrections
from detect.labels.detections import Detections
from detect.labels.reading.reviewed_rows import window_words
from detect.reporting.output.layout import ACTS, CORRECTIONS
from detect.reporting.output.written import WrittenFiles
from detect.reporting.survey.surveyed_run import SurveyedRun

logger = logging.getLogger("detect.survey")

NOTHING = Corrections((), ())
"""No window was reviewed."""


def read_said(path: Path, folder: Path) -> Corrections:
    """Read the reviewed windows of a file in a folder; none of one that is not there.

    Raises:
        AnnotationError, ValueError: it is damaged, or a link leads out of the folder.
    """
    if not os.path.lexists(path):
        return NOTHING
    check_inside(path, folder)
    return read_corrections(path)


def said_of(run: SurveyedRun) -> Corrections:
    """Read the reviewed windows of a run's images from its `corrections.csv`.

    What a person changed in the file is taken, and told; windows of other images are left out, and told.

    Raises:
        AnnotationError, ValueError: it is damaged, a link leads out of the folder, or a window is not in its image.
    """
    paths, shapes = run.predictions.paths, run.shapes
    said = read_said(paths.corrections, run.folder)
    if not said.windows and paths.acts.is_file() and paths.acts.stat().st_size:
        logger.warning("%s has no windows, and %s has acts: detect.review makes it of them", CORRECTIONS, ACTS)
    if WrittenFiles(run.folder).is_changed(CORRECTIONS):
        logger.warning("%s was changed by hand; it is taken as it is, but detect.review will not open it", CORRECTIONS)
    others = [name for name in said.images if name not in shapes]
    if others:
        left = sum(each.image in others for each in said.windows)
        logger.warning("%s: windows of images that the run has not: %d (%s)", CORRECTIONS, left, ", ".join(others[:5]))
    kept = tuple(each for each in said.windows if each.image in shapes)
    for each in kept:
        if not each.window.inside(shapes[each.image]):
            height, width = shapes[each.image]
            raise AnnotationError(
                f"{paths.corrections}: {each.image} is {width} x {height} pixels, and the reviewed window of "
                f"{window_words(each.window)} is not in it"
            )
    return Corrections(kept, said.classes)


def joined(earlier: Corrections, later: Corrections) -> Corrections:
    """Return both as points of all classes; where two windows overlap, the later one says what is there."""
    classes = tuple(dict.fromkeys((*earlier.classes, *later.classes)))
    windows = (
        replace(each, objects=as_points(each.objects).with_classes(classes))
        for each in (*earlier.windows, *later.windows)
    )
    return Corrections(tuple(windows), classes)


def as_points(found: Detections) -> Detections:
    """Return the centres of objects."""
    return replace(found, wh=None)


def covered_windows(windows: SurveyWindows, said: Corrections) -> NDArray[np.bool_]:
    """Mark the windows (N,) that reviewed ones together cover whole; images that are not surveyed are passed over."""
    covered = np.zeros(len(windows), bool)
    for name in said.images:
        if name in windows.images:
            places = np.flatnonzero(windows.of_image(name))
            near = places[_touched(windows.bounds[places], said.of(name))]
            covered[near] = [said.covers(name, windows.window(place)) for place in near.tolist()]
    return covered


def _touched(bounds: NDArray[np.int64], reviewed: tuple[ReviewedWindow, ...]) -> NDArray[np.bool_]:
    """Mark the windows (M, 4) that share a pixel with a reviewed one."""
    row, col, height, width = bounds.T
    touched = np.zeros(len(bounds), bool)
    for each in (one.window for one in reviewed):
        touched |= (row < each.row_stop) & (each.row < row + height) & (col < each.col_stop) & (each.col < col + width)
    return touched

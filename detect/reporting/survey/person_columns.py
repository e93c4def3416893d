"""The columns of `counts.csv` that a person's look gives: the estimate with its interval, and corrected counts."""

import hashlib
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from detect.imagery.windows import clamp_far_edges
from detect.labels.corrections import Corrections
from detect.labels.detections import Detections
from detect.labels.json_files import read_json_object
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.records import Record
from detect.reporting.survey.said import read_said
from detect.reporting.survey.survey_ground import SurveyGround
from detect.reporting.survey.surveyed_run import SurveyedRun
from detect.reporting.tables import CORRECTED, ESTIMATE, HIGH, LOW, PERSON, counts_table, read_facts, table_bytes

logger = logging.getLogger(__name__)

Cells = dict[str, dict[str, str]]
"""The cell of each image by its name, by column."""


def counts_with_person(run: SurveyedRun, ground: SurveyGround, said: Corrections) -> bytes:
    """Return `counts.csv` with what a person's look gives; its other cells stay."""
    kept = {name: cells for name, cells in read_facts(run.predictions.paths.counts).items() if name not in PERSON}
    facts = {
        **person_cells(run.folder, run.counts_digest),
        **corrected_cells(run.found, run.shapes, ground, said),
        **kept,
    }
    return table_bytes(counts_table(run.found, run.classes, facts))


def person_cells(folder: Path, counts_digest: str) -> Cells:
    """Return the estimates of each image of `survey.json`; none where it is of other counts, or nothing is estimated.

    Args:
        folder: the predictions folder.
        counts_digest: SHA-256 of its detections.

    Raises:
        ValueError: the file is damaged.
    """
    facts = read_survey(folder)
    if facts is None:
        return {}
    if facts.get("detections") != counts_digest:
        logger.info("survey.json is of other counts: its estimate is left out of these (detect.survey estimates anew)")
        return {}
    images = facts.get("per_image")
    cells: Cells = {ESTIMATE: {}, LOW: {}, HIGH: {}}
    for name, each in images.items() if isinstance(images, Mapping) else ():
        estimate = _number(each, "estimate")
        if estimate is not None:
            for column in cells:
                value = _number(each, column)
                cells[column][name] = "" if value is None else f"{value:.3f}"
    return cells if cells[ESTIMATE] else {}


def read_survey(folder: Path) -> dict[str, Any] | None:
    """Read `survey.json` of a predictions folder; None where there is none.

    Raises:
        ValueError: it is damaged, or a link leads out of the folder.
    """
    path = PredictionPaths(folder).survey
    return read_json_object(path, folder) if os.path.lexists(path) else None


def digest_of(detections: Path) -> str | None:
    """Return the SHA-256 of a run's detections, by which `survey.json` names its counts; None where there are none."""
    if not detections.is_file():
        return None
    with detections.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def corrected_cells(
    found: Mapping[str, Detections],
    shapes: Mapping[str, tuple[int, int]],
    ground: SurveyGround,
    said: Corrections,
) -> Cells:
    """Return the corrected count of each image of which a person reviewed something.

    It is what they say is in the reviewed windows, and what was counted outside of them.

    Args:
        found: what was counted in each image.
        shapes: (height, width) of the images in pixels.
        ground: the part of the images in which is counted.
        said: the reviewed windows.
    """
    names = [name for name in said.images if name in found]
    if not names:
        return {}
    true = ground.inside({name: said.objects(name) for name in names})
    cells = {}
    for name in names:
        xy = clamp_far_edges(_as_written(found[name]), shapes[name])
        seen = np.zeros(len(xy), bool)
        for each in said.of(name):
            seen |= each.window.contains_xy(xy)
        cells[name] = str(len(true[name]) + int((~seen).sum()))
    return {CORRECTED: cells}


def _as_written(found: Detections) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the centres (N, 2) as `detections.csv` has them, by which they are in a window or beside it."""
    return np.array([float(f"{value:.3f}") for value in found.xy.ravel()], np.float64).reshape(-1, 2)


def said_cells(folder: Path, counts_digest: str, records: Mapping[str, Record], ground: SurveyGround) -> Cells:
    """Return all columns of a person for a table that a run writes anew; none, with a warning, where they cannot be.

    A damaged file of a person's must not keep a run from writing its counts.

    Args:
        folder: the predictions folder.
        counts_digest: SHA-256 of the detections that are written.
        records: of the images.
        ground: the part of the images in which is counted.
    """
    found = {name: record.detections for name, record in records.items()}
    shapes = {name: record.shape for name, record in records.items()}
    try:
        said = read_said(PredictionPaths(folder).corrections, folder)
        return {**person_cells(folder, counts_digest), **corrected_cells(found, shapes, ground, said)}
    except (OSError, ValueError) as error:
        logger.warning("what a person reviewed is left out of the counts: %s", error)
        return {}


def _number(each: Any, name: str) -> float | None:
    value = each.get(name) if isinstance(each, Mapping) else None
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good and value is not None else None

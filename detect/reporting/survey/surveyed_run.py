"""`SurveyedRun`: what a survey needs of the run that it is of."""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detect.evaluation.matching import Criterion
from detect.evaluation.radius import recorded_radius
from detect.imagery.files import check_inside, check_regular
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import read_detections
from detect.labels.sheets import MAX_TABLE_BYTES
from detect.reporting.output.journal import read_records
from detect.reporting.output.layout import COUNTS, DETECTIONS, PredictionPaths
from detect.reporting.output.predictions import Predictions, read_predictions
from detect.reporting.output.records import Record
from detect.reporting.output.written import WrittenFiles
from detect.reporting.tables import IMAGE

logger = logging.getLogger(__name__)

USUAL_RADIUS = 16.0
"""Radius in pixels within which two objects are one, where nothing is known of their size."""


@dataclass(frozen=True, eq=False)
class SurveyedRun:
    """A run of `detect.predict` whose totals are estimated.

    Attributes:
        predictions: its tables.
        records: of each image that was counted, by its name, in the order of the counts.
        found: what was counted, of each image.
        guide: what may be an object, below the threshold too; what was counted alone where that is not kept.
        kept: number of images of which candidates are kept.
        guide_digest: SHA-256 of the files that the guide was read from.
        counts_digest: SHA-256 of the detections.
    """

    predictions: Predictions
    records: Mapping[str, Record]
    found: Mapping[str, Detections]
    guide: Mapping[str, Detections]
    kept: int
    guide_digest: str
    counts_digest: str

    @property
    def folder(self) -> Path:
        """The predictions folder."""
        return self.predictions.folder

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the counts."""
        return self.predictions.classes

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """(height, width) in pixels of each image file."""
        return {name: record.shape for name, record in self.records.items()}

    @property
    def object_side(self) -> float | None:
        """The median over images of the longer side of a typical object, in pixels of the files."""
        sides = [max(record.object_wh) for record in self.records.values() if record.object_wh is not None]
        return float(np.median(sides)) if sides else None

    @property
    def criterion(self) -> Criterion:
        """When a found object and one that a person names are the same: as in the training, else by their size."""
        recorded = recorded_radius(self.predictions.model)
        if recorded is not None:
            return Criterion(recorded.file_px)
        side = self.object_side
        return Criterion(USUAL_RADIUS if side is None else max(1.0, side / 2))


def read_surveyed_run(folder: Path) -> SurveyedRun:
    """Read what a survey needs of a run.

    Raises:
        FileNotFoundError: the folder has no results.
        FileExistsError: a person changed the counts or the detections after the run.
        ValueError: a file is damaged, or where an image is was not recorded.
    """
    predictions, paths = read_predictions(folder), PredictionPaths(folder)
    if not os.path.lexists(paths.detections):
        raise FileNotFoundError(f"{paths.detections} is missing; a survey needs detect.predict with write=[tables,...]")
    WrittenFiles(folder).check((COUNTS, DETECTIONS), ", and count the images again: a survey is of a run's own counts")
    records, names = read_records(folder), [str(name) for name in predictions.counts[IMAGE]]
    for name in names:
        if name not in records or min(records[name].shape) < 1:
            raise ValueError(
                f"{folder}: the size of {name} is not recorded (.run/journal.jsonl); count it again with "
                "detect.predict (overwrite=true)"
            )
    if not names:
        raise ValueError(f"predictions={folder}: the run counted no image, so there is nothing to survey")
    boxes, empty = read_detections(paths.detections, predictions.classes), Detections.empty(predictions.classes)
    found = {name: boxes.get(name, empty) for name in names}
    guide, digest, kept = _guide(paths, found)
    if not kept or kept < len(names):
        logger.info(
            "candidates are kept of %d of %d images: of the others, windows are drawn by what was counted alone, which "
            "leads less well to what the model missed (detect.predict write=[...,candidates])",
            *(kept, len(names)),
        )
    return SurveyedRun(
        predictions=predictions,
        records={name: records[name] for name in names},
        found=found,
        guide=guide,
        kept=kept,
        guide_digest=digest,
        counts_digest=hashlib.sha256(paths.detections.read_bytes()).hexdigest(),
    )


def _guide(paths: PredictionPaths, found: Mapping[str, Detections]) -> tuple[dict[str, Detections], str, int]:
    """Read what may be an object in each image, with the digest of that and the number of images that it is kept of."""
    guide, digest, kept = dict(found), hashlib.sha256(), 0
    for name, counted in found.items():
        path = paths.candidates(name)
        digest.update(repr(name).encode())
        if os.path.lexists(path):
            check_inside(path, paths.folder)
            check_regular(path, MAX_TABLE_BYTES)
            guide[name] = read_detections(path, counted.classes).get(name, Detections.empty(counted.classes))
            digest.update(path.read_bytes())
            kept += 1
        else:
            digest.update(repr((counted.xy.tolist(), counted.score.tolist(), counted.names)).encode())
    return guide, digest.hexdigest(), kept

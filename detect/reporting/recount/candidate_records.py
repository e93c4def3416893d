"""The candidates of a run in full precision: with them another threshold counts what a run with it would have."""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.labels.detections import Detections
from detect.nets.facts.probabilities import told_unknown
from detect.reporting.output.ground_survey import Inside
from detect.reporting.output.journal import append_records, finished_records, lines_of
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.records import Record


class CandidateRecords:
    """The records of images with all that may be an object in them, appended to a file of the run's state.

    Format: as the journal's; of several lines with one name the last counts. An unfinished last line is dropped, and so
    are last lines of images that the journal does not have: a run was killed between both, and counts them again. The
    detections of a record are the candidates, those outside of all areas too, and its areas have rows of these.

    Args:
        folder: the output folder.
        recorded: names of the images that the journal has.

    Attributes:
        names: of the images that there are.

    Raises:
        ValueError: it is not a file inside the folder, or a finished line cannot be read.
    """

    def __init__(self, folder: Path, recorded: Collection[str]) -> None:
        self.path = PredictionPaths(folder).candidate_records
        self.names: set[str] = set()
        whole, kept = 0, 0
        for number, line in enumerate(lines_of(self.path, folder), start=1):
            whole += len(line)
            if not line.endswith(b"\n"):
                break
            try:
                name = str(json.loads(line)["name"])
            except (KeyError, ValueError, TypeError, RecursionError) as error:
                raise ValueError(
                    f"{self.path}, line {number}: {type(error).__name__}: {error}; overwrite=true starts afresh"
                ) from error
            if name in recorded:
                self.names.add(name)
                kept = whole
        if kept < whole:
            os.truncate(self.path, kept)

    def add(self, name: str, record: Record) -> None:
        """Append an image's record, and wait until it is on the disk."""
        self.add_all({name: record})

    def add_all(self, records: Mapping[str, Record]) -> None:
        """Append the records of images, and wait once until all are on the disk."""
        append_records(self.path, records)
        self.names.update(records)


def candidate_record(record: Record, candidates: Detections, inside: Inside) -> Record:
    """Return the record of an image with all that may be an object in it.

    Args:
        record: of what was counted.
        candidates: all, those outside of areas too.
        inside: those inside, of the same areas.
    """
    areas = [replace(part, rows=inside.rows[each.rows]) for part, each in zip(record.areas, inside.parts, strict=True)]
    return replace(record, detections=candidates, areas=tuple(areas), outside=0)


def read_candidate_records(folder: Path, names: Collection[str]) -> Iterator[tuple[str, Record]]:
    """Yield the records of images with their candidates, one after the other; of several of an image the last counts.

    It changes nothing in the folder, and an unfinished last line is left out.

    Args:
        folder: the output folder.
        names: of the images that are wanted.

    Raises:
        ValueError: a finished line cannot be read; the message says the way out.
    """
    for name, record in finished_records(PredictionPaths(folder).candidate_records, folder):
        if name in names:
            yield name, record


def cut_record(record: Record, thresholds: NDArray[np.float64]) -> Record:
    """Return the record of an image with what has a score of the threshold of its class or more.

    What removes what does not depend on a threshold: the strongest objects come first, and each removes weaker ones
    alone. So these are the objects that a run with the threshold finds.

    Args:
        record: with the candidates.
        thresholds: (K,) of the classes.
    """
    found = record.detections
    counts = found.score >= thresholds[found.label]
    inside = np.ones(len(found), bool)
    if record.inside is not None:
        inside[:] = False
        for part in record.areas:
            inside[part.rows] = True
    kept = np.flatnonzero(counts & inside)
    areas = tuple(
        replace(part, rows=np.searchsorted(kept, part.rows[counts[part.rows]]).astype(np.int64))
        for part in record.areas
    )
    outside = int((counts & ~inside).sum())
    unknown = _is_unknown(record, thresholds)
    return replace(record, detections=found[kept], areas=areas, outside=outside, unknown=unknown)


def _is_unknown(record: Record, thresholds: NDArray[np.float64]) -> bool | None:
    """Return whether an image as a whole is of none of the classes at other thresholds; None where that is not told.

    Its likeliest class is that of the candidate; without one it is the background, for which the least threshold holds.
    """
    if record.sureness is None:
        return None
    label = record.detections.label
    return told_unknown(record.sureness, float(thresholds[label[0]] if len(label) else thresholds.min()))

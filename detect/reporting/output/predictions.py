"""Predictions: the tables that a run of `detect.predict` wrote, read back for the report."""

import logging
import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detect.imagery.files import check_inside, check_regular
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import SCORE_DIGITS, read_detections
from detect.labels.json_files import read_json_object
from detect.labels.sheets import MAX_TABLE_BYTES
from detect.reporting.output.area_table import read_area_table
from detect.reporting.output.layout import COUNTS, DETECTIONS, FAILURES, RUN_FACTS, PredictionPaths, inside_name
from detect.reporting.tables import (
    DAMAGED,
    EXPECTED,
    IMAGE,
    MAX_COUNT,
    SURVEYED_HA,
    SURVEYED_SHARE,
    UNLIKE,
    UNLIKE_IN,
    earlier_remark,
    read_counts,
    read_facts,
    read_text_table,
)

SHARE = re.compile(r"[01](\.\d+)?")
"""A share in [0, 1] as text."""

MOST_KINDS = 4
"""Most kinds of what images are unlike in that a remark sums up."""


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SurveyedPart:
    """How much of an image was looked at: a share of its pixels in [0, 1], and hectares; None where it is not known."""

    share: float | None
    hectares: float | None


@dataclass(frozen=True)
class Predictions:
    """The content of a predictions folder; pictures stay in their files.

    Attributes:
        folder: the predictions folder.
        counts: `image`, a column per class, `total`; a row per image that was done.
        failures: (image, error) of each image that failed.
        run: `run.json`, empty where that is missing.
        scores: (N,) float64 in [0, 1], the score of every detection; None where `detections.csv` is missing or too
            large.
        remarks: sentences about files that are missing or disagree.
        surveyed: how much of each image was looked at, by its name.
        areas: `areas.csv` as text; None of a run that counted whole images.
        expected: number of objects in each image by the sum of probabilities, by its name, where it is known.
    """

    folder: Path
    counts: pd.DataFrame
    failures: list[tuple[str, str]]
    run: dict[str, Any]
    scores: NDArray[np.float64] | None
    remarks: list[str] = field(default_factory=list)
    surveyed: dict[str, SurveyedPart] = field(default_factory=dict)
    areas: pd.DataFrame | None = None
    expected: dict[str, float] = field(default_factory=dict)

    @property
    def paths(self) -> PredictionPaths:
        """The paths of the folder's files."""
        return PredictionPaths(self.folder)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the table's columns."""
        return tuple(self.counts.columns[1:-1])

    @property
    def model(self) -> dict[str, Any]:
        """The model's entry of `run.json`, empty where there is none."""
        model = self.run.get("model")
        return model if isinstance(model, dict) else {}


def read_predictions(folder: Path, found: Mapping[str, Detections] | None = None) -> Predictions:
    """Read the tables of a predictions folder; only `counts.csv` must be there.

    Args:
        folder: the output folder of `detect.predict`.
        found: the detections of each image where `detections.csv` was just written of them: it is not read then.

    Raises:
        FileNotFoundError: there is no `counts.csv`.
        ValueError: a file is damaged, is no regular file or lies outside the folder by a link, the counts do not add
            up, or an image's name leads out of the folder.
    """
    paths = PredictionPaths(folder)
    if not _is_there(paths.counts):
        raise FileNotFoundError(
            f"{paths.counts} is missing, so there is nothing to report: name a folder that detect.predict "
            f"finished, or fill this one with `python -m detect.predict model=FILE images=DIR output={folder}`"
        )
    counts = read_counts(paths.counts)
    for name in counts[IMAGE]:
        if not inside_name(name):
            raise ValueError(f"{paths.counts}: image names must be paths inside the images folder, got {name!r}")
    scores, disagreements = _read_scores(paths.detections, counts, found)
    failures, run = read_failures(paths.failures), _read_run(paths.run_facts)
    facts = read_facts(paths.counts)
    surveyed = _surveyed(paths.counts, facts)
    remarks = _remarks_on_missing(folder) + disagreements + _remarks_on_unlike(_unlike_in(facts))
    remarks += _remarks_on_damage(facts.get(DAMAGED, {}))
    areas = read_area_table(paths.areas) if _is_there(paths.areas) else None
    remarks += _remarks_on_masks(surveyed)
    cells = facts.get(EXPECTED, {})
    expected = {name: _number(paths.counts, EXPECTED, cell, MAX_COUNT) for name, cell in cells.items()}
    return Predictions(folder, counts, failures, run, scores, remarks, surveyed, areas, expected)


def read_candidates(folder: Path, images: Sequence[str], classes: Sequence[str]) -> dict[str, Detections] | None:
    """Read all that may be an object in images, scores below the threshold too; None where it was not kept of all.

    Args:
        folder: the output folder of `detect.predict`.
        images: their names, as `read_predictions` has checked them.
        classes: the class list and its order.

    Raises:
        ValueError: a file is damaged, is no regular file or lies outside the folder by a link.
    """
    paths = PredictionPaths(folder)
    files = {name: paths.candidates(name) for name in images}
    there = sum(os.path.lexists(file) for file in files.values())
    if there < len(files):
        if there:
            logger.warning(
                "candidates are kept of %d of %d images of %s: numbers of all candidates are left out",
                *(there, len(files), folder),
            )
        return None
    for file in files.values():
        check_inside(file, folder)
        check_regular(file, MAX_TABLE_BYTES)
    empty = Detections.empty(classes)
    return {name: read_detections(file, classes).get(name, empty) for name, file in files.items()}


def _is_there(path: Path) -> bool:
    """Return whether a table is in the folder, and check that it is a regular file that lies there."""
    if not os.path.lexists(path):
        return False
    check_inside(path, path.parent)
    check_regular(path, MAX_TABLE_BYTES)
    return True


def _remarks_on_missing(folder: Path) -> list[str]:
    """Return a sentence for each file that is missing and not required."""
    return [
        f"{name} is missing from the folder, {consequence}."
        for name, consequence in (
            (RUN_FACTS, "so the model and its settings are not known"),
            (DETECTIONS, "so the scores are not shown"),
            (FAILURES, "so it is not known whether every image was done"),
        )
        if not os.path.lexists(folder / name)
    ]


def _remarks_on_unlike(unlike: dict[str, str]) -> list[str]:
    """Return a sentence on the images that the model may not be made for."""
    if not unlike:
        return []
    kinds = Counter(kind.partition(":")[0] for words in unlike.values() for kind in words.split("; "))
    summed = ", ".join(f"{number} in {kind}" for kind, number in kinds.most_common(MOST_KINDS))
    name, reason = next(iter(unlike.items()))
    return [
        f"{len(unlike)} images are unlike those that the model learned from ({summed}), so look at them before "
        f"believing their counts, such as {name}: {reason}."
    ]


def _unlike_in(facts: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return in what each image is unlike the training images; tables of earlier versions have it in another column."""
    cells = facts.get(UNLIKE, {})
    earlier = {name: earlier_remark(cell) for name, cell in cells.items() if not SHARE.fullmatch(cell)}
    return {**earlier, **facts.get(UNLIKE_IN, {})}


def _remarks_on_damage(damaged: dict[str, str]) -> list[str]:
    """Return a sentence on the images whose decoders warned of their pixels."""
    if not damaged:
        return []
    name, warning = next(iter(damaged.items()))
    return [f"Damaged pixels were counted as they are in {len(damaged)} images, such as {name}: {warning}."]


def _remarks_on_masks(surveyed: dict[str, SurveyedPart]) -> list[str]:
    """Return a sentence on the images that are not whole."""
    parts = {name: part.share for name, part in surveyed.items() if part.share is not None and part.share < 1}
    if not parts:
        return []
    name, share = next(iter(parts.items()))
    return [
        f"{len(parts)} images have pixels that are not there (transparent, masked or without data), such as {name}, of "
        f"which {100 * share:.3g} % were surveyed: nothing is counted on the others."
    ]


def _surveyed(path: Path, facts: dict[str, dict[str, str]]) -> dict[str, SurveyedPart]:
    """Return how much of each image was looked at, from the facts of a table of counts."""
    shares = {name: _number(path, SURVEYED_SHARE, cell, 1.0) for name, cell in facts.get(SURVEYED_SHARE, {}).items()}
    areas = {name: _number(path, SURVEYED_HA, cell, math.inf) for name, cell in facts.get(SURVEYED_HA, {}).items()}
    return {name: SurveyedPart(shares.get(name), areas.get(name)) for name in {**shares, **areas}}


def _number(path: Path, column: str, cell: str, most: float) -> float:
    """Return the number in a cell.

    Raises:
        ValueError: it is none, or is not in [0, most].
    """
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most or value == math.inf:
        raise ValueError(f"{path}: {column} must be a number from 0 to {most:g}, got {cell[:40]!r}")
    return value


def _read_run(path: Path) -> dict[str, Any]:
    """Read `run.json`; a missing file is empty."""
    return read_json_object(path, path.parent) if os.path.lexists(path) else {}


def read_failures(path: Path) -> list[tuple[str, str]]:
    """Read (image, error) of each image that failed; a missing file holds none."""
    if not _is_there(path):
        return []
    table = read_text_table(path)
    if list(table.columns) != ["image", "error"]:
        raise ValueError(f"{path}: the columns must be 'image' and 'error', got {list(table.columns)}")
    return list(zip(table["image"], table["error"], strict=True))


def _read_scores(
    path: Path, counts: pd.DataFrame, known: Mapping[str, Detections] | None
) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Read the score of every detection, with a remark where an image's detections differ from its counts.

    Those that are known need not be read; their scores are as the table has them.
    """
    if os.path.lexists(path) and path.is_file() and path.stat().st_size > MAX_TABLE_BYTES:
        return None, [f"{DETECTIONS} has more than {MAX_TABLE_BYTES:,} bytes, so the scores are not shown."]
    if not _is_there(path):
        return None, []
    classes = list(counts.columns[1:-1])
    found = read_detections(path, classes) if known is None else known
    empty = Detections.empty(classes)
    wrong = [
        str(record["image"])
        for record in counts.to_dict("records")
        if any(record[name] != number for name, number in found.get(record["image"], empty).counts().items())
    ]
    wrong += sorted(set(found) - set(counts[IMAGE]))
    scores = np.concatenate([np.empty(0), *(detections.score for detections in found.values())])
    if known is not None:
        scores = np.array([round(score, SCORE_DIGITS) for score in scores.tolist()], np.float64)
    if not wrong:
        return scores, []
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return scores, [f"{COUNTS} and {DETECTIONS} do not agree on {wrong[0]}{more}: run the images again."]

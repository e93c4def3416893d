"""Predictions: the tables that a run of `detect.predict` wrote, read back for the report."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detect.imagery.files import check_inside, check_regular
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import read_detections
from detect.labels.json_files import read_json_object
from detect.labels.sheets import MAX_TABLE_BYTES
from detect.reporting.output.layout import COUNTS, DETECTIONS, FAILURES, RUN_FACTS, PredictionPaths, inside_name
from detect.reporting.tables import IMAGE, read_counts, read_damaged, read_text_table


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
    """

    folder: Path
    counts: pd.DataFrame
    failures: list[tuple[str, str]]
    run: dict[str, Any]
    scores: NDArray[np.float64] | None
    remarks: list[str] = field(default_factory=list)

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


def read_predictions(folder: Path) -> Predictions:
    """Read the tables of a predictions folder; only `counts.csv` must be there.

    Args:
        folder: the output folder of `detect.predict`.

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
    scores, disagreements = _read_scores(paths.detections, counts)
    failures, run = _read_failures(paths.failures), _read_run(paths.run_facts)
    remarks = _remarks_on_missing(folder) + disagreements + _remarks_on_damage(read_damaged(paths.counts))
    return Predictions(folder, counts, failures, run, scores, remarks)


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


def _remarks_on_damage(damaged: dict[str, str]) -> list[str]:
    """Return a sentence on the images whose decoders warned of their pixels."""
    if not damaged:
        return []
    name, warning = next(iter(damaged.items()))
    return [f"Damaged pixels were counted as they are in {len(damaged)} images, such as {name}: {warning}."]


def _read_run(path: Path) -> dict[str, Any]:
    """Read `run.json`; a missing file is empty."""
    return read_json_object(path, path.parent) if os.path.lexists(path) else {}


def _read_failures(path: Path) -> list[tuple[str, str]]:
    """Read (image, error) of each image that failed; a missing file holds none."""
    if not _is_there(path):
        return []
    table = read_text_table(path)
    if list(table.columns) != ["image", "error"]:
        raise ValueError(f"{path}: the columns must be 'image' and 'error', got {list(table.columns)}")
    return list(zip(table["image"], table["error"], strict=True))


def _read_scores(path: Path, counts: pd.DataFrame) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Read the score of every detection, with a remark where an image's detections differ from its counts."""
    if os.path.lexists(path) and path.is_file() and path.stat().st_size > MAX_TABLE_BYTES:
        return None, [f"{DETECTIONS} has more than {MAX_TABLE_BYTES:,} bytes, so the scores are not shown."]
    if not _is_there(path):
        return None, []
    classes = list(counts.columns[1:-1])
    found = read_detections(path, classes)
    empty = Detections.empty(classes)
    wrong = [
        str(record["image"])
        for record in counts.to_dict("records")
        if any(record[name] != number for name, number in found.get(record["image"], empty).counts().items())
    ]
    wrong += sorted(set(found) - set(counts[IMAGE]))
    scores = np.concatenate([np.empty(0), *(detections.score for detections in found.values())])
    if not wrong:
        return scores, []
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return scores, [f"{COUNTS} and {DETECTIONS} do not agree on {wrong[0]}{more}: run the images again."]

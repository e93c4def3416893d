"""A predictions folder as a run leaves it, without a network: images, what was found in them, and what may be there."""

from pathlib import Path

import numpy as np

from detect.labels.corrections import Corrections, ReviewedWindow, corrections_bytes
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import detections_bytes, write_detections
from detect.reporting.output.journal import Journal, keep_settings, lock_folder
from detect.reporting.output.layout import CORRECTIONS, COUNTS, DETECTIONS, RUN_FACTS, PredictionPaths
from detect.reporting.output.records import Record
from detect.reporting.output.written import WrittenFiles
from detect.reporting.survey.drawn_survey import DrawnSurvey
from detect.reporting.tables import counts_table, table_bytes
from detect.reporting.writing import json_bytes, write_bytes

CLASSES = ("cow", "sheep")
SHAPE = (2048, 3072)
"""24 windows of 512 pixels."""


def scene(seed: int, number: int = 80) -> Detections:
    """Objects in two clusters of an image, two in three of them cows."""
    rng = np.random.default_rng(seed)
    middles = rng.uniform((300, 300), (SHAPE[1] - 300, SHAPE[0] - 300), (2, 2))
    xy = middles[rng.integers(0, 2, number)] + rng.normal(0, 120, (number, 2))
    xy = np.clip(xy, 1, np.array(SHAPE[::-1]) - 1).round(3)
    label = (rng.random(number) > 2 / 3).astype(np.int64)
    return Detections(xy, np.ones(number), label, CLASSES)


def found_of(truth: Detections, seed: int, recall: float = 0.6) -> tuple[Detections, Detections]:
    """What a detector counts of the truth, and what it keeps as candidates: those it missed with scores below 0.5."""
    rng = np.random.default_rng(seed)
    hit = rng.random(len(truth)) < recall
    score = np.where(hit, rng.uniform(0.5, 1, len(truth)), rng.uniform(0.05, 0.4, len(truth))).round(6)
    every = Detections(truth.xy, score, truth.label, CLASSES)
    return every[score >= 0.5], every


def write_run(folder: Path, truth: dict[str, Detections], *, candidates: bool = True, **facts: object) -> Path:
    """Write a predictions folder, as a run that found part of the truth would."""
    made = {name: found_of(each, seed) for seed, (name, each) in enumerate(sorted(truth.items()))}
    paths, tables = PredictionPaths(folder), WrittenFiles(folder)
    with lock_folder(folder):
        keep_settings(folder, {"model": "0" * 64})
        journal = Journal(folder)
        for name, (counted, every) in made.items():
            if candidates:
                write_detections({name: every}, paths.candidates(name))
            journal.add(
                name, Record(f"/images/{name}", 9, 9, SHAPE[0] * SHAPE[1], counted, shape=SHAPE, object_wh=(30.0, 30.0))
            )
        found = {name: counted for name, (counted, _) in made.items()}
        run = {"model": {"threshold": 0.5, "classes": list(CLASSES)}, "notes": [], **facts}
        tables.write(
            {
                DETECTIONS: detections_bytes(found),
                COUNTS: table_bytes(counts_table(found, CLASSES)),
                RUN_FACTS: json_bytes(run, paths.run_facts),
                "failures.csv": b"image,error\n",
            }
        )
    return folder


def review(folder: Path, drawn: DrawnSurvey, truth: dict[str, Detections], most: int | None = None) -> Corrections:
    """Write the corrections of a person who knows the truth, of the drawn windows in order."""
    windows = []
    for name, window in drawn.tasks[:most]:
        windows.append(ReviewedWindow(name, window, truth[name][window.contains_xy(truth[name].xy)]))
    said = Corrections(tuple(windows), CLASSES)
    write_bytes(corrections_bytes(said), folder / CORRECTIONS)
    return said

"""A run of two images of 100 x 80 pixels, as far as a review needs it."""

from pathlib import Path

import numpy as np
from PIL import Image

from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import write_detections
from detect.reporting.output.journal import Journal
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.records import Record, signature
from detect.reporting.tables import counts_table, write_table
from detect.reporting.writing import write_json

A, B = "a.png", "b/c.png"
CLASSES = ("cow", "sheep")
SHAPE = (80, 100)
COW, SHEEP = "d:10.000:10.000:cow", "d:60.000:20.500:sheep"
FAINT = "d:30.000:30.000:cow"
"""Ids: what was found in a.png, and a candidate; nothing was found in b/c.png."""


def table(rows: list[tuple[float, float, str, float]], side: float | None = None) -> Detections:
    """Objects as x, y, label and score; boxes of a side if one is given."""
    xy, score = np.array([row[:2] for row in rows]).reshape(-1, 2), np.array([row[3] for row in rows])
    label = np.array([CLASSES.index(row[2]) for row in rows], np.int64)
    return Detections(xy, score, label, CLASSES, None if side is None else np.full((len(rows), 2), side))


def small_run(root: Path, side: float | None = None, design: str = "") -> Path:
    """Write a run that found a cow and a sheep in a.png at a threshold of 0.5, and kept a candidate of 0.2."""
    folder = root / "counts"
    paths = PredictionPaths(folder)
    paths.state.mkdir(parents=True)
    found = {A: table([(10, 10, "cow", 0.9), (60, 20.5, "sheep", 0.6)], side), B: table([], side)}
    kept = {A: table([(10, 10, "cow", 0.9), (30, 30, "cow", 0.2), (60, 20.5, "sheep", 0.6)], side), B: table([], side)}
    journal = Journal(folder)
    for name, objects in found.items():
        source = root / "images" / name
        source.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (SHAPE[1], SHAPE[0])).save(source)
        journal.add(name, Record(*signature(source), SHAPE[0] * SHAPE[1], objects, shape=SHAPE))
        write_detections({name: kept[name]}, paths.candidates(name))
    write_table(counts_table(found, CLASSES), paths.counts)
    write_detections(found, paths.detections)
    write_json({"model": {"threshold": 0.5}}, paths.run_facts)
    if design:
        (folder / "survey").mkdir()
        (folder / "survey/design.csv").write_text(f"draw,image,row,col,height,width,probability\n{design}")
    return folder

"""A small run under review: two pictures, candidates, three drawn windows; the session on it, and the server."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import write_detections
from detect.reporting.output.journal import Journal
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.records import Record, signature
from detect.reporting.tables import counts_table, write_table
from detect.reporting.writing import write_json
from detect.reviewing.doorkeeper import Doorkeeper
from detect.reviewing.server import ReviewServer
from detect.reviewing.session import ReviewSession
from detect.reviewing.tiles.opened import OpenImages

ONE, HOSTILE = "a/one.png", "b<img src=x onerror=alert(1)>'&.png"
CLASSES = ("cow", "</script><b>sheep")
SCORES = (0.05, 0.15, 0.25, 0.35, 0.55, 0.65, 0.75)
SHAPE = (600, 800)
WINDOWS = [(ONE, 0, 400, 300, 400), (HOSTILE, 300, 0, 300, 400), (ONE, 0, 0, 300, 400)]
"""Image, row, column, height and width."""


def line_of_objects(least: float, boxes: bool = False) -> Detections:
    """An object every 100 pixels along y = 150, of the classes in turn, with `SCORES`; those from a score on.

    Boxes are 40 wide and 30 high.
    """
    chosen = [i for i, score in enumerate(SCORES) if score >= least]
    xy = np.array([[100.0 * (i + 1), 150.0] for i in chosen])
    wh = np.broadcast_to([40.0, 30.0], xy.shape).copy() if boxes else None
    return Detections(xy, np.array([SCORES[i] for i in chosen]), np.array([i % 2 for i in chosen]), CLASSES, wh)


def write_run(root: Path, drawn: bool = True, boxes: bool = False) -> Path:
    """Write what `detect.predict` and `detect.survey` leave in a folder, as far as a review needs it."""
    folder = root / "counts of <b>May"
    paths = PredictionPaths(folder)
    paths.state.mkdir(parents=True)
    found = {ONE: line_of_objects(0.5, boxes), HOSTILE: Detections.empty(CLASSES, boxes=boxes)}
    journal = Journal(folder)
    for number, name in enumerate(found):
        source = root / f"{number}.png"
        pixels = np.random.default_rng(number).integers(60, 120, (*SHAPE, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(source)
        journal.add(name, Record(*signature(source), SHAPE[0] * SHAPE[1], found[name], shape=SHAPE))
        candidates = line_of_objects(0, boxes) if name == ONE else found[name]
        write_detections({name: candidates}, paths.candidates(name))
    write_table(counts_table(found, CLASSES), paths.counts)
    write_detections(found, paths.detections)
    write_json({"model": {"threshold": 0.5, "classes": list(CLASSES)}, "sources": {}}, paths.run_facts)
    if drawn:
        (folder / "survey").mkdir()
        with (folder / "survey/design.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["draw", "image", "row", "col", "height", "width", "probability"])
            table.writerows([i + 1, *window, 0.1] for i, window in enumerate(WINDOWS))
    return folder


def acts_of(folder: Path) -> list[dict]:
    """What a person did, as it is on the disk."""
    path = folder / "review/acts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


@pytest.fixture
def boxes() -> bool:
    """Whether the run finds boxes; a test says otherwise by a parameter of that name."""
    return False


@pytest.fixture
def folder(tmp_path, boxes) -> Path:
    return write_run(tmp_path, boxes=boxes)


@pytest.fixture
def session(folder) -> ReviewSession:
    def estimate(known):
        windows = len(known.windows)
        facts = {"estimate": 7.0, "low": 5.0, "high": 9.4, "recall": {"value": 1.0}} if windows > 1 else {}
        warning = None if windows > 1 else "too few windows for an interval"
        return {"count": 3, "windows_reviewed": windows, "share_reviewed": 0.25 * windows, "warning": warning, **facts}

    return ReviewSession(folder, estimate)


@pytest.fixture
def server(session) -> Iterator[ReviewServer]:
    opened = OpenImages([(image.path, None) for image in session.images], 1 << 28)
    yield ReviewServer(session, opened, session.folder.name, lambda value: session)
    opened.close()


@pytest.fixture
def client(server) -> Iterator[TestClient]:
    with TestClient(Doorkeeper(server.app(), "secret"), base_url="http://127.0.0.1:8123") as made:
        yield made

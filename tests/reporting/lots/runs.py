"""A run on wafers as it is left in its folder, without a network: die maps, lists of defects, and what was found."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import detections_bytes
from detect.reporting.output.journal import Journal, keep_settings, lock_folder
from detect.reporting.output.layout import COUNTS, DETECTIONS, RUN_FACTS, PredictionPaths
from detect.reporting.output.records import Record, signature
from detect.reporting.output.written import WrittenFiles
from detect.reporting.tables import counts_table, table_bytes
from detect.reporting.writing import json_bytes, write_picture

PATTERNS = ("ring", "scratch")
FAIL = 200
"""Value of a failing die."""


def whole(pattern: int, score: float, shape: tuple[int, int]) -> Detections:
    """A pattern over a whole image, as a classifier of whole images finds it; none for -1."""
    if pattern < 0:
        return Detections.empty(PATTERNS, boxes=True)
    wh = np.array([shape[::-1]], float)
    return Detections(wh / 2, np.array([score]), np.array([pattern]), PATTERNS, wh)


def die_map(path: Path, failing: list[tuple[int, int]], side: int = 10) -> Path:
    """Write a map of passing dies (100), of which those at (row, column) fail."""
    pixels = np.full((side, side), 100, np.uint8)
    for row, column in failing:
        pixels[row, column] = FAIL
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def klarf(path: Path, lot: str, wafer: str, xy_mm: list[tuple[float, float]], mark: str = "DOWN") -> Path:
    """Write a list of defects (KLARF 1.2, in micrometres) of a wafer of 200 mm with a single die, at its middle."""
    rows = [f" {n} {1000 * (x + 100):.3f} {1000 * (y + 100):.3f} 0 0" for n, (x, y) in enumerate(xy_mm, start=1)]
    lines = [
        "FileVersion 1 2;",
        "FileTimestamp 01-02-26 03:04:05;",
        "SampleType WAFER;",
        f'LotID "{lot}";',
        "SampleSize 1 200;",
        "SampleOrientationMarkType NOTCH;",
        f"OrientationMarkLocation {mark};",
        "DiePitch 200000.0 200000.0;",
        "DieOrigin 0.0 0.0;",
        f'WaferID "{wafer}";',
        "SampleCenterLocation 100000.0 100000.0;",
        "DefectRecordSpec 5 DEFECTID XREL YREL XINDEX YINDEX ;",
        "DefectList",
        *rows[:-1],
        f"{rows[-1]};",
        "SummarySpec 3 TESTNO NDEFECT NDIE ;",
        "SummaryList",
        f" 1 {len(rows)} 1;",
        "EndOfFile;",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def write_run(
    folder: Path, files: Mapping[str, Path], found: Mapping[str, Detections], kind: str, shape: tuple[int, int]
) -> Path:
    """Write the folder of a run.

    Args:
        folder: to write.
        files: the file of each image.
        found: in it, in pixels.
        kind: of the model.
        shape: of all images.
    """
    paths = PredictionPaths(folder)
    with lock_folder(folder):
        keep_settings(folder, {"model": "0" * 64})
        journal = Journal(folder)
        for name, path in files.items():
            journal.add(name, Record(*signature(path), shape[0] * shape[1], found[name], shape=shape))
            write_picture(Image.new("RGB", (32, 32), (60, 90, 120)), paths.thumbnail(name))
        run = {"model": {"kind": kind, "threshold": 0.5, "classes": list(PATTERNS)}, "notes": []}
        WrittenFiles(folder).write(
            {
                DETECTIONS: detections_bytes(found),
                COUNTS: table_bytes(counts_table(found, PATTERNS)),
                RUN_FACTS: json_bytes(run, paths.run_facts),
                "failures.csv": b"image,error\n",
            }
        )
    return folder

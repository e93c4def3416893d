"""A small predictions folder, such as `detect.predict` writes: two images, two classes, one failure."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.maps.map_writing import write_map
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import write_detections
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.pictures.overlays import overlay
from detect.reporting.tables import counts_table, write_table
from detect.reporting.writing import write_json, write_picture

CLASSES = ("cow", "sheep")


def detections(points, classes=CLASSES):
    """Points as (x, y, label position, score)."""
    table = np.array(points, float).reshape(-1, 4)
    return Detections(table[:, :2], table[:, 3], table[:, 2].astype(int), tuple(classes))


def fill_folder(root: Path, found: dict[str, Detections], classes) -> Path:
    folder = root / "predictions"
    paths = PredictionPaths(folder)
    sources = {}
    for number, (name, objects) in enumerate(found.items()):
        source = root / f"source{number}.png"
        pixels = np.full((60, 80, 3), 90 + number, np.uint8)
        Image.fromarray(pixels).save(source)
        sources[name] = str(source)
        write_picture(overlay(pixels, objects, scale=1, radius=5), paths.overlay(name))
        write_picture(Image.fromarray(pixels), paths.thumbnail(name))
        heat = np.full((len(classes), 8, 10), 0.05, np.float32)
        write_map(paths.heatmap(name), [heat], open_scene(source), 8, classes, 4.0)
    write_table(counts_table(found, classes), paths.counts)
    write_detections(found, paths.detections)
    paths.failures.write_text("image,error\n", encoding="utf-8")
    run = {
        "version": "0.1.0",
        "model": {"path": "runs/a/model.safetensors", "classes": list(classes), "threshold": 0.5, "radius": 5},
        "settings": {"runtime": "torch", "tile": "auto"},
        "notes": ["Counted on a Tuesday."],
        "sources": sources,
    }
    write_json(run, paths.run_facts)
    return folder


@pytest.fixture
def found():
    """Three cows and one sheep on the first image, one sheep on the second."""
    return {
        "a/b.jpg": detections([(10, 10, 0, 0.9), (30, 10, 0, 0.8), (50, 10, 0, 0.7), (50, 40, 1, 0.6)]),
        "c.jpg": detections([(20, 20, 1, 0.95)]),
    }


@pytest.fixture
def folder(tmp_path, found):
    return fill_folder(tmp_path, found, CLASSES)


@pytest.fixture
def scores(tmp_path):
    path = tmp_path / "scores.json"
    data = {
        "f1": 0.8,
        "precision": 0.75,
        "recall": 0.857,
        "count_mae": 1.5,
        "count_bias_percent": -25.0,
        "radius": 30,
        "map50": None,
        "per_class": {"cow": {"f1": 0.9, "true": 4, "found": 3}, "sheep": {"f1": None, "true": 3, "found": 2}},
        "per_image": {"a/b.jpg": {"true": 6, "found": 4, "f1": 0.8}, "c.jpg": {"true": 1, "found": 1, "f1": 1.0}},
    }
    path.write_text(json.dumps(data), encoding="utf-8")
    return path

"""The predictions folder while it is written: an image's results as soon as they are there, the tables at the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from detect.imagery import Scene, write_map
from detect.inference import Failure, SceneResult
from detect.labels import Detections, write_detections
from detect.nets import ModelCard
from detect.reporting.files import write_json, write_picture
from detect.reporting.page import write_report
from detect.reporting.pictures import display_preview, overlay
from detect.reporting.predictions import heatmap_path, overlay_path
from detect.reporting.tables import counts_table, write_table

OVERLAY_SIDE = 2400
"""Longest side in pixels of an overlay; larger images are reduced to it."""


class PredictionFolder:
    """Keeps the results of a run: heatmap and overlay of every image at once, tables and report with `finish`.

    Args:
        folder: where to write.
        card: the model's.
    """

    def __init__(self, folder: Path, card: ModelCard) -> None:
        self.folder = folder
        self.card = card
        self.found: dict[str, Detections] = {}
        self.sources: dict[str, str] = {}
        self.failures: list[Failure] = []

    def write(self, name: str, scene: Scene, result: SceneResult) -> None:
        """Write an image's heatmap and overlay, and keep its detections."""
        write_map(
            heatmap_path(self.folder, name), result.heatmap, scene, result.geometry.stride, self.card.classes,
            result.geometry.offset,
        )  # fmt: skip
        pixels = display_preview(scene.path, OVERLAY_SIDE)
        scale = pixels.shape[1] / scene.shape[1]
        picture = overlay(pixels, result.detections, scale, self.card.patch_size / 2)
        write_picture(picture, overlay_path(self.folder, name))
        self.found[name] = result.detections
        self.sources[name] = str(scene.path.resolve())

    def fail(self, failure: Failure) -> None:
        """Keep a failure."""
        self.failures.append(failure)

    def finish(self, run: Mapping[str, Any]) -> Path:
        """Write the tables, `run.json` and the report; give the report's path.

        Args:
            run: versions, model, settings, speed and memory; the numbers of images and their sources are added.
        """
        write_table(counts_table(self.found, self.card.classes), self.folder / "counts.csv")
        write_detections(self.found, self.folder / "detections.csv")
        failed = pd.DataFrame([(f.name, f.error) for f in self.failures], columns=["image", "error"])
        write_table(failed, self.folder / "failures.csv")
        images = {"done": len(self.found), "failed": len(self.failures)}
        write_json({**run, "images": images, "sources": self.sources}, self.folder / "run.json")
        return write_report(self.folder)

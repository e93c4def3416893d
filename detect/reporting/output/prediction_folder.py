"""The predictions folder while it is written: an image's results as soon as they are there, the tables at the end."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from detect.imagery.maps import write_map
from detect.imagery.scenes import Scene, original
from detect.inference.engine import SceneResult
from detect.inference.tiles import Failure
from detect.labels.formats.detections_csv import write_detections
from detect.nets.card import ModelCard
from detect.reporting.output.journal import RUN, Journal, Record, signature
from detect.reporting.output.predictions import heatmap_path, overlay_path, thumbnail_path
from detect.reporting.page.figures import THUMBNAIL
from detect.reporting.page.report_page import write_report
from detect.reporting.pictures.colours import to_display
from detect.reporting.pictures.overlays import overlay
from detect.reporting.tables import counts_table, write_table
from detect.reporting.writing import write_json, write_picture


class PredictionFolder:
    """Keeps the results of a run: heatmap and overlay of every image at once, tables and report with `finish`.

    What an earlier run with the same settings did stays; its half-written files are removed.

    Args:
        folder: where to write.
        card: the model's.
        images: (name, path) of this run; those of an earlier run that are not among them are left out of the tables.
    """

    def __init__(self, folder: Path, card: ModelCard, images: Sequence[tuple[str, Path]]) -> None:
        self.folder = folder
        self.card = card
        self.journal = Journal(folder)
        self.failures: list[Failure] = []
        self._files = {name: signature(path) for name, path in images}
        self._whole = {name for name, path in images if self._is_whole(name, path)}
        for where in (folder, folder / RUN):
            for part in where.glob(".*.part"):
                part.unlink()
        for pictures in ("heatmaps", "overlays", f"{RUN}/thumbnails"):
            for part in (folder / pictures).rglob(".*.part"):
                part.unlink()

    @property
    def found(self) -> dict[str, Record]:
        """The images of this run that are done, by name."""
        failed = {failure.name for failure in self.failures}
        return {name: self.journal.records[name] for name in sorted(self._whole - failed)}

    def has(self, name: str, path: Path) -> bool:
        """Say whether an image was done before, and has not changed since."""
        return name in self._whole

    def _is_whole(self, name: str, path: Path) -> bool:
        record = self.journal.records.get(name)
        pictures = [place(self.folder, name) for place in (heatmap_path, overlay_path, thumbnail_path)]
        return record is not None and record.of(path) and all(picture.is_file() for picture in pictures)

    def write(self, name: str, scene: Scene, result: SceneResult) -> None:
        """Write an image's heatmap and overlay, then its record; scores of the earlier counts are removed."""
        write_map(
            heatmap_path(self.folder, name),
            result.heat_strips(),
            scene,
            result.geometry.stride,
            self.card.classes,
            result.geometry.offset,
        )
        pixels = to_display(result.preview, nodata=scene.nodata)
        scale = pixels.shape[1] / original(scene).shape[1]
        picture = overlay(pixels, result.detections, scale, self.card.patch_size / 2 / scene.factor_xy[0])
        write_picture(picture, overlay_path(self.folder, name))
        small = Image.fromarray(pixels)
        small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        write_picture(small, thumbnail_path(self.folder, name), quality=95)
        (self.folder / "scores.json").unlink(missing_ok=True)
        record = Record(*self._files[name], scene.file_pixels, result.detections)
        self.journal.add(name, record)
        self._whole.add(name)

    def fail(self, failure: Failure) -> None:
        """Keep a failure."""
        self.failures.append(failure)

    def write_tables(self, run: Mapping[str, Any]) -> None:
        """Write `counts.csv`, `detections.csv`, `failures.csv` and `run.json`.

        Args:
            run: versions, model, settings, speed and memory; the numbers of images and their sources are added.
        """
        found = self.found
        detections = {name: record.detections for name, record in found.items()}
        write_table(counts_table(detections, self.card.classes), self.folder / "counts.csv")
        write_detections(detections, self.folder / "detections.csv")
        failed = pd.DataFrame(sorted((f.name, f.error) for f in self.failures), columns=["image", "error"])
        write_table(failed, self.folder / "failures.csv")
        facts = {
            "pixels": sum(record.pixels for record in found.values()),
            "images": {"done": len(found), "failed": len(self.failures)},
            "sources": {name: record.path for name, record in found.items()},
        }
        write_json({**run, **facts}, self.folder / "run.json")

    def finish(self, run: Mapping[str, Any], measured: Callable[[], Mapping[str, Any]] = dict) -> Path:
        """Write the tables and the report; give the report's path.

        Args:
            run: as for `write_tables`.
            measured: gives speed and memory, asked for when everything else is written; added to `run.json`.
        """
        self.write_tables(run)
        scores = self.folder / "scores.json"
        page = write_report(self.folder, scores if scores.exists() else None)
        self.write_tables({**run, **measured()})
        return page

"""The overlays of a run whose threshold is another now, from its images, without the network."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from detect.imagery.description.arranging import arranged
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import Scene, SceneError, original
from detect.labels.detections import Detections
from detect.nets.card import ModelCard
from detect.reporting.output.ground_survey import inside_areas
from detect.reporting.output.records import Record
from detect.reporting.recount.recounted_folder import RecountedFolder

if TYPE_CHECKING:
    from PIL.Image import Image

logger = logging.getLogger("detect.report")

MOST_NAMED = 5
"""Most images that a line of the log names."""


def redraw_overlays(sink: RecountedFolder, card: ModelCard) -> None:
    """Draw what is counted on all images anew; those that cannot be read any more keep no overlay, which is told."""

    def draw(name: str, record: Record) -> "Image | None":
        path = Path(record.path)
        try:
            if not record.describes(path):
                raise SceneError(f"{path}: not the file that was counted")
            return _overlay(sink, card, name, record)
        except (SceneError, OSError, MemoryError) as error:
            logger.warning("%s: its overlay cannot be drawn: %s", name, error)
            return None

    lost = sink.redraw(draw)
    if lost:
        logger.warning(
            "%d overlays showed another threshold and are removed: %s", len(lost), ", ".join(lost[:MOST_NAMED])
        )


def _overlay(sink: RecountedFolder, card: ModelCard, name: str, record: Record) -> "Image":
    """Return an image with what is counted in it, and the outlines of areas."""
    from detect.imagery.reading import SceneReader
    from detect.inference.failures import MAX_PREVIEW_SIDE
    from detect.reporting.pictures.area_lines import draw_outlines
    from detect.reporting.pictures.colours import to_display
    from detect.reporting.pictures.overlays import overlay

    scene = _as_read(card, Path(record.path))
    with SceneReader(scene, card.bands) as reader:
        if not scene.windowed:
            reader.hold()
        shown = to_display(reader.preview(MAX_PREVIEW_SIDE), nodata=scene.nodata)
    per_file_px = shown.shape[1] / original(scene).shape[1]
    picture = overlay(shown, record.detections, per_file_px, card.head.typical_size / 2 / scene.factor_xy[0])
    inside = inside_areas(sink.survey.areas, name, scene, Detections.empty(card.classes), None)
    draw_outlines(picture, inside.outlines, per_file_px)
    return picture


def _as_read(card: ModelCard, path: Path) -> Scene:
    """Return an image as the network reads it: its bands, its resolution, and what stands for pixels without data."""
    scene = card.resampled(arranged(open_scene(path), card.learned_bands))
    return replace(scene, fill=tuple(zip(card.bands, card.offset, strict=False)))

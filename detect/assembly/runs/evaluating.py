"""Predictions against annotations: scores, and pictures of what was missed and of false alarms."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detect.assembly.command import DONE
from detect.assembly.folders import EvaluationPaths, TrainingPaths, existing, output_folder
from detect.assembly.gate import default_embed_limit
from detect.assembly.given_labels import ignored_regions
from detect.assembly.settings import EvaluateSettings
from detect.evaluation.matching import Criterion
from detect.evaluation.scene_scores import score_scenes, shown_scores, warn_of_unknown
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene, SceneError, open_scene
from detect.labels.annotation_files import read_truth
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import read_detections
from detect.labels.images import match_names
from detect.labels.regions import outside
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.predictions import Predictions, read_predictions
from detect.reporting.page.report_page import write_report
from detect.reporting.pictures.scene_errors import clear_scenes, draw_scenes
from detect.reporting.tables import IMAGE, TOTAL, read_counts
from detect.reporting.writing import write_json

logger = logging.getLogger("detect.evaluate")

MAX_NAMED = 5
"""Images that are named in the log, at most."""

USUAL_RADIUS = 16.0
"""Radius in pixels of the rings around objects whose size no run says."""


@dataclass(frozen=True, eq=False)
class Compared:
    """What was found and what is there, by image, in pixels of the image files."""

    found: Mapping[str, Detections]
    truth: Mapping[str, Detections]


def evaluate_predictions(settings: EvaluateSettings) -> int:
    """Score a folder of predictions; images that were not both predicted and annotated are named in the scores."""
    assert settings.predictions is not None and settings.annotations is not None
    folder = existing(settings.predictions, "predictions", "folder of predictions")
    paths = PredictionPaths(folder)
    truth = read_truth(
        existing(settings.annotations, "annotations", "annotations"), negative_labels=settings.data.labels.negative
    )
    if not paths.counts.is_file():
        raise FileNotFoundError(f"{folder} holds no counts.csv: is it a folder that detect.predict wrote?")
    counts = read_counts(paths.counts)
    classes = [name for name in counts.columns if name not in (IMAGE, TOTAL)]
    done = [str(name) for name in counts[IMAGE]]
    pairs = match_names(done, list(truth))
    if not pairs:
        raise ValueError(
            f"no image of {folder} is annotated in {settings.annotations}; {done[:3]} against {list(truth)[:3]}"
        )
    compared = _paired(settings, paths, classes, truth, pairs)
    warn_of_unknown(compared.truth, classes)
    scores = score_scenes(compared.found, compared.truth, Criterion(settings.radius, settings.iou))
    left = {"not_annotated": sorted(set(done) - set(pairs)), "not_predicted": sorted(set(truth) - set(pairs.values()))}
    for what, images in left.items():
        if images:
            named = ", ".join(images[:MAX_NAMED])
            logger.warning("%d images are %s and not scored: %s", len(images), what.replace("_", " "), named)
    output = write_scores(settings, {**scores, **left})
    logger.info("report: %s", write_report(folder, output.scores, default_embed_limit()))
    scenes, radius_resampled_px = _sources(read_predictions(folder), list(pairs))
    draw_errors(settings, output, scenes, compared, radius_resampled_px)
    logger.info("wrote %s", output.scores)
    return DONE


def _paired(
    settings: EvaluateSettings,
    paths: PredictionPaths,
    classes: Sequence[str],
    truth: Mapping[str, Detections],
    pairs: Mapping[str, str],
) -> Compared:
    """Read what was found in the annotated images; objects in ignored regions are left out on both sides."""
    annotated = {name for key in pairs.values() for name in truth[key].names}
    every = sorted({*classes, *annotated})
    read = read_detections(paths.detections, every)
    empty = Detections.empty(every)
    found = {image: read.get(image, empty) for image in pairs}
    wanted = {image: truth[key].with_classes(every) for image, key in pairs.items()}
    for image, regions in ignored_regions(settings.data.labels, list(pairs)).items():
        found[image], wanted[image] = outside(found[image], regions), outside(wanted[image], regions)
    return Compared(found, wanted)


def write_scores(settings: EvaluateSettings, scores: Mapping[str, Any]) -> EvaluationPaths:
    """Write `scores.json`, log the main scores, and return the paths of the output folder.

    Pictures of an earlier evaluation, which showed other scores, are removed.
    """
    output = EvaluationPaths(settings.output)
    output_folder(
        output.folder,
        results=(TrainingPaths(output.folder).model,),
        allowed=False,
        way_out="its scores.json is the training run's: name another folder",
    )
    clear_scenes(output.errors)
    write_json(scores, output.scores)
    logger.info("%s", shown_scores(scores))
    return output


def _sources(predictions: Predictions, images: Sequence[str]) -> tuple[list[tuple[str, Scene]], float]:
    """Return the images whose files are still where the run found them, and half a typical object's side.

    Both are at the resolution at which the run read the images; where its facts do not say it, in the files' pixels.
    """
    size, scale, gsd = (_positive(predictions.model.get(name)) for name in ("patch_size", "image_scale", "gsd"))
    resolution, radius = (Resolution(), USUAL_RADIUS) if size is None else (Resolution(scale or 1.0, gsd), size / 2)
    scenes = []
    for image in images:
        source = predictions.source(image)
        try:
            if source is not None:
                scenes.append((image, resolution.resampled(open_scene(source))))
        except SceneError as error:
            logger.warning("no picture of %s: %s", image, error)
    return scenes, radius


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def draw_errors(
    settings: EvaluateSettings,
    output: EvaluationPaths,
    scenes: Sequence[tuple[str, Scene]],
    compared: Compared,
    radius_resampled_px: float,
) -> None:
    """Draw each image with what was found, and sheets of what was missed and of false alarms.

    Args:
        settings: with the rule by which objects are matched.
        output: the output folder.
        scenes: name, and scene at the resolution at which the network reads it.
        compared: what was found and what is there.
        radius_resampled_px: half the side of a typical object, in pixels of the scenes.
    """
    drawn = [(name, scene, compared.truth[name]) for name, scene in scenes]
    draw_scenes(output.errors, drawn, compared.found, radius_resampled_px, Criterion(settings.radius, settings.iou))
    if drawn:
        logger.info("pictures of what was found, missed and false: %s", output.errors)

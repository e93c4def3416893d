"""Predictions against annotations: scores, and pictures of what was missed and of false alarms."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from detect.assembly.command import DONE
from detect.assembly.folders import EvaluationPaths, TrainingPaths
from detect.assembly.gate import default_embed_limit
from detect.assembly.given_labels import ignored_regions
from detect.assembly.given_paths import existing
from detect.assembly.output_folders import output_folder
from detect.assembly.runs.recorded_labels import TRAINING_IMAGES, model_of_run, read_truth, with_recorded
from detect.assembly.runs.unseen_objects import seen_truth
from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.evaluation.matching import Criterion
from detect.evaluation.radius import MatchRadius, label_spacing, match_radius, recorded_radius
from detect.evaluation.scene_scores import score_scenes, shown_scores, warn_of_unknown
from detect.evaluation.seen import TrainingImages, with_seen
from detect.imagery.description.arranging import Bands, arranged
from detect.imagery.description.band_names import plain_band_name
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.description.shown import AS_SHOWN
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene, SceneError, original
from detect.labels.annotations import AnnotatedImage, Annotations
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import read_detections
from detect.labels.image_names import match_names
from detect.labels.regions import outside
from detect.nets.bounds import HIGHEST_BAND, MOST_BANDS
from detect.reporting.classes.class_folder import WRITTEN as CLASS_FILES
from detect.reporting.classes.class_folder import clear_classes
from detect.reporting.output.journal import recorded_sources
from detect.reporting.output.layout import REPORT, SCORES, PredictionPaths
from detect.reporting.output.predictions import Predictions, read_candidates, read_predictions
from detect.reporting.output.records import signature
from detect.reporting.output.written import WrittenFiles
from detect.reporting.page.report_page import write_report
from detect.reporting.pictures.scene_errors import clear_scenes, draw_scenes
from detect.reporting.tables import IMAGE
from detect.reporting.writing import json_bytes

logger = logging.getLogger("detect.evaluate")

MAX_NAMED = 5
"""Images that are named in the log, at most."""

USUAL_RADIUS = 16.0
"""Radius in pixels of the rings around objects whose size no run says."""

MAX_SIZE = 4096
"""A size of objects or a resolution of a run above this is not believed."""


@dataclass(frozen=True, eq=False)
class Compared:
    """What was found and what is there, by image, in pixels of the image files.

    `every` has what was found at scores below the threshold too; None where that was not kept.
    """

    found: Mapping[str, Detections]
    truth: Mapping[str, Detections]
    every: Mapping[str, Detections] | None = None


def evaluate_predictions(settings: EvaluateSettings) -> int:
    """Score a folder of predictions; images that were not both predicted and annotated are named in the scores."""
    assert settings.predictions is not None and settings.annotations is not None
    folder = existing(settings.predictions, "predictions", "folder of predictions")
    paths = PredictionPaths(folder)
    predictions = read_predictions(folder)
    model = model_of_run(predictions)
    settings = with_recorded(settings, model)
    annotations = read_truth(settings)
    truth = annotations.truth
    if predictions.areas is not None:
        logger.warning(
            "%s counts inside of areas alone: what is annotated outside of them counts as missed; score a run without "
            "within=, or leave those annotations out",
            folder,
        )
    classes, done = list(predictions.classes), [str(name) for name in predictions.counts[IMAGE]]
    pairs = match_names(done, list(truth))
    if not pairs:
        raise ValueError(
            f"no image of {folder} is annotated in {settings.annotations}; {done[:3]} against {list(truth)[:3]}"
        )
    output = evaluation_folder(settings)
    WrittenFiles(folder).check([REPORT])
    scenes, radius_resampled_px = _sources(predictions, list(pairs))
    compared = _paired(settings, paths, classes, annotations, pairs, dict(scenes))
    _warn_of_turned(predictions, scenes)
    wanted, not_seen = seen_truth(compared.truth, scenes, predictions.model.get("bands"))
    compared = replace(compared, truth=wanted)
    warn_of_unknown(compared.truth, classes)
    radius = _match_radius(settings, predictions, compared, _others(annotations, pairs))
    tell_radius(radius, settings.iou)
    criterion = Criterion(radius.file_px, settings.iou)
    probable = bool(predictions.expected)
    scores = score_scenes(compared.found, compared.truth, criterion, compared.every, probable=probable)
    group_of = {image.name: image.group for image in annotations.images}
    training = TrainingImages.from_record(model.get(TRAINING_IMAGES) or {})
    scores = with_seen(scores, training, {image: group_of[key] for image, key in pairs.items()})
    left = {"not_annotated": sorted(set(done) - set(pairs)), "not_predicted": sorted(set(truth) - set(pairs.values()))}
    for what, images in left.items():
        if images:
            named = ", ".join(images[:MAX_NAMED])
            logger.warning("%d images are %s and not scored: %s", len(images), what.replace("_", " "), named)
    write_scores(output, {**scores, "radius_from": radius.how, "objects_not_seen": not_seen, **left})
    logger.info("report: %s", write_report(folder, output.scores, default_embed_limit()))
    draw_errors(criterion, output, scenes, compared, radius_resampled_px)
    logger.info("wrote %s", output.scores)
    return DONE


def _sized(image: AnnotatedImage, scene: Scene | None) -> AnnotatedImage:
    """Return an annotated image with the path and the size of the file that was counted, where it is still there."""
    return image if scene is None else replace(image, path=scene.path, shape=original(scene).shape)


def _paired(
    settings: EvaluateSettings,
    paths: PredictionPaths,
    classes: Sequence[str],
    annotations: Annotations,
    pairs: Mapping[str, str],
    scenes: Mapping[str, Scene],
) -> Compared:
    """Read what was found in the annotated images; objects in ignored regions are left out on both sides.

    The annotations may have regions of their own, such as the crowds of COCO. Polygons and masks need the sizes of
    images, which are those of the scenes.
    """
    truth = annotations.truth
    annotated = {name for key in pairs.values() for name in truth[key].names}
    every = sorted({*classes, *annotated})
    read = read_detections(paths.detections, every)
    empty = Detections.empty(every)
    found = {image: read.get(image, empty) for image in pairs}
    wanted = {image: truth[key].with_classes(every) for image, key in pairs.items()}
    known = {image.name: image for image in annotations.images}
    own = {name: image.ignored for name, image in known.items()}
    sized = {image: _sized(known[key], scenes.get(image)) for image, key in pairs.items()}
    given = ignored_regions(settings.data.labels, sized)
    candidates = read_candidates(paths.folder, list(pairs), every)
    for image, key in pairs.items():
        regions = np.concatenate([own[key], given.get(image, np.empty((0, 4)))])
        found[image], wanted[image] = outside(found[image], regions), outside(wanted[image], regions)
        if candidates is not None:
            candidates[image] = outside(candidates[image], regions)
    return Compared(found, wanted, candidates)


def _others(annotations: Annotations, pairs: Mapping[str, str]) -> list[Detections]:
    """Return the objects, outside of ignored regions, of the images that were annotated only."""
    matched = set(pairs.values())
    return [outside(image.objects, image.ignored) for image in annotations.images if image.name not in matched]


def _match_radius(
    settings: EvaluateSettings, predictions: Predictions, compared: Compared, others: Sequence[Detections]
) -> MatchRadius:
    """Return the radius as set, or of the model's training, or from all annotations.

    All of them, so that a part of the images is judged like the whole.

    Args:
        settings: with the radius, None for `auto`.
        predictions: with the facts of the run, which say how large an object is for the model.
        compared: of the images that were predicted and annotated.
        others: the objects of the images that were annotated only.
    """
    size, scale, gsd = (_positive(predictions.model.get(name)) for name in ("patch_size", "image_scale", "gsd"))
    size_file_px = None if size is None or gsd is not None else size / (scale or 1.0)
    recorded = recorded_radius(predictions.model) if settings.radius is None else None
    spacing = label_spacing([*compared.truth.values(), *others])
    return match_radius(settings.radius, spacing, size_file_px, "radius", recorded)


def tell_radius(radius: MatchRadius, iou: float | None) -> None:
    """Log when a detection and an object are one, and a radius that is too large for the objects."""
    logger.info("%s", radius.sentence(iou))
    for warning in radius.warnings(iou):
        logger.warning("%s", warning)


def evaluation_folder(settings: EvaluateSettings) -> EvaluationPaths:
    """Make the output folder, before anything is computed; the scores of an earlier evaluation in it are replaced.

    Raises:
        FileExistsError: it is the folder of a training, or a person changed the scores, or a table of a classifier.
    """
    output = EvaluationPaths(settings.output)
    output_folder(
        output.folder,
        results=(TrainingPaths(output.folder).model,),
        allowed=False,
        way_out="its scores.json is the training run's: name another folder",
    )
    written, way_out = WrittenFiles(output.folder), ", or name another output folder"
    written.check([SCORES], way_out)
    written.check(CLASS_FILES, way_out, adopt=False)
    return output


def write_scores(output: EvaluationPaths, scores: Mapping[str, Any]) -> None:
    """Write `scores.json`, and log the main scores.

    Pictures of an earlier evaluation, which showed other scores, are removed, and its figures of a classifier.
    """
    clear_scenes(output.errors)
    clear_classes(output.folder)
    WrittenFiles(output.folder).write({SCORES: json_bytes(scores, output.scores)})
    logger.info("%s", shown_scores(scores))


def _sources(predictions: Predictions, images: Sequence[str]) -> tuple[list[tuple[str, Scene]], float]:
    """Return the images whose files are still as the run found them, and half a typical object's side.

    A predictions folder may come from others, and it names files of this machine. So a file is opened only where the
    journal of the run has its path, its size and its time of change to the nanosecond, which nobody knows who does not
    have the file.

    Both are at the resolution at which the run read the images, with their bands where it read them; where its facts do
    not say it, as the files have them.
    """
    size, scale, gsd = (_positive(predictions.model.get(name)) for name in ("patch_size", "image_scale", "gsd"))
    resolution, radius = (Resolution(), USUAL_RADIUS) if size is None else (Resolution(scale or 1.0, gsd), size / 2)
    bands = _learned_bands(predictions.model)
    recorded = recorded_sources(predictions.folder)
    scenes = []
    for image in images:
        if image not in recorded:
            logger.warning("no picture of %s: %s has no record of its file", image, predictions.paths.journal)
            continue
        source = Path(recorded[image][0])
        if signature(source) != recorded[image]:
            logger.warning("no picture of %s: %s is gone, or has changed since it was counted", image, source)
            continue
        try:
            scene = open_scene(source)
            scenes.append((image, resolution.resampled(scene if bands is None else arranged(scene, bands))))
        except SceneError as error:
            logger.warning("no picture of %s: %s", image, error)
    return scenes, radius


def _learned_bands(model: Mapping[str, Any]) -> Bands | None:
    """Return the bands that the model of a run looked at, None where its facts do not say it, or say what cannot be."""
    numbers, names = model.get("bands"), model.get("band_names", [])
    if not (isinstance(numbers, list) and isinstance(names, list) and 0 < len(numbers) <= MOST_BANDS):
        return None
    whole = all(isinstance(each, int) and 1 <= each <= HIGHEST_BAND for each in numbers)
    known = all(isinstance(each, str) and each == plain_band_name(each) for each in names)
    return Bands(tuple(numbers), tuple(names)) if whole and known and len(names) in (0, len(numbers)) else None


def _warn_of_turned(predictions: Predictions, scenes: Sequence[tuple[str, Scene]]) -> None:
    """Log a warning where the places in a table are those of images as they are stored, and they are shown turned."""
    settings = predictions.run.get("settings")
    turned = [name for name, scene in scenes if scene.orientation > 1]
    if turned and not (isinstance(settings, dict) and settings.get("pixels") == AS_SHOWN):
        logger.warning(
            "%d images are shown turned by their EXIF orientation, such as %s, and %s was made by a version that did "
            "not turn them: predict again",
            len(turned),
            turned[0],
            predictions.folder,
        )


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value <= MAX_SIZE else None


def draw_errors(
    criterion: Criterion,
    output: EvaluationPaths,
    scenes: Sequence[tuple[str, Scene]],
    compared: Compared,
    radius_resampled_px: float,
) -> None:
    """Draw each image with what was found, and sheets of what was missed and of false alarms.

    Args:
        criterion: the rule by which objects are matched.
        output: the output folder.
        scenes: name, and scene at the resolution at which the network reads it.
        compared: what was found and what is there.
        radius_resampled_px: half the side of a typical object, in pixels of the scenes.
    """
    drawn = [(name, scene, compared.truth[name]) for name, scene in scenes]
    draw_scenes(output.errors, drawn, compared.found, radius_resampled_px, criterion)
    if drawn:
        logger.info("pictures of what was found, missed and false: %s", output.errors)

"""Predictions against annotations: scores, and pictures of what was missed and of false alarms."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from detect.assembly.command import DONE
from detect.assembly.evaluation.compared import Compared, annotated_only, paired
from detect.assembly.evaluation.counted_scenes import believed, counted_scenes, warn_of_turned
from detect.assembly.evaluation.evaluation_output import draw_errors, evaluation_folder, write_scores
from detect.assembly.evaluation.recorded_labels import TRAINING_IMAGES, model_of_run, read_truth, with_recorded
from detect.assembly.evaluation.unseen_objects import seen_truth
from detect.assembly.gate import default_embed_limit
from detect.assembly.given_paths import existing
from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.evaluation.matching import Criterion
from detect.evaluation.radius import MatchRadius, label_spacing, match_radius, recorded_radius
from detect.evaluation.scene_scores import score_scenes, warn_of_unknown
from detect.evaluation.seen import TrainingImages, with_seen
from detect.labels.detections import Detections
from detect.labels.image_names import match_names
from detect.reporting.output.layout import REPORT, PredictionPaths
from detect.reporting.output.predictions import Predictions, read_predictions
from detect.reporting.output.written import WrittenFiles
from detect.reporting.page.report_page import write_report
from detect.reporting.tables import IMAGE

logger = logging.getLogger("detect.evaluate")

MAX_NAMED = 5
"""Images that are named in the log, at most."""


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
    scenes, radius_resampled_px = counted_scenes(predictions, list(pairs))
    compared = paired(settings, paths, classes, annotations, pairs, dict(scenes))
    warn_of_turned(predictions, scenes)
    wanted, not_seen = seen_truth(compared.truth, scenes, predictions.model.get("bands"))
    compared = replace(compared, truth=wanted)
    warn_of_unknown(compared.truth, classes)
    radius = _match_radius(settings, predictions, compared, annotated_only(annotations, pairs))
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
    size, scale, gsd = (believed(predictions.model.get(name)) for name in ("patch_size", "image_scale", "gsd"))
    size_file_px = None if size is None or gsd is not None else size / (scale or 1.0)
    recorded = recorded_radius(predictions.model) if settings.radius is None else None
    spacing = label_spacing([*compared.truth.values(), *others])
    return match_radius(settings.radius, spacing, size_file_px, "radius", recorded)


def tell_radius(radius: MatchRadius, iou: float | None) -> None:
    """Log when a detection and an object are one, and a radius that is too large for the objects."""
    logger.info("%s", radius.sentence(iou))
    for warning in radius.warnings(iou):
        logger.warning("%s", warning)

"""Predictions against annotations: scores, and pictures of what was missed and of false alarms."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from detect.assembly.command import DONE
from detect.assembly.evaluation.compared import Compared, annotated_only, paired
from detect.assembly.evaluation.counted_scenes import believed, counted_scenes, warn_of_turned
from detect.assembly.evaluation.evaluation_output import draw_errors, evaluation_folder, write_scores
from detect.assembly.evaluation.matched_images import MatchedImages
from detect.assembly.evaluation.recorded_labels import model_of_run, read_truth, with_recorded
from detect.assembly.evaluation.unseen_objects import seen_truth
from detect.assembly.gate import default_embed_limit
from detect.assembly.given_paths import existing
from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.evaluation.matching import Criterion
from detect.evaluation.radius import MatchRadius, label_spacing, match_radius, recorded_radius
from detect.evaluation.scene_scores import score_scenes, warn_of_unknown
from detect.labels.detections import Detections
from detect.reporting.output.layout import REPORT
from detect.reporting.output.predictions import Predictions, read_predictions
from detect.reporting.output.written import WrittenFiles
from detect.reporting.page.report_page import write_report

logger = logging.getLogger("detect.evaluate")


def evaluate_predictions(settings: EvaluateSettings) -> int:
    """Score a folder of predictions; images that were not both predicted and annotated are named in the scores."""
    assert settings.predictions is not None and settings.annotations is not None
    folder = existing(settings.predictions, "predictions", "folder of predictions")
    predictions = read_predictions(folder)
    model = model_of_run(predictions)
    settings = with_recorded(settings, model)
    annotations = read_truth(settings)
    _warn_of_areas(predictions)
    matched = MatchedImages.of(predictions, annotations.truth, settings.annotations)
    output = evaluation_folder(settings)
    WrittenFiles(folder).check([REPORT])
    scenes, radius_resampled_px = counted_scenes(predictions, list(matched.pairs))
    compared = paired(settings, predictions, annotations, matched.pairs, dict(scenes))
    warn_of_turned(predictions, scenes)
    seen, not_seen = seen_truth(compared.truth, scenes, predictions.model.get("bands"))
    compared = replace(compared, truth=seen)
    warn_of_unknown(compared.truth, predictions.classes)
    radius = _match_radius(settings, predictions, compared, annotated_only(annotations, matched.pairs))
    tell_radius(radius, settings.iou)
    criterion = Criterion(radius.file_px, settings.iou)
    probable = bool(predictions.expected)
    scores = score_scenes(compared.found, compared.truth, criterion, compared.every, probable=probable)
    scores = matched.with_seen(scores, model, {image.name: image.group for image in annotations.images})
    matched.tell_left()
    write_scores(output, {**scores, "radius_from": radius.how, "objects_not_seen": not_seen, **matched.left})
    logger.info("report: %s", write_report(folder, output.scores, default_embed_limit()))
    draw_errors(criterion, output, scenes, compared, radius_resampled_px)
    logger.info("wrote %s", output.scores)
    return DONE


def _warn_of_areas(predictions: Predictions) -> None:
    """Log a warning where a run counted inside of areas, and objects outside of them will count as missed."""
    if predictions.areas is not None:
        logger.warning(
            "%s counts inside of areas alone: what is annotated outside of them counts as missed; score a run without "
            "within=, or leave those annotations out",
            predictions.folder,
        )


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

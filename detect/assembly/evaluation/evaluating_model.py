"""A model on a labelled split: scores, and pictures of what was missed and of false alarms."""

import logging
from typing import TYPE_CHECKING, Any

from detect.assembly.command import DONE
from detect.assembly.evaluation.classified_side import classify_side, write_class_figures
from detect.assembly.evaluation.compared import Compared
from detect.assembly.evaluation.counted_side import all_of, count_side, images_of_side
from detect.assembly.evaluation.evaluating import tell_radius
from detect.assembly.evaluation.evaluation_output import draw_errors, evaluation_folder, write_scores
from detect.assembly.evaluation.unseen_objects import seen_truth
from detect.assembly.folders import TrainingPaths
from detect.assembly.gate import checked_data, inference_defaults
from detect.assembly.given_labels import read_labels, with_record
from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.assembly.settings.label_settings import LabelledSettings, NamedSides
from detect.assembly.settings.train_settings import TrainSettings
from detect.evaluation.matching import Criterion
from detect.evaluation.radius import MatchRadius, label_spacing, match_radius, recorded_radius
from detect.evaluation.scene_scores import false_alarms_per_megapixel, score_scenes, warn_of_unknown
from detect.evaluation.seen import TrainingImages, with_seen
from detect.imagery.description.remarks import tell
from detect.imagery.scenes import Scene
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.labels.regions import outside
from detect.nets.card import ModelCard
from detect.nets.header import read_card

if TYPE_CHECKING:
    from detect.nets.modelfile import Net

logger = logging.getLogger("detect.evaluate")


def evaluate_model(settings: EvaluateSettings) -> int:
    """Score a model on the images, or bare patches, of a side of the split."""
    assert settings.model is not None
    card = read_card(settings.model)
    data = with_record(settings.data, card.training)
    labels = read_labels(data)
    output = evaluation_folder(settings)

    from detect.nets.modelfile import load_model

    net, _ = load_model(settings.model)
    if isinstance(labels, PatchFolder):
        made, scores = classify_side(settings, net, card, labels, data)
        write_scores(output, {**scores, "split": settings.split})
        write_class_figures(output, made, scores)
    else:
        if settings.unknown:
            raise ValueError("unknown names labels of patches or whole images, and these are places in images")
        radius = _match_radius(settings, card, labels)
        tell_radius(radius, settings.iou)
        criterion = Criterion(radius.file_px, settings.iou)
        scores, compared, scenes = _score_images(settings, net, card, labels, criterion)
        write_scores(output, {**scores, "radius_from": radius.how, "split": settings.split})
        draw_errors(criterion, output, scenes, compared, radius_resampled_px=card.head.typical_size / 2)
    logger.info("wrote %s", output.scores)
    return DONE


def _match_radius(settings: EvaluateSettings, card: ModelCard, annotations: Annotations) -> MatchRadius:
    """Return the radius as set, else that of the model's training, else from the annotations of every side."""
    spacing = label_spacing(outside(image.objects, image.ignored) for image in annotations.images)
    resolution = card.resolution
    size_file_px = card.head.typical_size / resolution.scale if resolution.gsd is None else None
    recorded = recorded_radius(card.training) if settings.radius is None else None
    return match_radius(settings.radius, spacing, size_file_px, "radius", recorded)


def score_test(settings: TrainSettings, paths: TrainingPaths) -> int:
    """Score a trained model on the run's test images, as `detect.evaluate` would with its defaults."""
    matching, data = settings.data.matching, settings.data
    defaults = checked_data(inference_defaults(), InferenceSettings)
    return evaluate_model(
        EvaluateSettings(
            **{**vars(defaults), "runtime": settings.runtime},
            predictions=None,
            annotations=None,
            model=paths.model,
            data=LabelledSettings(
                root=data.root,
                annotations=data.annotations,
                vrt=data.vrt,
                group_column=data.group_column,
                truncated=data.truncated,
                labels=data.labels,
                split=NamedSides((), (), None),
            ),
            split="test",
            output=paths.test,
            radius=matching.radius,
            iou=matching.iou,
            batch_size=data.loading.batch_size,
            unknown=(),
        )
    )


def _score_images(
    settings: EvaluateSettings, net: "Net", card: ModelCard, annotations: Annotations, criterion: Criterion
) -> tuple[dict[str, Any], Compared, list[tuple[str, Scene]]]:
    """Count the images of a side with a model, and score; candidates below the threshold are for mAP and probabilities.

    Returns:
        The scores, what was compared, and the images at the model's resolution.
    """
    from detect.assembly.engine.ready_engine import make_engine
    from detect.assembly.prediction.survey_scale import with_survey_scale
    from detect.assembly.prediction.told_counts import log_unlike

    images = images_of_side(settings, card, annotations)
    engine = make_engine(settings, net, card, card.threshold, settings.output).with_candidates()
    engine = with_survey_scale(settings, engine, [image.path for image in images])
    counted = count_side(images, engine)
    tell({name: scene.remarks for name, scene in counted.scenes})
    log_unlike(counted.unlike)
    labelled = {image.name: outside(image.objects, image.ignored) for image in images}
    truth, not_seen = seen_truth(labelled, counted.scenes, card.bands)
    warn_of_unknown(truth, card.classes)
    probable = card.calibration is not None
    scores = score_scenes(counted.found, truth, criterion, all_of(images, counted.every), probable=probable)
    scores["objects_not_seen"] = not_seen
    scores["false_alarms_per_megapixel"] = false_alarms_per_megapixel(scores, images, counted.shares)
    training = TrainingImages.from_record(card.training)
    scores = with_seen(scores, training, {image.name: image.group for image in images})
    return scores, Compared(counted.found, truth), counted.scenes

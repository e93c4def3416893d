"""A model on a labelled split: scores, and pictures of what was missed and of false alarms."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from detect.assembly.command import DONE
from detect.assembly.evaluation.compared import Compared
from detect.assembly.evaluation.evaluating import tell_radius
from detect.assembly.evaluation.evaluation_output import draw_errors, evaluation_folder, write_scores
from detect.assembly.evaluation.unseen_objects import seen_truth
from detect.assembly.folders import EvaluationPaths, TrainingPaths
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
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import Scene
from detect.labels.annotations import AnnotatedImage, Annotations
from detect.labels.detections import Detections
from detect.labels.formats.patch_folder import PatchFolder
from detect.labels.regions import outside
from detect.nets.card import ModelCard
from detect.nets.header import read_card
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead

if TYPE_CHECKING:
    from detect.evaluation.classes.classified import Classification
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
        made, scores = _classified(settings, net, card, labels, data)
        write_scores(output, {**scores, "split": settings.split})
        _write_classes(output, made, scores)
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


def _classified(
    settings: EvaluateSettings, net: "Net", card: ModelCard, folder: PatchFolder, data: LabelledSettings
) -> tuple["Classification", dict[str, Any]]:
    """Return the bare patches, or the whole images, of a side of the split as a model classifies them, and scores."""
    from detect.evaluation.classification import scores_of

    check_unknown(settings.unknown, folder.classes, card.outputs)
    match card.head:
        case WholeHead():
            from detect.assembly.whole.evaluating_classes import classify_whole, unknown_of

            made = classify_whole(settings, net, card, folder, data)
            return made, {**scores_of(made, card, card.threshold), **unknown_of(made)}
        case PatchHead() | GridHead():
            made = _classify_patches(settings, net, card, folder, data)
            return made, scores_of(made, card)
        case _:
            assert_never(card.head)


def check_unknown(unknown: Sequence[str], labels: Sequence[str], outputs: Sequence[str]) -> None:
    """Check that the labels that a model does not know are labels, and that it does not know them.

    Raises:
        ValueError: one is not.
    """
    for name in unknown:
        if name in outputs:
            raise ValueError(f"unknown: {name!r} is a class of the model; name those that it does not know")
        if name not in labels:
            raise ValueError(f"unknown: nothing is labelled {name!r}; the labels are {', '.join(labels)}")


def _write_classes(output: EvaluationPaths, made: "Classification", scores: Mapping[str, Any]) -> None:
    """Write the figures of a classifier beside its scores, and log what is not defined of them."""
    from detect.reporting.classes.class_folder import write_classes

    for remark in write_classes(output.folder, made, scores).remarks:
        logger.warning("%s", remark)
    logger.info("confusions, curves and calibration: %s", output.classes)


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


def _classify_patches(
    settings: EvaluateSettings, net: "Net", card: ModelCard, folder: PatchFolder, data: LabelledSettings
) -> "Classification":
    from detect.evaluation.classification import Showing, classification_of
    from detect.inference.runtimes.torch_runtime import pick_device
    from detect.samples.bare.folder_dataset import FolderDataset
    from detect.samples.bare.folder_spec import folder_outputs
    from detect.samples.bare.patch_files import PatchFiles, tell_truncated

    chosen = np.flatnonzero([settings.split in ("all", side or "train") for side in folder.split])
    if not len(chosen):
        raise ValueError(f"no patches of split={settings.split} in {' and '.join(map(str, data.root or ()))}")
    outputs = folder_outputs(folder, card, data.labels.negative, settings.unknown)[chosen]
    files = [folder.paths[i] for i in chosen]
    tell_truncated(files)
    return classification_of(
        net,
        card,
        FolderDataset(files, outputs, PatchFiles(card, card.offset)),
        Showing(pick_device(settings.runtime.device), settings.batch_size, settings.tta, settings.tta_combine),
        ["/".join(path.parts[-2:]) for path in files],
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
    from detect.assembly.sides import sides_of_model
    from detect.inference.run import count_scene

    sides = sides_of_model(settings.data.split, annotations, card.training)
    images = [image for image in annotations.images if settings.split in ("all", sides[image.name])]
    if not images and settings.split == "val" and card.training.get("folds"):
        raise ValueError(
            "no image validated this model, it learned from all: its threshold was chosen by folds, whose scores are "
            "in scores.json beside it; give split=test and images that it does not know, or split=all"
        )
    if not images:
        raise ValueError(
            f"no image of split={settings.split}; set data.split.test=[...] or a split column, or split=all"
        )
    engine = make_engine(settings, net, card, card.threshold, settings.output).with_candidates()
    engine = with_survey_scale(settings, engine, [image.path for image in images])
    found: dict[str, Detections] = {}
    every: dict[str, Detections] = {}
    scenes: list[tuple[str, Scene]] = []
    shares: dict[str, float] = {}
    strange: dict[str, str] = {}
    for image in images:
        scene = open_scene(image.path)
        result = count_scene(scene, engine)
        shares[image.name] = 1.0 if result.surveyed is None else result.surveyed.valid / result.surveyed.pixels
        strange |= {image.name: result.unlike.words} if result.unlike.kinds else {}
        found[image.name] = outside(result.detections, image.ignored)
        if result.every is not None:
            every[image.name] = outside(result.every, image.ignored)
        scenes.append((image.name, engine.prepared(scene)))
        logger.info("%s: %d found, %d annotated", image.name, len(found[image.name]), len(image.objects))
    tell({name: scene.remarks for name, scene in scenes})
    log_unlike(strange)
    labelled = {image.name: outside(image.objects, image.ignored) for image in images}
    truth, not_seen = seen_truth(labelled, scenes, card.bands)
    warn_of_unknown(truth, card.classes)
    probable = card.calibration is not None
    scores = score_scenes(found, truth, criterion, all_of(images, every), probable=probable)
    scores["objects_not_seen"] = not_seen
    scores["false_alarms_per_megapixel"] = false_alarms_per_megapixel(scores, images, shares)
    training = TrainingImages.from_record(card.training)
    scores = with_seen(scores, training, {image.name: image.group for image in images})
    return scores, Compared(found, truth), scenes


def all_of(images: Sequence[AnnotatedImage], every: Mapping[str, Detections]) -> Mapping[str, Detections] | None:
    """Return the candidates of all images; None, which is logged, where those of one are too many to be kept."""
    left = [image.name for image in images if image.name not in every]
    if not left:
        return every
    logger.warning(
        "numbers of all candidates are left out, and average precision is of what was found: %d images, such as %s, "
        "have too many candidates",
        *(len(left), left[0]),
    )
    return None

"""Classifiers of whole images against known classes: a run's folder, or a model on a side of labelled images."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detect.assembly.command import DONE
from detect.assembly.evaluation.evaluation_output import evaluation_folder, write_scores
from detect.assembly.evaluation.recorded_labels import TRAINING_IMAGES, model_of_run, with_recorded
from detect.assembly.gate import default_embed_limit
from detect.assembly.given_paths import existing
from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.assembly.settings.label_settings import LabelledSettings
from detect.evaluation.seen import TrainingImages, with_seen
from detect.evaluation.whole.found_classes import score_found
from detect.labels.formats.patch_folder import PatchFolder
from detect.labels.image_names import match_names
from detect.labels.reading.image_classes import as_annotations, read_image_classes
from detect.nets.card import ModelCard
from detect.reporting.output.layout import REPORT
from detect.reporting.output.predictions import Predictions, read_predictions
from detect.reporting.output.written import WrittenFiles
from detect.reporting.page.report_page import write_report
from detect.reporting.tables import IMAGE, UNKNOWN, read_facts

if TYPE_CHECKING:
    from detect.evaluation.classes.classified import Classification
    from detect.nets.modelfile import Net

logger = logging.getLogger("detect.evaluate")

MAX_NAMED = 5
"""Images that are named in the log, at most."""


def evaluate_classes(settings: EvaluateSettings) -> int:
    """Score the classes that a run found in whole images; those that were not both predicted and labelled are named."""
    assert settings.predictions is not None and settings.annotations is not None
    folder = existing(settings.predictions, "predictions", "folder of predictions")
    table = existing(settings.annotations, "annotations", "annotations")
    predictions = read_predictions(folder)
    model = model_of_run(predictions)
    settings = with_recorded(settings, model)
    labels = settings.data.labels
    known = read_image_classes(table, None, labels.names, settings.data.group_column)
    done = [str(name) for name in predictions.counts[IMAGE]]
    pairs = match_names(done, list(known.names))
    if not pairs:
        raise ValueError(
            f"no image of {folder} is labelled in {settings.annotations}; {done[:3]} against {list(known.names)[:3]}"
        )
    output = evaluation_folder(settings)
    WrittenFiles(folder).check([REPORT])
    background = labels.negative[0] if labels.negative else None
    truth_of = {name: _classes_of(known, row, labels.negative) for row, name in enumerate(known.names)}
    truth = {image: truth_of[name] for image, name in pairs.items()}
    found, unknown = _found(predictions, pairs.keys(), background)
    classes = [*predictions.classes, *([background] if background else [])]
    strange = sorted({name for each in truth.values() for name in each} - {*classes})
    if strange:
        logger.warning("the model knows no class %s: what is labelled so counts as missed", ", ".join(strange))
    scores = score_found(found, truth, [*classes, *strange], unknown)
    groups = dict(zip(known.names, known.group or (None,) * len(known), strict=True))
    training = TrainingImages.from_record(model.get(TRAINING_IMAGES) or {})
    scores = with_seen(scores, training, {image: groups[name] for image, name in pairs.items()})
    left = {
        "not_annotated": sorted(set(done) - set(pairs)),
        "not_predicted": sorted(set(known.names) - set(pairs.values())),
    }
    for what, images in left.items():
        if images:
            named = ", ".join(images[:MAX_NAMED])
            logger.warning("%d images are %s and not scored: %s", len(images), what.replace("_", " "), named)
    write_scores(output, {**scores, **left})
    logger.info("report: %s", write_report(folder, output.scores, default_embed_limit()))
    logger.info("wrote %s", output.scores)
    return DONE


def _classes_of(known: PatchFolder, row: int, negative: tuple[str, ...]) -> tuple[str, ...]:
    """Return the known classes of an image; those without a pattern are one."""
    places = [known.label[row]] if known.present is None else np.flatnonzero(known.present[row])
    return tuple(dict.fromkeys(negative[0] if (name := known.classes[i]) in negative else name for i in places))


def _found(
    predictions: Predictions, images: Any, background: str | None
) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """Return the classes that were found in images, and those images of no known class.

    An image in which nothing was found, and that is not unknown, is one without a pattern, where the model knows such.
    """
    told = read_facts(predictions.paths.counts).get(UNKNOWN, {})
    unknown = {name for name in images if told.get(name) == "1"}
    found = {}
    for record in predictions.counts.to_dict("records"):
        name = str(record[IMAGE])
        if name in images:
            there = tuple(each for each in predictions.classes if record[each])
            found[name] = there or ((background,) if background and name not in unknown else ())
    return found, unknown


def classify_whole(
    settings: EvaluateSettings, net: "Net", card: ModelCard, folder: PatchFolder, data: LabelledSettings
) -> "Classification":
    """Return the whole images of a side as a model classifies them.

    Raises:
        ValueError: there are none on that side.
    """
    from detect.assembly.sides import sides_of_model
    from detect.evaluation.classification import Showing, classification_of
    from detect.inference.runtimes.torch_runtime import pick_device
    from detect.samples.bare.patch_files import PatchFiles, tell_truncated
    from detect.samples.whole.whole_images import WholeDataset, whole_targets

    source = Path((data.annotations or data.root or (Path(),))[0])
    sides = sides_of_model(settings.data.split, as_annotations(folder, source), card.training)
    chosen = np.flatnonzero([settings.split in ("all", sides[name]) for name in folder.names])
    if not len(chosen):
        raise ValueError(
            f"no image of split={settings.split} in {source}; set data.split.test=[...] or a split column, or split=all"
        )
    targets = whole_targets(folder, card, data.labels.negative, settings.unknown)[chosen]
    tell_truncated([folder.paths[i] for i in chosen])
    return classification_of(
        net,
        card,
        WholeDataset([folder.paths[i] for i in chosen], targets, PatchFiles(card, card.offset)),
        Showing(pick_device(settings.runtime.device), settings.batch_size, settings.tta, settings.tta_combine),
        [folder.names[i] for i in chosen],
        card.threshold,
    )


def unknown_of(made: "Classification") -> dict[str, Any]:
    """Return how many images are of no known class, and their share; nothing of images of any number of classes."""
    if made.many:
        return {}
    unknown = int((~made.found.any(axis=1)).sum())
    return {UNKNOWN: unknown, "unknown_share": unknown / len(made)}

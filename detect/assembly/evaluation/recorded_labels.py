"""What a model's training made of labels: their names, which are look-alikes, and which are ignored; in `run.json`."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from detect.assembly.given_paths import existing
from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.imagery.files import check_regular
from detect.labels.annotation_files import read_unchecked
from detect.labels.annotations import Annotations, with_ignored
from detect.labels.json_files import read_json_object
from detect.nets.header import read_card
from detect.reporting.output.predictions import Predictions

logger = logging.getLogger("detect.evaluate")

LABELS, TRAINING_IMAGES = "labels", "training_images"
"""Entries of the model in `run.json`."""

LISTS, NAMES = ("negative_labels", "ignore_labels"), "label_names"
"""Entries of a model's training record."""

MOST_LABELS = 10_000
"""More labels than that are not believed."""

MOST_MODEL_BYTES = 8 << 30
"""A larger file is no model that a run's folder names."""


def label_facts(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `run.json` says of labels, from the training record on a model's card."""
    return {**{name: list(training.get(name, ())) for name in LISTS}, NAMES: dict(training.get(NAMES, {}))}


def model_of_run(predictions: Predictions) -> dict[str, Any]:
    """Return the model's entry of a run; what a run of an earlier version does not say is taken from its model's file.

    A predictions folder may come from others, and it names a file of this machine. So that is read only where it is
    what the run counted with, by the hash that the run kept, which nobody knows who does not have the file.
    """
    model = predictions.model
    if not model or LABELS in model:
        return model
    try:
        training = _training_of(predictions)
    except (OSError, ValueError) as error:
        logger.info(
            "what labels the model took for look-alikes is not known: the run is of an earlier version, and its "
            "model cannot be asked (%s); data.labels.negative, ignored and names say it",
            error,
        )
        return model
    images = {name: training.get(name) for name in ("train", "val", "groups")}
    return {TRAINING_IMAGES: images, **model, LABELS: label_facts(training)}


def _training_of(predictions: Predictions) -> Mapping[str, Any]:
    """Return the training record of the model file that a run counted with.

    Raises:
        OSError: it is gone.
        ValueError: it is another file now, or the run does not say which it was.
    """
    from detect.imagery.remote.model_copies import digest

    recorded = read_json_object(predictions.paths.settings, predictions.folder).get("model")
    path = Path(str(predictions.model.get("path")))
    check_regular(path, MOST_MODEL_BYTES)
    if digest(path) != recorded:
        raise ValueError(f"{path} is not the file that counted")
    return read_card(path).training


def recorded_labels(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same from the model's entry of a run; empty of runs that do not know, or that say what cannot be.

    Args:
        model: an entry of a file that may be from others.
    """
    facts = model.get(LABELS)
    if not isinstance(facts, dict):
        return {}
    lists = {name: facts.get(name, []) for name in LISTS}
    names = facts.get(NAMES, {})
    texts = [*(text for values in lists.values() if isinstance(values, list) for text in values)]
    believed = (
        all(isinstance(values, list) for values in lists.values())
        and isinstance(names, dict)
        and len(texts) + len(names) <= MOST_LABELS
        and all(isinstance(text, str) and text for text in (*texts, *names, *names.values()))
    )
    return {**lists, NAMES: names} if believed else {}


def read_truth(settings: EvaluateSettings) -> Annotations:
    """Read the annotations that predictions are compared with; boxes of labels that are ignored become regions.

    Points of such labels have no extent: they are no objects, which is told.

    Raises:
        AnnotationError: they cannot be read.
    """
    assert settings.annotations is not None
    labels = settings.data.labels
    read = read_unchecked(
        existing(settings.annotations, "annotations", "annotations"),
        negative_labels=labels.negative + labels.ignored,
        names=labels.names,
        group_column=settings.data.group_column,
    )
    if read.boxes or not {*labels.ignored} & {name for image in read.images for name in image.negative_names}:
        return with_ignored(read, labels.ignored)
    logger.warning(
        "%s: %s are points here and no regions to ignore: they are no objects, what is found there is a false alarm",
        settings.annotations,
        ", ".join(labels.ignored),
    )
    return read


def with_recorded(settings: EvaluateSettings, model: Mapping[str, Any]) -> EvaluateSettings:
    """Return settings with the labels' names and kinds of a run's model, unless they name their own."""
    from detect.assembly.given_labels import with_record

    return replace(settings, data=with_record(settings.data, recorded_labels(model)))

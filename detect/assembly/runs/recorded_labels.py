"""What a model's training made of labels: their names, which are look-alikes, and which are ignored; in `run.json`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detect.assembly.folders import existing
from detect.assembly.settings import EvaluateSettings
from detect.labels.annotation_files import read_unchecked
from detect.labels.annotations import Annotations, with_ignored

LABELS = "labels"
"""The entry of the model in `run.json`."""

LISTS, NAMES = ("negative_labels", "ignore_labels"), "label_names"
"""Entries of a model's training record."""

MOST_LABELS = 10_000
"""More labels than that are not believed."""


def label_facts(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `run.json` says of labels, from the training record on a model's card."""
    return {**{name: list(training.get(name, ())) for name in LISTS}, NAMES: dict(training.get(NAMES, {}))}


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

    Raises:
        AnnotationError: they cannot be read, or labels that are ignored have no boxes.
    """
    assert settings.annotations is not None
    labels = settings.data.labels
    read = read_unchecked(
        existing(settings.annotations, "annotations", "annotations"),
        negative_labels=labels.negative + labels.ignored,
        names=labels.names,
        group_column=settings.data.group_column,
    )
    return with_ignored(read, labels.ignored)


def with_recorded(settings: EvaluateSettings, model: Mapping[str, Any]) -> EvaluateSettings:
    """Return settings with the labels' names and kinds of a run's model, unless they name their own."""
    from detect.assembly.given_labels import with_record

    return replace(settings, data=with_record(settings.data, recorded_labels(model)))

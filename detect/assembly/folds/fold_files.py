"""The file of what a fold's short training found: tables by epoch, in safetensors, read by value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from detect.evaluation.out_of_fold import FoldFound
from detect.labels.detections import Detections
from detect.learning.run_file import AFRESH, RunFileError, read_run_facts, read_run_tensors, write_run_file
from detect.learning.run_state import Number, checked_state


@dataclass(frozen=True)
class FoldFacts:
    """The plain values of a file.

    Attributes:
        settings: of the run.
        labels: the hash of what is labelled.
        epochs: of the short training.
        counted: the epochs after which scenes were counted.
        separations: with which objects were found, in the order of preference.
        images: names of the scenes that were left out, as the tables number them.
        classes: as the tables number them.
    """

    settings: dict[str, Any]
    labels: str
    epochs: Number
    counted: list[Number]
    separations: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    images: list[str]
    classes: list[str]


def write_fold(path: Path, found: FoldFound, settings: Mapping[str, Any], labels: str) -> None:
    """Write what a fold found, whole or not at all.

    Args:
        path: the file.
        found: by epoch.
        settings: of the run, with which a later one is compared.
        labels: the hash of what is labelled.
    """
    first = next(iter(found.found.values()), {})
    tables = next(iter(first.values()), {})
    facts = FoldFacts(
        dict(settings),
        labels,
        found.epochs,
        list(found.found),
        list(first),
        list(tables),
        list(next(iter(tables.values())).classes) if tables else [],
    )
    tensors = {
        f"{epoch}.{i}": _columns(list(each.values()))
        for epoch, candidates in found.found.items()
        for i, each in enumerate(candidates.values())
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_run_file(path, tensors, vars(facts))


def read_fold_facts(path: Path) -> FoldFacts:
    """Read the plain values of a file.

    Raises:
        RunFileError: damaged.
    """
    facts = read_run_facts(path)
    try:
        return checked_state(FoldFacts, {name: facts.get(name) for name in FoldFacts.__annotations__}, "fold")
    except ValueError as error:
        raise RunFileError(f"{path} is damaged: {error}; {AFRESH}") from error


def read_fold(path: Path) -> FoldFound:
    """Read what a fold found.

    Raises:
        RunFileError: damaged.
    """
    facts, tensors = read_fold_facts(path), read_run_tensors(path)
    try:
        found = {
            epoch: {
                value: _tables(tensors[f"{epoch}.{i}"], facts.images, facts.classes)
                for i, value in enumerate(facts.separations)
            }
            for epoch in facts.counted
        }
    except (KeyError, ValueError, IndexError, TypeError, RuntimeError) as error:
        raise RunFileError(f"{path} is damaged ({error}); {AFRESH}") from error
    return FoldFound(facts.epochs, found)


def _columns(tables: Sequence[Detections]) -> dict[str, Tensor]:
    """Return the tables of several scenes as one, with the number of the scene of each row."""
    scene = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    columns = {
        "scene": scene.astype(np.int64),
        "xy": np.concatenate([table.xy for table in tables]),
        "score": np.concatenate([table.score for table in tables]),
        "label": np.concatenate([table.label for table in tables]),
    }
    sizes = [table.wh for table in tables if table.wh is not None]
    if sizes:
        columns["wh"] = np.concatenate(sizes)
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in columns.items()}


def _tables(columns: Mapping[str, Tensor], images: Sequence[str], classes: Sequence[str]) -> dict[str, Detections]:
    """Return the tables of the scenes, by name."""
    numbers = {name: values.numpy() for name, values in columns.items()}
    table = Detections(numbers["xy"], numbers["score"], numbers["label"], tuple(classes), numbers.get("wh"))
    scene = numbers["scene"]
    if scene.shape != (len(table),) or (len(scene) and not (scene.min() >= 0 and scene.max() < len(images))):
        raise ValueError("rows are of scenes that are not there")
    return {name: table[scene == i] for i, name in enumerate(images)}

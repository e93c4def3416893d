"""The runs below a folder of trainings: their settings, their scores, and the folds that are missing."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field, TypeAdapter, ValidationError

from detect.assembly.fields.numbers import Seed
from detect.assembly.folders import TrainingPaths
from detect.assembly.renamed import RENAMED
from detect.evaluation.runs import IMAGES, SCORE_NAMES, ScoredRun
from detect.reporting.output.predictions import read_json_object
from detect.reporting.settings_files import read_settings_file

logger = logging.getLogger(__name__)

FOLD_KEYS = ("seed", "data.split.fold", "data.split.val", "data.split.test")
"""Settings in which runs of one setting differ."""

IDLE_KEYS = ("output", "resume", "overwrite", "trainer.test", "trainer.logger")
"""Settings that change no score."""

FOLD = re.compile(r"[1-9][0-9]{0,3}/([1-9][0-9]{0,3})")
"""A fold, `k/n`."""

Objects = Annotated[int, Field(ge=0, lt=1 << 53)]


@dataclass(frozen=True)
class Confusion:
    """Numbers of objects: rows true, columns found."""

    labels: list[str]
    matrix: list[list[Objects]]

    def __post_init__(self) -> None:
        if {len(self.matrix), *map(len, self.matrix)} != {len(self.labels)}:
            raise ValueError(f"the matrix is not of {len(self.labels)} rows and columns")


SCORES: dict[str, TypeAdapter[Any]] = {
    **{name: TypeAdapter(float | None) for name in (*SCORE_NAMES, "radius", "iou")},
    **{name: TypeAdapter(Objects | None) for name in ("objects", "found", IMAGES)},
    "split": TypeAdapter(str | None),
    "confusion": TypeAdapter(Confusion | None),
}
"""Kinds of what is read of a `scores.json`."""


def read_runs(root: Path, split: str) -> list[ScoredRun]:
    """Read the scores and settings of every finished training run below a folder.

    Args:
        root: the folder.
        split: whose scores: `test`, `val`, or `auto`: the test's where every run has them.

    Raises:
        FileNotFoundError: there is no run, or none is finished.
        ValueError: a run lacks the scores that others have.
    """
    configs = read_configs(root)
    files = score_files(sorted(configs), split)
    settings = _settings({folder: configs[folder] for folder in files})
    return [
        ScoredRun(
            folder.relative_to(root).as_posix(),
            settings[folder],
            _fold(configs[folder]),
            _checked(TypeAdapter(Seed), configs[folder]["seed"], TrainingPaths(folder).config, "seed"),
            _scores(path),
        )
        for folder, path in files.items()
    ]


def _scores(path: Path) -> dict[str, Any]:
    """Read the scores of a run, which may come from others: those that are summed up are checked."""
    scores = read_json_object(path)
    for name, kind in SCORES.items():
        _checked(kind, scores.get(name), path, name)
    return scores


def _checked(kind: TypeAdapter[Any], value: Any, path: Path, name: str) -> Any:
    """Return a value of a file, which must be of a kind."""
    try:
        return kind.validate_python(value, strict=not isinstance(value, dict))
    except ValidationError as error:
        raise ValueError(f"{path}: {name}={value!r:.60}: {error.errors()[0]['msg']}") from None


def read_configs(root: Path) -> dict[Path, dict[str, Any]]:
    """Read the settings of every training run below a folder, flat (`net.stride`), under today's names.

    Raises:
        FileNotFoundError: there is none.
    """
    found = {}
    for path in sorted(root.rglob(TrainingPaths(root).config.name)):
        config = read_settings_file(path)
        if {"seed", "data", "trainer"} <= set(config):
            found[path.parent] = {RENAMED.get(name, name): value for name, value in _flat(config).items()}
    if not found:
        raise FileNotFoundError(f"runs={root} holds no training run (a folder with config.yaml and scores.json)")
    return found


def _flat(config: Mapping[Any, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, Mapping) and value else {f"{before}{key}": value}
    return flat


def score_files(folders: Sequence[Path], split: str) -> dict[Path, Path]:
    """Choose the scores of each run that has any; `auto` refuses to mix test and validation."""
    paths = {folder: TrainingPaths(folder) for folder in folders}
    done = [folder for folder in folders if paths[folder].scores.is_file()]
    tested = [folder for folder in done if paths[folder].test_scores.is_file()]
    for folder in sorted(set(folders) - set(done)):
        logger.warning("%s has no scores.json: not finished, and not in the table", folder)
    lacking = [folder for folder in done if folder not in tested]
    if not done:
        raise FileNotFoundError("no run is finished: there is no scores.json")
    if lacking and (split == "test" or (split == "auto" and tested)):
        raise ValueError(
            f"{lacking[0]} ({len(lacking)} of {len(done)} runs) has no test/scores.json; evaluate it with "
            f"output={lacking[0] / 'test'}, train with trainer.test=true, or take the validations: split=val"
        )
    if split == "val" or not tested:
        return {folder: paths[folder].scores for folder in done}
    return {folder: paths[folder].test_scores for folder in done}


def _settings(configs: Mapping[Path, Mapping[str, Any]]) -> dict[Path, str]:
    """Return the settings that differ between runs, folds and seeds aside; the number of folds is one of them."""
    rows = {
        folder: {key: str(value) for key, value in config.items() if key not in (*FOLD_KEYS, *IDLE_KEYS)}
        | {"folds": str(config.get("data.split.fold") or "").partition("/")[2]}
        for folder, config in configs.items()
    }
    keys = sorted({key for row in rows.values() for key in row})
    varied = [key for key in keys if len({row.get(key) for row in rows.values()}) > 1]
    return {folder: " ".join(f"{key}={row.get(key, '')}" for key in varied) for folder, row in rows.items()}


def _fold(config: Mapping[str, Any]) -> str:
    tested = config.get("data.split.test") or ()
    return str(config.get("data.split.fold") or " ".join(map(str, tested if isinstance(tested, list) else [tested])))


def missing_folds(table: pd.DataFrame) -> list[str]:
    """Return notes on the folds that a setting and seed lacks, and on those that are there twice."""
    notes = []
    for (setting, seed), group in table.groupby(["setting", "seed"], sort=False):
        folds = [(fold, found) for fold in group["fold"] if (found := FOLD.fullmatch(fold))]
        if not folds:
            continue
        there, number = [fold for fold, _ in folds], int(folds[0][1][1])
        lacking = [fold for i in range(number) if (fold := f"{i + 1}/{number}") not in there]
        if lacking:
            notes.append(
                f"{setting or 'the runs'}, seed {seed}: no fold {', '.join(lacking)}; the means are without it"
            )
        if len(set(there)) < len(there):
            notes.append(f"{setting or 'the runs'}, seed {seed}: a fold is there twice, and counts twice")
    return notes

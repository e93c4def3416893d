"""The runs below a folder of trainings: their settings, their scores, and the folds that are missing."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from detect.assembly.folders import TrainingPaths
from detect.assembly.renamed import RENAMED
from detect.evaluation.runs import ScoredRun

logger = logging.getLogger(__name__)

FOLD_KEYS = ("seed", "data.split.fold", "data.split.val", "data.split.test")
"""Settings in which runs of one setting differ."""

IDLE_KEYS = ("output", "resume", "overwrite", "trainer.test", "trainer.logger")
"""Settings that change no score."""


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
            int(configs[folder]["seed"]),
            json.loads(path.read_text()),
        )
        for folder, path in files.items()
    ]


def read_configs(root: Path) -> dict[Path, dict[str, Any]]:
    """Read the settings of every training run below a folder, flat (`net.stride`), under today's names.

    Raises:
        FileNotFoundError: there is none.
    """
    found = {}
    for path in sorted(root.rglob(TrainingPaths(root).config.name)):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(config, dict) and {"seed", "data", "trainer"} <= set(config):
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
    return str(config.get("data.split.fold") or " ".join(map(str, config.get("data.split.test") or ())))


def missing_folds(table: pd.DataFrame) -> list[str]:
    """Return notes on the folds that a setting and seed lacks, and on those that are there twice."""
    notes = []
    for (setting, seed), group in table.groupby(["setting", "seed"], sort=False):
        there = [fold for fold in group["fold"] if "/" in fold and fold.replace("/", "").isdigit()]
        if not there:
            continue
        number = int(there[0].partition("/")[2])
        lacking = [fold for i in range(number) if (fold := f"{i + 1}/{number}") not in there]
        if lacking:
            notes.append(
                f"{setting or 'the runs'}, seed {seed}: no fold {', '.join(lacking)}; the means are without it"
            )
        if len(set(there)) < len(there):
            notes.append(f"{setting or 'the runs'}, seed {seed}: a fold is there twice, and counts twice")
    return notes

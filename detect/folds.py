"""Sum up runs: `python -m detect.folds runs=DIR [output=DIR]` writes means, spreads and sums over folds and seeds."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig, OmegaConf

from detect.assembly.command import DONE, command
from detect.assembly.folders import output_folder
from detect.assembly.settings import given_path
from detect.evaluation.runs import ScoredRun, confusion_table, runs_table, summary_table
from detect.reporting.tables import write_table

logger = logging.getLogger("detect.folds")

FOLD_KEYS = ("seed", "data.fold", "data.val", "data.test")
"""Settings in which runs of one setting differ."""

IDLE_KEYS = ("output", "resume", "overwrite", "trainer.test", "trainer.logger")
"""Settings that change no score."""


def run(cfg: DictConfig) -> int:
    """Read the scores of training runs and write `runs.csv`, `summary.csv`, `confusion.csv`; see `conf/folds.yaml`."""
    root = given_path(cfg, "runs", "folder of runs")
    configs = _configs(root)
    files = _score_files(sorted(configs), str(cfg.split))
    settings = _settings({folder: configs[folder] for folder in files})
    runs = [
        ScoredRun(
            folder.relative_to(root).as_posix(),
            settings[folder],
            _fold(configs[folder]),
            int(configs[folder]["seed"]),
            json.loads(path.read_text()),
        )
        for folder, path in files.items()
    ]
    table = runs_table(runs)
    for note in _missing_folds(table):
        logger.warning("%s", note)
    summary = summary_table(table)
    folder = output_folder(Path(str(cfg.output)), results=(), allowed=True, way_out="")
    write_table(table, folder / "runs.csv")
    write_table(summary, folder / "summary.csv")
    confusion = confusion_table(runs)
    write_table(confusion, folder / "confusion.csv")
    for setting in sorted({run.setting for run in runs} - set(confusion["setting"])):
        logger.info("%s: no confusion, or of different classes: not in confusion.csv", setting or "the runs")
    _say(table, summary)
    logger.info("wrote runs.csv, summary.csv and confusion.csv to %s", folder)
    return DONE


def _configs(root: Path) -> dict[Path, dict[str, Any]]:
    """Read the settings of every training run below a folder, flat: `data.fold`, `net.stride`."""
    found = {}
    for path in sorted(root.rglob("config.yaml")):
        config = OmegaConf.to_container(OmegaConf.load(path))
        if isinstance(config, dict) and {"seed", "data", "trainer"} <= set(config):
            found[path.parent] = _flat(config)
    if not found:
        raise FileNotFoundError(f"runs={root} holds no training run (a folder with config.yaml and scores.json)")
    return found


def _flat(config: Mapping[Any, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, Mapping) and value else {f"{before}{key}": value}
    return flat


def _score_files(folders: Sequence[Path], split: str) -> dict[Path, Path]:
    """Choose the scores of each run that has any; `auto` refuses to mix test and validation."""
    if split not in ("auto", "test", "val"):
        raise ValueError(f"split must be auto, test or val, got {split}")
    done = [folder for folder in folders if (folder / "scores.json").is_file()]
    tested = [folder for folder in done if (folder / "test/scores.json").is_file()]
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
        return {folder: folder / "scores.json" for folder in done}
    return {folder: folder / "test/scores.json" for folder in done}


def _settings(configs: Mapping[Path, Mapping[str, Any]]) -> dict[Path, str]:
    """Say in what each run differs from others, folds and seeds aside; the number of folds is a setting."""
    rows = {
        folder: {key: str(value) for key, value in config.items() if key not in (*FOLD_KEYS, *IDLE_KEYS)}
        | {"folds": str(config.get("data.fold") or "").partition("/")[2]}
        for folder, config in configs.items()
    }
    keys = sorted({key for row in rows.values() for key in row})
    varied = [key for key in keys if len({row.get(key) for row in rows.values()}) > 1]
    return {folder: " ".join(f"{key}={row.get(key, '')}" for key in varied) for folder, row in rows.items()}


def _fold(config: Mapping[str, Any]) -> str:
    return str(config.get("data.fold") or " ".join(map(str, config.get("data.test") or ())))


def _missing_folds(table: pd.DataFrame) -> list[str]:
    """Name the folds that a setting and seed lacks, and those that are there twice."""
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


def _say(table: pd.DataFrame, summary: pd.DataFrame) -> None:
    splits = " and ".join(sorted(set(table["split"])))
    logger.info("%d runs, scores of the %s images", len(table), splits)
    for setting, group in summary.groupby("setting", sort=False):
        logger.info("%s", setting or "all runs")
        for line in (
            group.drop(columns="setting").to_string(index=False, na_rep="", float_format="{:.3f}".format).split("\n")
        ):
            logger.info("  %s", line)


main = command("folds")(run)

if __name__ == "__main__":
    main()

"""The scores of several runs, over folds and seeds: mean, spread, and what all their objects together give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from detect.evaluation.scores import overall

SCORES = (
    "f1",
    "precision",
    "recall",
    "count_bias_percent",
    "count_mae",
    "map50",
    "map",
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "roc_auc",
    "pr_auc",
    "false_alarms_per_megapixel",
)
"""The numbers of `scores.json` that are summed up, in this order."""


COUNTS = ("hits", "misses", "false_alarms")
"""What every run counts, and the sum over runs holds."""


@dataclass(frozen=True)
class ScoredRun:
    """A training run and its scores.

    Attributes:
        name: of its folder.
        setting: in what it differs from runs that are no folds or seeds of the same; empty where there are no others.
        fold: what it tests: `k/n`, or the images that were named; empty where it is no fold.
        seed: of the training.
        scores: as in `scores.json`.
    """

    name: str
    setting: str
    fold: str
    seed: int
    scores: Mapping[str, Any]


def runs_table(runs: Sequence[ScoredRun]) -> pd.DataFrame:
    """Put the scores of runs in a table, a row a run: `run setting fold seed split`, `SCORES`, and `COUNTS` of objects.

    Scores that no run has are left out; one that is not defined is NaN.

    Raises:
        ValueError: runs of one setting were scored by different rules (radius or IoU), so that no mean is one.
    """
    rules: dict[str, tuple[Any, str]] = {}
    for run in runs:
        rule = (run.scores.get("radius"), run.scores.get("iou"))
        first, name = rules.setdefault(run.setting, (rule, run.name))
        if rule != first:
            raise ValueError(
                f"{name} was scored with radius, IoU {first}, {run.name} with {rule}; evaluate them alike first"
            )
    rows = [
        {"run": run.name, "setting": run.setting, "fold": run.fold, "seed": run.seed, "split": run.scores.get("split")}
        | {name: run.scores.get(name) for name in SCORES}
        | _counts(run.scores)
        for run in runs
    ]
    table = pd.DataFrame(rows)
    numbers = [name for name in (*SCORES, *COUNTS) if name in table and bool(table[name].notna().any())]
    return table[["run", "setting", "fold", "seed", "split"]].join(table[numbers].astype("float64"))


def _counts(scores: Mapping[str, Any]) -> dict[str, int]:
    """Take hits, misses and false alarms from the rates, which are ratios of whole numbers."""
    if "objects" not in scores or "found" not in scores:
        return {}
    hits = round((scores.get("recall") or 0) * scores["objects"])
    return {"hits": hits, "misses": scores["objects"] - hits, "false_alarms": scores["found"] - hits}


def summary_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Sum up runs, a row a setting and score.

    Columns: `setting`, `score`, `runs` (that have it), `mean`, `std` (of the sample, over all runs), `std_over_seeds`
    (of the seeds' means over their folds), `pooled` (the score of all runs' objects together; for `COUNTS` their sum).

    Args:
        runs: of `runs_table`.
    """
    numbers = [name for name in (*SCORES, *COUNTS) if name in runs]
    rows = []
    for setting, group in runs.groupby("setting", sort=False):
        pooled = _pooled(group)
        by_seed = group.groupby("seed")[numbers].mean()
        rows += [
            {
                "setting": setting,
                "score": name,
                "runs": int(group[name].notna().sum()),
                "mean": group[name].mean(),
                "std": group[name].std(),
                "std_over_seeds": by_seed[name].std(),
                "pooled": pooled.get(name),
            }
            for name in numbers
            if bool(group[name].notna().any())
        ]
    return pd.DataFrame(rows).astype({"pooled": "float64"})


def confusion_table(runs: Sequence[ScoredRun]) -> pd.DataFrame:
    """Add up the confusion of the runs of each setting: columns `setting`, `true`, `found`, `number`.

    Settings whose runs have no confusion, or confuse other classes, are left out.
    """
    rows: list[tuple[str, str, str, int]] = []
    for setting in dict.fromkeys(run.setting for run in runs):
        confusions = [run.scores.get("confusion") for run in runs if run.setting == setting]
        known = [each for each in confusions if each is not None]
        if not known or len(known) < len(confusions) or any(each["labels"] != known[0]["labels"] for each in known):
            continue
        labels = known[0]["labels"]
        for true, numbers in zip(labels, np.sum([each["matrix"] for each in known], axis=0).tolist(), strict=True):
            rows += [(setting, true, found, number) for found, number in zip(labels, numbers, strict=True)]
    return pd.DataFrame(rows, columns=["setting", "true", "found", "number"])


def _pooled(group: pd.DataFrame) -> dict[str, float | None]:
    """Score the objects of all runs as if one run had found them."""
    if not set(COUNTS) <= set(group) or bool(group[list(COUNTS)].isna().any(axis=None)):
        return {}
    hits, misses, alarms = (int(group[name].sum()) for name in COUNTS)
    return {"hits": hits, "misses": misses, "false_alarms": alarms} | overall(hits, hits + alarms, hits + misses)

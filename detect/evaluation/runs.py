"""The scores of several runs, over folds and seeds: mean, deviation, and the scores of all their objects together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from detect.evaluation.scores import scores_of_counts

SCORE_NAMES = (
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
"""The numbers of `scores.json` that are summarised, in this order."""


COUNT_NAMES = ("hits", "misses", "false_alarms")
"""The numbers of objects that are added up over runs."""

IMAGES, COUNT_MAE = "images", "count_mae"
"""The number of images of a run, and the mean over them that is weighed by it."""


@dataclass(frozen=True)
class ScoredRun:
    """A training run and its scores.

    Attributes:
        name: of its folder.
        setting: the settings that differ from other runs besides fold and seed; empty where none do.
        fold: `k/n`, or the names of the tested images; empty for a run that is not a fold.
        seed: of the training.
        scores: as in `scores.json`.
    """

    name: str
    setting: str
    fold: str
    seed: int
    scores: Mapping[str, Any]


def runs_table(runs: Sequence[ScoredRun]) -> pd.DataFrame:
    """Make a table of the scores of runs.

    Returns:
        A row per run: `run setting fold seed split`, `SCORE_NAMES`, `COUNT_NAMES` and `images`; a number that no run
        has is left out, one that is not defined is NaN.

    Raises:
        ValueError: runs of one setting were scored by different rules (radius or IoU), and have no common mean.
    """
    rules: dict[str, tuple[Any, str]] = {}
    for run in runs:
        rule = _rule(run)
        first, name = rules.setdefault(run.setting, (rule, run.name))
        if rule != first:
            raise ValueError(
                f"{name} was scored with radius, IoU {first}, {run.name} with {rule}; evaluate them alike first"
            )
    rows = [
        {"run": run.name, "setting": run.setting, "fold": run.fold, "seed": run.seed, "split": run.scores.get("split")}
        | {name: run.scores.get(name) for name in SCORE_NAMES}
        | {**_counts(run.scores), IMAGES: run.scores.get(IMAGES)}
        for run in runs
    ]
    table = pd.DataFrame(rows)
    known = (*SCORE_NAMES, *COUNT_NAMES, IMAGES)
    numbers = [name for name in known if name in table and bool(table[name].notna().any())]
    return table[["run", "setting", "fold", "seed", "split"]].join(table[numbers].astype("float64"))


def different_rules(runs: Sequence[ScoredRun]) -> str | None:
    """Return a note on settings that were scored by different rules, whose scores do not compare; None if all agree."""
    rules = {run.setting: _rule(run) for run in runs}
    if len(set(rules.values())) < 2:
        return None
    named = "; ".join(f"{setting}: {radius}, {iou}" for setting, (radius, iou) in rules.items())
    return f"the settings were scored with another radius or IoU each, their scores do not compare ({named})"


def _rule(run: ScoredRun) -> tuple[Any, Any]:
    """Return the radius and the IoU by which a run was scored, None where it is the other."""
    return run.scores.get("radius"), run.scores.get("iou")


def _counts(scores: Mapping[str, Any]) -> dict[str, int]:
    """Return hits, misses and false alarms, computed from the rates; none where the objects were not counted."""
    if "objects" not in scores or "found" not in scores:
        return {}
    hits = round((scores.get("recall") or 0) * scores["objects"])
    return {"hits": hits, "misses": scores["objects"] - hits, "false_alarms": scores["found"] - hits}


def summary_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Make a table of means and deviations over runs.

    Args:
        runs: a table of `runs_table`.

    Returns:
        A row per setting and score: `setting`, `score`, `runs` (that have it), `mean`, `std` (of the sample, over all
        runs), `std_over_seeds` (of the seeds' means over their folds), `pooled` (the score of all runs' objects
        together; for `COUNT_NAMES` their sum, for the error of the count the mean over all images).
    """
    numbers = [name for name in (*SCORE_NAMES, *COUNT_NAMES) if name in runs]
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
    """Add up the confusion matrices of the runs of each setting.

    Returns:
        A row per setting and pair of classes: `setting`, `true`, `found`, `number`. Settings with a run without a
        confusion matrix, or with different classes, are left out.
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
    """Return the scores of the objects of all runs together, as if one run had found them."""
    pooled: dict[str, float | None] = {}
    if _whole(group, (COUNT_MAE, IMAGES)) and group[IMAGES].sum() > 0:
        pooled[COUNT_MAE] = float((group[COUNT_MAE] * group[IMAGES]).sum() / group[IMAGES].sum())
    if not _whole(group, COUNT_NAMES):
        return pooled
    hits, misses, alarms = (int(group[name].sum()) for name in COUNT_NAMES)
    counts = {"hits": hits, "misses": misses, "false_alarms": alarms}
    return pooled | counts | scores_of_counts(hits, hits + alarms, hits + misses)


def _whole(group: pd.DataFrame, names: Sequence[str]) -> bool:
    """Return whether every run has these numbers."""
    return set(names) <= set(group) and not bool(group[list(names)].isna().any(axis=None))

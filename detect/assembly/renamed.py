"""Settings that a command does not have: names of an earlier version, and those nearly right."""

import difflib
from collections.abc import Collection

RENAMED = {
    "data.negative_labels": "data.labels.negative",
    "data.ignore_labels": "data.labels.ignored",
    "data.ignored": "data.labels.ignored_regions",
    "data.val": "data.split.val",
    "data.test": "data.split.test",
    "data.val_fraction": "data.split.val_fraction",
    "data.val_from": "data.split.val_from",
    "data.fold": "data.split.fold",
    "data.fold_seed": "data.split.fold_seed",
    "data.copies": "data.split.copies",
    "data.guard": "data.split.guard",
    "data.samples": "data.sampling.samples",
    "data.crop": "data.sampling.crop",
    "data.empty_fraction": "data.sampling.empty_fraction",
    "data.background_fraction": "data.sampling.background_fraction",
    "data.near_fraction": "data.sampling.near_fraction",
    "data.negative_fraction": "data.sampling.negative_fraction",
    "data.balance": "data.sampling.balance",
    "data.jitter": "data.sampling.jitter",
    "data.exclusion": "data.sampling.exclusion",
    "data.mine_at": "data.mining.at",
    "data.mine_score": "data.mining.score",
    "data.match_radius": "data.matching.radius",
    "data.match_iou": "data.matching.iou",
    "data.select": "data.matching.select",
    "data.batch_size": "data.loading.batch_size",
    "data.workers": "data.loading.workers",
    "data.cache": "data.loading.cache",
    "augment.superimpose.objects": "augment.superimpose.number",
    "augment.background.patches": "augment.background.number",
    "trainer.clip": "trainer.gradient_clip_val",
}
"""The name of today by the earlier one."""


def unknown_setting(name: str, known: Collection[str]) -> str:
    """Return what is said of a setting that a command does not have: its name of today, or similar ones.

    Args:
        name: as it was given.
        known: the full names of the command's settings.
    """
    if RENAMED.get(name) in known:
        return f"{name} is called {RENAMED[name]} now"
    last = name.rpartition(".")[2]
    similar = [
        *difflib.get_close_matches(name, known, 2, 0.8),
        *(each for each in known if each.split(".")[-1] == last),
    ]
    if not similar:
        ends = {each.rpartition(".")[2]: each for each in known}
        similar = [ends[each] for each in difflib.get_close_matches(last, ends, 1, 0.75)]
    meant = f"did you mean {' or '.join(dict.fromkeys(similar))}? " if similar else ""
    return f"{name}: no such setting; {meant}--help shows those that there are"

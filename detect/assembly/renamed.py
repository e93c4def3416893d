"""Command lines that ask for what there is not: settings of an earlier version, or nearly right; options of hydra."""

import argparse
import difflib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import yaml

from detect.assembly.command import conf_folder

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
    "data.negative_fraction": "data.sampling.negative_fraction",
    "data.balance": "data.sampling.balance",
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

GONE = {
    "jitter": "a patch classifier learns from every cell of crops, none of which is moved; data.sampling.reach, the "
    "distance from an object within which a cell is told to find it, is nearest to it",
    "background_fraction": "how much background there is follows from the crops, whose cells are mostly empty; "
    "data.sampling.empty_fraction is the share of crops without objects, and net.loss.hard how many empty cells count",
    "near_fraction": "every crop around an object has the ground beside it; data.sampling.exclusion is how near",
}
"""Settings that no other one of today stands for: why by the last part of the name, and what is nearest."""

NOT_OFFERED = ("--config-name", "--config-path", "--experimental-rerun")
"""Options of hydra that would take another root configuration, or read a pickle, which runs code."""

TAKE_A_VALUE = ("--config-dir", "-cd", "--cfg", "-c", "--package", "-p")
"""Options of hydra whose value may be the next argument."""

UNSET = {
    r"Could not override '([^']+)'": "",
    r"Could not delete from config\. '([^']+)'": "~",
    r"Could not append to config\. .*?'([^']+)'": "+",
    r"Multiple values for ([\w/@]+)": "+",
    r"force-add of config groups is not supported: '\+*([^='@]+)": "+",
    r"config group '([^']+)' does not exist": "",
}
"""What hydra says of settings that cannot be set as they were given: a pattern of its messages, and the sign."""


def unknown_setting(name: str, known: Collection[str]) -> str:
    """Return what is said of a setting that a command does not have: its name of today, its network, or similar ones.

    Args:
        name: as it was given.
        known: the full names of the command's settings.
    """
    if RENAMED.get(name) in known:
        return f"{name} is called {RENAMED[name]} now"
    if is_gone(name) and name not in known:
        return f"{name} is gone: {GONE[name.rpartition('.')[2]]}"
    if name == "experiment" and name in known:
        return "the file of an experiment sets settings by their full names: it must begin with # @package _global_"
    nets = nets_with(name) if any(each.startswith("net.") for each in known) else []
    if nets and name not in known:
        return f"{name} is a setting of another network: give it with net={' or net='.join(nets)}"
    last = name.rpartition(".")[2]
    groups = {each[:place] for each in known for place, letter in enumerate(each) if letter == "."}
    similar = [
        *difflib.get_close_matches(name, {*known, *groups}, 2, 0.8),
        *(each for each in known if each.split(".")[-1] == last and each != name),
    ]
    if not similar:
        ends = {each.rpartition(".")[2]: each for each in known}
        similar = [ends[each] for each in difflib.get_close_matches(last, ends, 1, 0.75)]
    meant = f"did you mean {' or '.join(dict.fromkeys(similar))}? " if similar else ""
    return f"{name}: no such setting; {meant}--help shows those that there are"


def is_gone(name: str) -> bool:
    """Return whether an earlier version had a setting of this name, and no other one stands for it today."""
    group, _, last = name.rpartition(".")
    return group in ("data", "data.sampling") and last in GONE


def nets_with(name: str) -> list[str]:
    """Return the networks that have a setting, such as `net.deepest`, by the files of `conf/net`."""
    found = []
    *groups, last = name.split(".")
    for file in sorted((conf_folder() / "net").glob("*.yaml")):
        settings: Any = {"net": yaml.safe_load(file.read_text(encoding="utf-8"))}
        for group in groups:
            settings = settings.get(group) if isinstance(settings, dict) else None
        found += [file.stem] if isinstance(settings, dict) and last in settings else []
    return found


def misplaced_sign(sign: str, name: str, known: Collection[str]) -> str:
    """Return what is said of a setting that was given with a sign of hydra's, `+` or `~`, that does not go with it.

    Args:
        sign: which.
        name: as it was given.
        known: the full names of the command's settings and of its groups.
    """
    if name not in known and not any(each.startswith(f"{name}.") for each in known):
        return unknown_setting(name, known)
    if sign == "~":
        return f"{name} cannot be removed: leave ~{name} out, or set {name}=..."
    return f"{name} is there already: give it without +, as {name}=..."


def is_offered(argument: str) -> bool:
    """Return whether an argument is a setting, or one of hydra's options that do not set other roots or read a pickle.

    Options may be shortened; those of another command's configuration would run this one with settings it has not.
    """
    option = argument.partition("=")[0]
    long = option.startswith("--") and any(each.startswith(option) for each in NOT_OFFERED)
    return not long and not option.startswith(("-cn", "-cp"))


def settings_first(arguments: Sequence[str]) -> list[str]:
    """Return a command line with its settings before its options; hydra takes no setting after one of these."""
    settings: list[str] = []
    options: list[str] = []
    rest = iter(arguments)
    for each in rest:
        (options if each.startswith("-") else settings).append(each)
        if each in TAKE_A_VALUE:
            options.extend([value for value in [next(rest, None)] if value is not None])
    return [*settings, *options]


def folder_and_settings(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Return the folder of the user's own files of settings (`--config-dir`), if any, and the settings given."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    for names in (("--config-dir", "-cd"), ("--cfg", "-c"), ("--package", "-p"), ("--info", "-i")):
        parser.add_argument(*names, nargs="?")
    known, rest = parser.parse_known_args(list(arguments))
    folder = None if known.config_dir is None else Path(known.config_dir).absolute()
    return folder, [each for each in rest if not each.startswith("-")]

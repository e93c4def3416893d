"""What a command line composes, and from whose files: what `--help` prints, with the comments of `conf/`."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from detect.assembly.renamed import folder_and_settings

COMMENT_COLUMN = 48
"""Column from which a setting's comment stands, where the setting is not longer."""
FIXED = ("data", "head_defaults")
"""Groups whose choice follows from the command or from another choice."""
WIDTH = 130
"""Columns up to which a comment goes on."""


def help_text(name: str, arguments: Sequence[str], conf: Path) -> str:
    """Return the settings of a command as YAML with comments, those of every group under its choices.

    Args:
        name: of the command and of its root configuration.
        arguments: of the command line; `net=grid` shows the settings with that choice.
        conf: the folder of the configuration.

    Raises:
        hydra.errors.HydraException: a setting or a choice that there is not.
    """
    folder, given = folder_and_settings(arguments)
    settings, choices = _composed(name, given, conf, folder)
    root = conf / f"{name}.yaml"
    comments = _comments(root, "")
    for group, choice in choices.items():
        for file in _chain(conf / group / f"{choice}.yaml"):
            comments |= _comments(file, "" if "@package _global_" in file.read_text(encoding="utf-8") else f"{group}.")
    first = list(yaml.safe_load(root.read_text(encoding="utf-8")))
    names = sorted(settings, key=lambda key: first.index(key) if key in first else len(first))
    own = {key: settings[key] for key in names if key not in choices}
    parts = [*_heading(root), "", *_lines(own, comments, "")]
    for group, choice in choices.items():
        options = _options(conf / group, group, choice)
        parts += ["", *options] if options else []
        if group in settings:
            parts += [f"{group}:", *_lines(settings[group], comments, f"{group}.", 1)]
    return "\n".join(parts) + "\n"


def setting_names(name: str, arguments: Sequence[str], conf: Path) -> list[str]:
    """Return the full names of a command's settings, and of the groups that it takes choices of.

    Args:
        name: of the command.
        arguments: of the command line; its choices of groups, such as `net=grid`, have settings of their own.
        conf: the folder of the configuration.
    """
    choices = [
        each for each in arguments if (conf / each.partition("=")[0] / f"{each.partition('=')[2]}.yaml").is_file()
    ]
    settings, groups = _composed(name, choices, conf)
    return list(dict.fromkeys([*_names(settings, ""), *groups]))


def _names(settings: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def check_files(name: str, arguments: Sequence[str], conf: Path) -> None:
    """Check that files of settings leave hydra's own settings alone: hydra runs what those name, before any check.

    Args:
        name: of the command.
        arguments: of the command line, which may set them.
        conf: the folder of the configuration, whose files are not looked at.

    Raises:
        hydra.errors.HydraException: a setting or a choice that there is not.
        ValueError: a file sets one.
    """
    folder, given = folder_and_settings(arguments)
    if (folder is None or not folder.is_dir()) and not any("hydra.searchpath" in each for each in given):
        return
    wanted = _hydras(name, [each for each in given if each.lstrip("+~").startswith(("hydra.", "hydra/"))], conf, folder)
    for settings in without_sweeps(given, [conf, *([folder] if folder else [])]):
        found = _hydras(name, settings, conf, folder)
        if found != wanted:
            other = ", ".join(f"hydra.{key}" for key in found if found[key] != wanted.get(key))
            raise ValueError(f"{other}: hydra's own settings cannot be set in a file, which could run programs by them")


def _hydras(name: str, settings: list[str], conf: Path, folder: Path | None) -> dict[str, Any]:
    """Return hydra's own settings, without what it notes of the run."""
    own: Any = OmegaConf.to_container(configuration(name, settings, conf, folder).hydra)
    own["job"].pop("override_dirname")
    return {key: value for key, value in own.items() if key not in ("overrides", "runtime")}


def without_sweeps(settings: list[str], folders: list[Path]) -> Iterator[list[str]]:
    """Yield settings without the lists of `-m`: such that each choice of a group is in one, and of others the first."""
    columns = []
    for each in OverridesParser.create().parse_overrides(settings):
        values = [str(each.input_line)]
        if each.is_sweep_override():
            values = [f"{each.get_key_element()}={value}" for value in each.sweep_string_iterator()]
        group = any((folder / each.key_or_group).is_dir() for folder in folders)
        columns.append(values if group else values[:1])
    for number in range(max(map(len, columns), default=1)):
        yield [values[min(number, len(values) - 1)] for values in columns]


def configuration(name: str, settings: list[str], conf: Path, folder: Path | None) -> Any:
    """Return the composed configuration, hydra's part with it."""
    more = [] if folder is None else [f"hydra.searchpath=[{json.dumps(f'file://{folder}', ensure_ascii=False)}]"]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf), version_base="1.3"):
        return compose(name, [*more, *settings], return_hydra_config=True)


def _composed(
    name: str, overrides: list[str], conf: Path, folder: Path | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the composed settings and the choice of every group."""
    cfg = configuration(name, overrides, conf, folder)
    choices = {group: str(choice) for group, choice in cfg.hydra.runtime.choices.items() if "/" not in group}
    data: Any = OmegaConf.to_container(cfg)
    return {key: value for key, value in data.items() if key != "hydra"}, choices


def _heading(file: Path) -> list[str]:
    """Return the comment lines at the beginning of a file that are for people."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "@package" not in line:
            lines.append(line)
    return lines


def _options(folder: Path, group: str, chosen: str) -> list[str]:
    """Return the choices of a group, a line each, the chosen one marked."""
    files = sorted(file for file in folder.glob("*.yaml") if file.stem == chosen or group not in FIXED)
    if len(list(folder.glob("*.yaml"))) == 1:
        return []
    width = max((len(file.stem) for file in files), default=0)
    said = {file.stem: (_heading(file) or [""])[0].lstrip("# ") for file in files}
    return [
        f"# {'>' if stem == chosen else ' '} {group}={stem:<{width}}  {sentence}".rstrip()
        for stem, sentence in said.items()
    ]


def _chain(file: Path) -> list[Path]:
    """Return the files of a group that a file begins with, and itself."""
    if not file.is_file():
        return []
    defaults = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", [])
    before = [file.parent / f"{entry}.yaml" for entry in defaults if isinstance(entry, str) and entry != "_self_"]
    return [each for one in before for each in _chain(one)] + [file]


def _comments(file: Path, prefix: str) -> dict[str, str]:
    """Return the comments of a file's settings, by their full names; a comment's next lines belong to it."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    name = ""
    for line in file.read_text(encoding="utf-8").splitlines():
        setting = re.match(r"(\s*)([\w./-]+):(.*)", line)
        comment = re.search(r"(?:^|\s)#\s*(.*)", setting[3] if setting else line)
        if setting:
            indent = len(setting[1])
            path = [(depth, key) for depth, key in path if depth < indent] + [(indent, setting[2])]
            name = prefix + ".".join(key for _, key in path)
            if comment:
                found[name] = comment[1]
        elif comment and line.startswith(" ") and name in found:
            found[name] += f" {comment[1]}"
        else:
            name = ""
    return found


def _lines(settings: Mapping[str, Any], comments: Mapping[str, str], prefix: str, depth: int = 0) -> Iterator[str]:
    """Yield the lines of nested settings."""
    for key, value in settings.items():
        name, indent = f"{prefix}{key}", "  " * depth
        if isinstance(value, dict) and value:
            yield _line(f"{indent}{key}:", comments.get(name))
            yield from _lines(value, comments, f"{name}.", depth + 1)
        else:
            yield _line(f"{indent}{key}: {_value(value)}", comments.get(name))


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _line(text: str, comment: str | None) -> str:
    """Return a setting's line with its comment, which goes on below itself where it is long."""
    if comment is None:
        return text
    first, *more = textwrap.wrap(comment, WIDTH - COMMENT_COLUMN)
    return "\n".join([f"{text:<{COMMENT_COLUMN}} # {first}", *(f"{'':<{COMMENT_COLUMN}} #   {each}" for each in more)])

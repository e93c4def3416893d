"""`--help`: the settings of a command with their defaults and what they are for, as `conf/` has them."""

from collections.abc import Sequence
from pathlib import Path

import yaml

HIDDEN = ("defaults:", "hydra:", "# @package")
"""Beginnings of the parts of a configuration file that are hydra's own."""


def help_text(name: str, arguments: Sequence[str], conf: Path) -> str:
    """Return the root configuration of a command and the groups that its defaults and the arguments choose.

    Args:
        name: of the command and of its root configuration.
        arguments: of the command line; `net=grid` shows the settings of that choice.
        conf: the folder of the configuration.
    """
    given = dict(each.partition("=")[::2] for each in arguments if "=" in each)
    root = conf / f"{name}.yaml"
    parts = [_shown(root)]
    for group, choice in _choices(root, given):
        others = sorted(path.stem for path in (conf / group).glob("*.yaml"))
        file = conf / group / f"{choice}.yaml"
        if file.is_file():
            parts.append(f"{group}={choice} ({group}= {', '.join(others)})\n\n{_chain(file)}")
        elif others:
            parts.append(f"{group}= {', '.join(others)}\n")
    return "\n".join(parts)


def _choices(file: Path, given: dict[str, str]) -> list[tuple[str, str]]:
    """Return the groups in the defaults of a file, each with the choice of the command line or else its own."""
    found: list[tuple[str, str]] = []
    for entry in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", []):
        if isinstance(entry, str) and entry != "_self_" and (file.parent / f"{entry}.yaml").is_file():
            found += _choices(file.parent / f"{entry}.yaml", given)
        elif isinstance(entry, dict):
            found += [
                (group, given.get(group, str(choice))) for group, choice in entry.items() if "override" not in group
            ]
    chosen = dict(found)
    return [(group, chosen.get(choice[2:-1], choice) if choice.startswith("${") else choice) for group, choice in found]


def _chain(file: Path) -> str:
    """Return the text of a group's file after that of the files that it begins with."""
    defaults = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", [])
    before = [file.parent / f"{entry}.yaml" for entry in defaults if isinstance(entry, str)]
    return "".join(_chain(each) for each in before if each.is_file()) + _shown(file)


def _shown(file: Path) -> str:
    """Return the lines of a file that are for people."""
    lines, hidden = [], False
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line[0].isspace():
            hidden = line.startswith(HIDDEN)
        if not hidden:
            lines.append(line)
    return "\n".join(lines).strip() + "\n"

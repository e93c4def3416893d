"""What is said of a command line that hydra cannot compose, or that asks for what the commands do not have."""

import re
from collections.abc import Sequence
from pathlib import Path

from detect.assembly.help import setting_names
from detect.assembly.renamed import RENAMED, UNSET, is_gone, is_offered, misplaced_sign, unknown_setting


def composition_message(name: str, arguments: Sequence[str], error: Exception, conf: Path) -> str:
    """Return what is wrong with the settings of a command line, in a sentence; hydra's own advice leads astray.

    Args:
        name: of the command.
        arguments: of the command line.
        error: what hydra raised.
        conf: the folder of the configuration.
    """
    for pattern, sign in UNSET.items():
        found = re.search(pattern, str(error))
        if found:
            known = setting_names(name, arguments, conf)
            return misplaced_sign(sign, found[1], known) if sign else unknown_setting(found[1], known)
    choice = re.search(r"Could not (?:find|load) '([^']+)/([^'/]+)'", str(error))
    if choice:
        there = sorted(file.stem for file in (conf / choice[1]).glob("*.yaml"))
        return f"{choice[1]}={choice[2]}: no such choice; {choice[1]} is one of {', '.join(there)}"
    unread = getattr(error, "override", None)
    if unread is not None:
        return _unread(str(unread), setting_names(name, [], conf))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join([line for line in lines if not re.search(r"hydra\.cc|append|raised while", line)][:2])


def _unread(unread: str, known: Sequence[str]) -> str:
    """Return what is said of a setting that is not of hydra's grammar."""
    setting, _, value = unread.partition("=")
    if setting.isascii() and setting.lstrip("+~") not in [*known, *RENAMED] and " " not in setting:
        return unknown_setting(setting.lstrip("+~"), known)
    return (
        f"{unread} cannot be read: a setting is given as name=value, and here a value with blanks, brackets or "
        f"other signs goes into quotes inside quotes: \"{setting}='{value or 'value'}'\", of a list each item"
    )


def refused(name: str, arguments: Sequence[str], conf: Path) -> list[str]:
    """Return what is said of arguments that the commands do not have, or that have the name of an earlier version.

    Args:
        name: of the command.
        arguments: of the command line.
        conf: the folder of the configuration.
    """
    for each in arguments:
        if not is_offered(each):
            return [
                f"{each.partition('=')[0]} is not for these commands: their settings are given as name=value, those of "
                "a file by --config-dir=DIR experiment=NAME"
            ]
    given = [each.lstrip("+~").partition("=")[0] for each in arguments if not each.startswith("-")]
    if "" in given:
        return [f"a setting is given as name=value, and one has no name: {' '.join(arguments)}"]
    old = [each for each in given if each in RENAMED or is_gone(each)]
    known = setting_names(name, arguments, conf) if old else []
    return [unknown_setting(each, known) for each in old]

"""Which network `net=auto` is, the default: by what a command line says is labelled, before hydra composes it.

`conf/net/auto.yaml` is the grid head, so that labelled images need nothing here; a folder of patches can teach the
classifier alone, and its settings are others, so that the command line has to name it.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from detect.assembly.help import configuration, without_sweeps
from detect.assembly.renamed import folder_and_settings

logger = logging.getLogger(__name__)

AUTO, FOR_IMAGES, FOR_PATCHES = "auto", "grid", "patch"
"""The choice, and what it stands for where images are labelled, and where patches are."""

TELLING = ("data.root", "data.annotations", "hydra.searchpath")
"""Settings that say what is labelled, beside choices of groups; others need the network's own settings."""


def with_net(name: str, arguments: Sequence[str], conf: Path) -> list[str]:
    """Return a command line that names the network that `net=auto` is, where that is not what `auto.yaml` holds.

    A folder of patches is what `data.root` is without `data.annotations` (`given_labels.read_labels`). Nothing is read
    from it: what it holds instead is said by its reader. A command line that cannot be composed stays as it is, for
    the error that hydra has.

    Args:
        name: of the command, which has a group `net`.
        arguments: of the command line, in hydra's grammar.
        conf: the folder of the configuration.
    """
    try:
        found = list(_choices(name, arguments, conf))
        named = [_with_auto_as(FOR_PATCHES, each) for each in arguments]
    except (HydraException, OmegaConfBaseException, ValueError):
        return list(arguments)
    if (AUTO, True) not in found:
        return list(arguments)
    if named != [*arguments]:
        given = named
    elif {choice for choice, _ in found} <= {AUTO, FOR_PATCHES}:
        given = [f"net={FOR_PATCHES}", *arguments]
    else:
        return list(arguments)
    logger.info("net=auto is net=%s here: without data.annotations, data.root is a folder of patches", FOR_PATCHES)
    return given


def log_net(choices: Mapping[str, Any]) -> None:
    """Log what `net=auto` is to a run whose command line does not name it, with the way to the other.

    Args:
        choices: of the groups of the composed configuration.
    """
    if choices.get("net") == AUTO:
        other = f"net={FOR_PATCHES} trains a classifier of squares instead"
        logger.info("net=auto is net=%s here, for labelled images; %s", FOR_IMAGES, other)


def _choices(name: str, arguments: Sequence[str], conf: Path) -> Iterator[tuple[str, bool]]:
    """Yield the choice of a network and whether patches are labelled, of each choice of other groups in a `-m`."""
    folder, given = folder_and_settings(arguments)
    if folder is not None and not folder.is_dir():
        return
    folders = [conf, *([folder] if folder else [])]
    parsed = OverridesParser.create().parse_overrides(given)
    kept = [str(each.input_line) for each in parsed if _tells(each, folders)]
    for settings in without_sweeps(kept, folders):
        cfg = configuration(name, settings, conf, folder)
        patches = not OmegaConf.is_missing(cfg.data, "root") and cfg.data.annotations is None
        yield str(cfg.hydra.runtime.choices["net"]), patches


def _tells(override: Override, folders: Sequence[Path]) -> bool:
    name = override.key_or_group
    return name in TELLING or any((folder / name).is_dir() for folder in folders)


def _with_auto_as(kind: str, argument: str) -> str:
    """Return an argument, where it chooses `net=auto`, alone or among several of `-m`, with the network that this is.

    The parser says what it chooses: `net='auto'` and `net=choice(auto,grid)` are of its grammar too.
    """
    name, sign, _ = argument.partition("=")
    if not sign or name.strip().lstrip("+") != "net":
        return argument
    parsed = OverridesParser.create().parse_override(argument)
    each_as_given = parsed.sweep_iterator() if parsed.is_discrete_sweep() else [parsed.value()]
    values = [each.text if isinstance(each, QuotedString) else each for each in each_as_given]
    if AUTO not in values:
        return argument
    return f"{name}={','.join(kind if each == AUTO else str(each) for each in values)}"

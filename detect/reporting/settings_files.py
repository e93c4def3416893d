"""Settings files of others: YAML of plain values, within bounds that are checked before anything is built from it."""

from pathlib import Path
from typing import Any

import yaml

from detect.imagery.files import read_regular

MOST_BYTES = 1 << 20
"""Greatest size of a file of settings; those of a training have some thousand bytes, and the names of its images."""

DEEPEST = 32
"""Greatest depth of nested settings."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader, which makes nothing but plain values; in C where it is installed."""


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings by name.

    It has no aliases (a few bytes of which stand for gigabytes), no tags, and is not nested without end.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no file of plain settings, or larger or deeper than any that a training writes.
    """
    data = read_regular(path, MOST_BYTES)
    try:
        _check_plain(data)
        settings = yaml.load(data, Loader=LOADER)
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path}: no file of plain settings: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise ValueError(f"{path}: must hold settings by name")
    return settings


def _check_plain(data: bytes) -> None:
    """Check that YAML has no aliases and tags, and is not too deep, event by event."""
    depth = 0
    for event in yaml.parse(data, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None):
            raise ValueError(f"aliases and tags are not read ({event.start_mark})")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST}")


class PlainDumper(yaml.SafeDumper):
    """Writes a value that occurs twice twice, without an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return True for every value."""
        return True

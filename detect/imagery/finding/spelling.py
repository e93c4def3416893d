"""Names that are the same to a person and differ in their letters' codes, in case, or in how they are written down.

Unicode writes `ö` as one code (NFC, which keyboards and most programs give) or as `o` with two dots (NFD, which macOS
kept on its disks); see https://unicode.org/reports/tr15.
"""

import os
import unicodedata
from contextlib import suppress
from pathlib import Path


def composed(text: str) -> str:
    """Return a text in the form NFC, which is the same for all ways to write its letters."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """Return a text as `composed`, without the difference of upper and lower case."""
    return composed(composed(text).casefold())


def as_on_disk(path: Path) -> Path:
    """Return a path as the names on the disk are written, where they differ in Unicode's form alone.

    Args:
        path: of a file or folder; as far as nothing is there, its names stay as they are.
    """
    with suppress(OSError, ValueError):
        if str(path).isascii() or os.path.lexists(path):
            return path
        here = path.parent if path.parent == path else as_on_disk(path.parent)
        if os.path.lexists(here / path.name):
            return here / path.name
        alike = [] if path.name.isascii() else _alike(here, path.name)
        return here / (alike[0] if len(alike) == 1 else path.name)
    return path


def meant(path: Path) -> str:
    """Return a question for the message that a path is not there: which name there is in other case, if any."""
    names: list[str] = []
    with suppress(OSError, ValueError), os.scandir(path.parent) as entries:
        names = sorted(entry.name for entry in entries if folded(entry.name) == folded(path.name))
    return f"; is it {' or '.join(names)}?" if names else ""


def _alike(folder: Path, name: str) -> list[str]:
    """List the names in a folder that are a name, written in some form of Unicode."""
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry.name for entry in entries if composed(entry.name) == composed(name)]
    return []

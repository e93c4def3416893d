"""Text files of paths: one a line, with comments (`#`) and blank lines, below the text's folder or the working one."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from detect.imagery.files import read_regular
from detect.imagery.finding.spelling import as_on_disk

LIST_SUFFIXES = (".txt", ".lst")
"""Endings of texts that may be lists of paths; what they are is found out by their lines."""

MOST_BYTES = 64 << 20
"""Greatest length of such a text: some 500,000 paths."""

LOOKED_AT = 20
"""Lines at the beginning that say whether a text is a list of paths."""


def is_path_list(path: Path, looks_right: Callable[[Path], bool]) -> bool:
    """Return whether a text file is a list of paths: most of its first lines name something that looks right.

    Args:
        path: a file; one of another ending, or a file of bytes, is none.
        looks_right: whether a path may be meant, there or not.
    """
    if path.suffix.lower() not in LIST_SUFFIXES or not path.is_file():
        return False
    try:
        lines = _lines(path)[:LOOKED_AT]
    except ValueError:
        return False
    return 2 * sum(looks_right(_meant(line, path.parent)) for line in lines) > len(lines)


def read_paths(path: Path) -> list[Path]:
    """Read the paths of a list, in its order, repeated ones too; what is not there is named from the list's folder.

    Raises:
        ValueError: the file is no text, or longer than `MOST_BYTES`.
        OSError: it cannot be read.
    """
    return [_meant(line, path.parent) for line in _lines(path)]


def first_line(path: Path) -> str:
    """Return the beginning of the first line that is neither blank nor a comment, for messages."""
    return next(iter(_lines(path)), "")[:80]


def _lines(path: Path) -> list[str]:
    """Return the lines that are neither blank nor comments, without line ends."""
    data = read_regular(path, MOST_BYTES)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not a text of paths ({error})") from error
    else:
        text = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf"))
    if "\0" in text:
        raise ValueError(f"{path}: not a text of paths, it holds bytes of value 0")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _meant(line: str, folder: Path) -> Path:
    """Return the path of a line: the first reading of it, blanks kept or not, by which something is there."""
    bare = line.strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "'\"":
        bare = bare[1:-1]
    readings = dict.fromkeys((line, bare, bare.replace("\\", "/")))
    for reading in readings:
        for base in (folder, Path()):
            with suppress(OSError, ValueError, RuntimeError):
                path = as_on_disk(base / Path(reading).expanduser())
                if os.path.lexists(path):
                    return _plain(path)
    return _plain(folder / bare)


def _plain(path: Path) -> Path:
    """Return a path without `..`, by which its name below another folder would lead out of it."""
    return (
        path if ".." not in path.parts else path.parent.resolve() / path.name if path.name != ".." else path.resolve()
    )

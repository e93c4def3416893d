"""Files written whole or not at all, and files of others read within bounds.

A reader never finds half of a written file, and a killed run leaves the old one.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from detect.imagery.scratch import check_room

PART_NAME = re.compile(r"\.detect-[0-9a-f]{32}\.part")
"""The names of half-written files, which no other program gives."""


def part_name() -> str:
    """Return a new name for a file that a run removes, also after it was killed: one of `PART_NAME`."""
    return f".detect-{uuid4().hex}.part"


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to, and move it to `path` when the block ends without an error.

    The folder is made if it is missing. If the block raises, or leaves the disk full, by which the file may have been
    cut short, the temporary file is removed and `path` is unchanged.

    Args:
        path: the file to write.

    Yields:
        The path to write to: in the same folder, hidden, with a name like `PART_NAME`.

    Raises:
        NoRoomError: the disk is full.
    """
    folder = path.parent
    if not os.path.isdir(folder):  # noqa: PTH112
        folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / part_name()
    try:
        try:
            yield temporary
        except Exception as error:
            check_room(path, error)
            raise
        check_room(path)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_parts(folder: Path, *, below: bool = False) -> None:
    """Remove the files that a killed run was writing: regular files of their names (`PART_NAME`), and nothing else.

    Args:
        folder: the folder; one that is not there has none.
        below: whether the folders below it are searched too; links to folders are not followed.
    """
    for place, folders, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if PART_NAME.fullmatch(name) and stat.S_ISREG(path.lstat().st_mode):
                path.unlink()
        if not below:
            folders.clear()


def remove_written(path: Path, below: Path) -> None:
    """Remove a file that a run wrote, if it is there, and the folders above it, up to `below`, that are then empty."""
    place, last = os.fspath(path), os.fspath(below)
    with suppress(FileNotFoundError):
        os.unlink(place)  # noqa: PTH108
    with suppress(OSError):
        while (folder := os.path.dirname(place)) != place:  # noqa: PTH120
            os.rmdir(folder)  # noqa: PTH106
            if folder == last:
                return
            place = folder


def read_regular(path: Path, most_bytes: int, inside: Path | None = None) -> bytes:
    """Read a file of others: a regular one, within a bound that is checked before it is read.

    Args:
        path: the file, or a link to it.
        most_bytes: bound for its size.
        inside: a folder that the file must lie in, wherever links lead; None for no such folder.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is a folder, pipe or device, is larger, or a link leads out of the folder.
    """
    check_regular(path, most_bytes, inside)
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(_too_large(path, len(data), most_bytes))
    return data


def check_regular(path: Path, most_bytes: int, inside: Path | None = None) -> None:
    """Check a file as `read_regular` does, and read nothing of it."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError(f"{path}: must be a file, is {_kind(facts.st_mode)}; move it away")
    if facts.st_size > most_bytes:
        raise ValueError(_too_large(path, facts.st_size, most_bytes))
    if inside is not None:
        check_inside(path, inside)


def check_inside(path: Path, folder: Path) -> None:
    """Check that a path lies in a folder, wherever links lead; nothing need be there.

    Raises:
        ValueError: a link leads out of the folder.
    """
    place, root = os.path.realpath(path), os.path.realpath(folder)
    if place != root and not place.startswith(root.rstrip(os.sep) + os.sep):
        raise ValueError(
            f"{path}: leads out of {folder}, by a link or by '..'; nothing there is used, and "
            f"only {folder} itself may be a link"
        )


def _too_large(path: Path, found: int, most: int) -> str:
    return f"{path}: {found:,} bytes, and {most:,} are the most that is read; is it the file that was written?"


def _kind(mode: int) -> str:
    """Return what a file that is not regular is, in words."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")

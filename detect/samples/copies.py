"""The same image under two names: what is trained on must not be what is tested."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

logger = logging.getLogger(__name__)

EDGE = 1 << 16
"""Bytes from either end of a file that are compared before all of it is read."""


SHOWN = 5
"""Copies on one side that are named in the log."""


@dataclass(frozen=True)
class SplitFile:
    """A file on a side of the split.

    Attributes:
        name: as a person knows it.
        path: the file.
        side: `train`, `val` or `test`.
    """

    name: str
    path: Path
    side: str


def check_copies(files: Sequence[SplitFile], policy: str = "error") -> None:
    """See that no image is on two sides of a split under two names; copies on one side are a warning.

    Images are the same where their files are, byte for byte; a copy that was encoded anew is not noticed.

    Args:
        files: all images of the split; one path may be there twice (parts of one image).
        policy: `error` refuses copies on different sides, `warn` says so and goes on, for pictures so small that they
            are alike by chance.

    Raises:
        ValueError: an unknown policy, or two files on different sides are the same.
    """
    if policy not in ("error", "warn"):
        raise ValueError(f"data.split.copies must be error or warn, got {policy}")
    by_path: dict[Path, list[SplitFile]] = defaultdict(list)
    for each in files:
        by_path[each.path].append(each)
    alike = [[each for path in paths for each in by_path[path]] for paths in same_files(by_path)]
    pairs = (pair for group in alike for pair in combinations(group, 2))
    torn = [(one, other) for one, other in pairs if one.path != other.path and one.side != other.side]
    if torn:
        one, other = torn[0]
        message = (
            f"{one.name} ({one.side}) and {other.name} ({other.side}) are the same image, byte for byte, on two sides "
            f"of the split ({len(torn)} such pairs); remove one, or put both in one group"
        )
        if policy == "error":
            raise ValueError(f"{message}; data.split.copies=warn goes on all the same")
        logger.warning("%s", message)
    within = [group for group in alike if len({each.side for each in group}) == 1]
    if within:
        named = "; ".join(" = ".join(each.name for each in group) for group in within[:SHOWN])
        logger.warning("the same image under several names, %d times: %s", len(within), named)


def same_files(paths: Iterable[Path]) -> list[list[Path]]:
    """Find files of the same bytes; only those of equal size, and equal ends, are read whole.

    Args:
        paths: different paths; a file that is linked twice is two.

    Returns:
        Groups of two or more, each in the order given.
    """
    groups = [[path for path in paths if path.is_file()]]
    steps: tuple[Callable[[Path], Hashable], ...] = (lambda path: path.stat().st_size, _ends, _digest)
    for key in steps:
        groups = [alike for group in groups for alike in _grouped(group, key)]
    return groups


def _grouped(paths: Sequence[Path], key: Callable[[Path], Hashable]) -> list[list[Path]]:
    found: dict[Hashable, list[Path]] = defaultdict(list)
    for path in paths:
        found[key(path)].append(path)
    return [alike for alike in found.values() if len(alike) > 1]


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        first = file.read(EDGE)
        file.seek(max(0, path.stat().st_size - EDGE))
        return hashlib.blake2b(first + file.read(EDGE)).digest()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()

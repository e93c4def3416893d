"""Copies of one image under several names, which must not be on two sides of a split."""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from detect.imagery.finding.mosaic_tiles import images_shown

logger = logging.getLogger(__name__)

END_BYTES = 1 << 16
"""Bytes from either end of a file that are compared before all of it is read."""


MAX_NAMED_COPIES = 5
"""Groups of copies on one side that the log names, at most."""


@dataclass(frozen=True)
class SplitFile:
    """A file on a side of the split.

    Attributes:
        name: the image's name in messages.
        path: the file.
        side: `train`, `val` or `test`.
    """

    name: str
    path: Path
    side: str


def check_copies(files: Sequence[SplitFile], policy: str) -> None:
    """Check that no image is on two sides of a split under two names; copies on one side are a warning.

    Files are copies if they are equal byte for byte; a copy that was encoded again is not found.

    Args:
        files: all images of the split; a path may occur more than once (parts of one image).
        policy: `error` raises for copies on different sides; `warn` logs a warning, for images so small that they are
            equal by chance.

    Raises:
        ValueError: an unknown policy, or two files on different sides are the same.
    """
    if policy not in ("error", "warn"):
        raise ValueError(f"data.split.copies must be error or warn, got {policy}")
    by_path: dict[Path, list[SplitFile]] = defaultdict(list)
    for each in files:
        by_path[each.path].append(each)
    copies = [[each for path in paths for each in by_path[path]] for paths in same_files(by_path)]
    pairs = (pair for group in copies for pair in combinations(group, 2))
    split_pairs = [(one, other) for one, other in pairs if one.path != other.path and one.side != other.side]
    if split_pairs:
        one, other = split_pairs[0]
        message = (
            f"{one.name} ({one.side}) and {other.name} ({other.side}) are the same image, byte for byte, on two sides "
            f"of the split ({len(split_pairs)} such pairs); remove one, or put both in one group"
        )
        if policy == "error":
            raise ValueError(f"{message}; data.split.copies=warn logs a warning instead")
        logger.warning("%s", message)
    within = [group for group in copies if len({each.side for each in group}) == 1]
    if within:
        named = "; ".join(" = ".join(each.name for each in group) for group in within[:MAX_NAMED_COPIES])
        logger.warning("the same image under several names, %d times: %s", len(within), named)


def check_mosaics(files: Sequence[SplitFile], policy: str) -> None:
    """Check that no image is on another side of a split than a mosaic that shows it; on one side that is a warning.

    Args:
        files: all images of the split.
        policy: as of `check_copies`.

    Raises:
        ValueError: a mosaic and an image that it shows are on different sides.
    """
    sides: dict[Path, list[SplitFile]] = defaultdict(list)
    for each in files:
        sides[each.path].append(each)
    shown = images_shown(list(sides))
    pairs = [(a, b) for vrt, tiles in shown.items() for a in sides[vrt] for tile in tiles for b in sides[tile]]
    if not pairs:
        return
    apart = [(one, other) for one, other in pairs if one.side != other.side]
    one, other = (apart or pairs)[0]
    message = (
        f"{one.name} ({one.side}) is a mosaic that shows {other.name} ({other.side}), and both are labelled "
        f"({len(pairs)} such pairs): the same ground is there twice; label one of them"
    )
    if apart and policy == "error":
        raise ValueError(f"{message}, or put both in one group; data.split.copies=warn logs a warning instead")
    logger.warning("%s", message)


def same_files(paths: Iterable[Path]) -> list[list[Path]]:
    """Return groups of files of equal bytes; only files of equal size and equal ends are read whole.

    Args:
        paths: different paths; two links to one file count as two files.

    Returns:
        Groups of two or more files, each in the order of `paths`.
    """
    groups = [[path for path in paths if path.is_file()]]
    steps: tuple[Callable[[Path], Hashable], ...] = (lambda path: path.stat().st_size, _ends, _digest)
    for key in steps:
        groups = [equal for group in groups for equal in _grouped(group, key)]
    return groups


def _grouped(paths: Sequence[Path], key: Callable[[Path], Hashable]) -> list[list[Path]]:
    """Return the groups of two or more files whose keys are equal."""
    found: dict[Hashable, list[Path]] = defaultdict(list)
    for path in paths:
        found[key(path)].append(path)
    return [equal for equal in found.values() if len(equal) > 1]


def _ends(path: Path) -> bytes:
    """Return a hash of a file's first and last `END_BYTES`."""
    with path.open("rb") as file:
        first = file.read(END_BYTES)
        file.seek(max(0, path.stat().st_size - END_BYTES))
        return hashlib.blake2b(first + file.read(END_BYTES)).digest()


def _digest(path: Path) -> bytes:
    """Return a hash of a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()

"""Wafers from files, told by what is in them: KLARF 1.0 to 1.8, or a list of defects as CSV."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from detect.imagery.files import check_regular
from detect.imagery.wafers.defect_list import is_defect_list, read_defect_list
from detect.imagery.wafers.errors import WaferError
from detect.imagery.wafers.klarf.klarf_files import is_klarf, read_klarf
from detect.imagery.wafers.wafer import Wafer

BEGINNING_BYTES = 4096
"""How much of a file says what it is."""

MOST_BYTES = 64 << 30
"""Greatest file that is read; its defects are held a block at a time, unless whole wafers are asked for."""

NEITHER = "neither KLARF (FileVersion, Record FileRecord) nor a list of defects as CSV, with x_mm,y_mm or x_um,y_um"

MOST_DEFECTS = 50_000_000
"""Most defects of a wafer that is held whole, at some 50 bytes each."""


def is_wafer_file(path: Path) -> bool:
    """Return whether a file is a list of a wafer's defects, by its beginning; a file that cannot be read is none."""
    try:
        check_regular(path, MOST_BYTES)
        with path.open("rb") as file:
            beginning = file.read(BEGINNING_BYTES)
    except (OSError, ValueError):
        return False
    return is_klarf(beginning) or is_defect_list(beginning)


def read_wafers(path: Path, keep: bool = False) -> Iterator[Wafer]:
    """Yield the wafers of a file whole, in its order.

    Args:
        path: the file.
        keep: whether a file that is cut off, or has other counts of defects than it says, is read as far as it goes,
            and the wafer's remarks say so; else it is an error.

    Raises:
        WaferError: the file is no such list, something in it is wrong, or a wafer has more than `MOST_DEFECTS`; names
            the file and the line.
        OSError: it cannot be read.
    """
    for _, parts in groupby(read_parts(path, keep), key=lambda part: (part.lot, part.name)):
        yield _joined(path, parts)


def read_parts(path: Path, keep: bool = False) -> Iterator[Wafer]:
    """Yield the wafers of a file in parts: those of a wafer follow each other, the last has the remarks.

    Args:
        path: the file.
        keep: as of `read_wafers`.

    Raises:
        WaferError: the file is no such list, or something in it is wrong; parts before were yielded.
        OSError: it cannot be read.
    """
    try:
        check_regular(path, MOST_BYTES)
    except ValueError as error:
        raise WaferError(path, None, str(error).removeprefix(f"{path}: ")) from error
    with path.open("rb") as file:
        beginning = file.read(BEGINNING_BYTES)
        file.seek(0)
        if is_klarf(beginning):
            yield from read_klarf(file, path, keep)
        elif is_defect_list(beginning):
            yield from read_defect_list(file, path, keep)
        else:
            raise WaferError(path, None, NEITHER)


def _joined(path: Path, parts: Iterable[Wafer]) -> Wafer:
    """Return the parts of a wafer as one."""
    held: list[Wafer] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        if count > MOST_DEFECTS:
            raise WaferError(
                path, None, f"wafer {part.name!r} has more than {MOST_DEFECTS:,} defects; split the list, or draw fewer"
            )
    last = held[-1]
    images: tuple[str, ...] = ()
    if any(part.images for part in held):
        images = tuple(name for part in held for name in part.images or ("",) * len(part))
    dies = [part.die for part in held if part.die is not None]
    return Wafer(
        last.lot,
        last.name,
        last.diameter_mm,
        np.concatenate([part.xy_mm for part in held]),
        np.concatenate([part.size_mm for part in held]),
        np.concatenate([part.kinds for part in held]),
        {number: name for part in held for number, name in part.kind_names.items()},
        np.concatenate(dies) if dies else None,
        last.pitch_mm,
        last.mark,
        images,
        last.remarks,
    )

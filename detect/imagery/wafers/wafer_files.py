"""Wafers from files, told by what is in them: KLARF 1.0 to 1.8, or a list of defects as CSV."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.files import check_regular
from detect.imagery.wafers.defect_list import is_defect_list, read_defect_list
from detect.imagery.wafers.errors import WaferError
from detect.imagery.wafers.klarf.klarf_files import is_klarf, read_klarf
from detect.imagery.wafers.wafer import Wafer

BEGINNING_BYTES = 1 << 16
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
        raise WaferError(path, None, str(error).removeprefix(f"{path}: ")) from None
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
    arrays: dict[str, _Growing] = {}
    names: dict[int, str] = {}
    images: list[str] = []
    count = 0
    for part in parts:
        if part.images:
            images += [""] * (count - len(images)) + [*part.images]
        count += len(part)
        if count > MOST_DEFECTS:
            raise WaferError(
                path, None, f"wafer {part.name!r} has more than {MOST_DEFECTS:,} defects; split the list, or draw fewer"
            )
        names.update(part.kind_names)
        for name in ("xy_mm", "size_mm", "kinds", "die"):
            values = getattr(part, name)
            if values is not None:
                arrays.setdefault(name, _Growing(values)).add(values)
    images += [""] * (count - len(images)) if images else []
    return replace(
        part,
        xy_mm=arrays["xy_mm"].whole(),
        size_mm=arrays["size_mm"].whole(),
        kinds=arrays["kinds"].whole(),
        die=arrays["die"].whole() if "die" in arrays else None,
        kind_names=names,
        images=tuple(images),
    )


class _Growing:
    """An array that grows in its place, by a quarter when it is full, so that it and its parts are never held both.

    Args:
        like: an array of the type and the columns that it has.
    """

    def __init__(self, like: NDArray[Any]) -> None:
        self._values = np.empty((0, *like.shape[1:]), like.dtype)
        self._count = 0

    def add(self, values: NDArray[Any]) -> None:
        """Add rows."""
        count = self._count + len(values)
        if count > len(self._values):
            self._values.resize((count + count // 4, *values.shape[1:]), refcheck=False)
        self._values[self._count : count] = values
        self._count = count

    def whole(self) -> NDArray[Any]:
        """Return all rows; none can be added afterwards."""
        self._values.resize((self._count, *self._values.shape[1:]), refcheck=False)
        return self._values

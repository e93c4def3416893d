"""The raster of a file's wafer, whose marks are kept while they fit, so that a file is read once for many windows."""

import shlex
import threading
from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from detect.imagery.wafers.drawn.defect_marks import marks_of
from detect.imagery.wafers.drawn.drawing import Drawing
from detect.imagery.wafers.drawn.wafer_raster import WaferRaster
from detect.imagery.wafers.errors import WaferError
from detect.imagery.wafers.notches import AS_GIVEN, NOT_SAID, side_of
from detect.imagery.wafers.wafer import Wafer
from detect.imagery.wafers.wafer_files import MOST_DEFECTS, read_parts

HELD_BYTES = 256 << 20
"""Most bytes of marks that a process keeps of files that are not being read; at some ten a defect."""

_Key = tuple[Path, int, int, Drawing, bool]
_held: OrderedDict[_Key, tuple[WaferRaster, tuple[str, ...]]] = OrderedDict()
_holding = threading.Lock()


def wafer_raster(path: Path, drawing: Drawing, keep: bool = False) -> tuple[WaferRaster, tuple[str, ...]]:
    """Return the raster of the one wafer of a file, and what is to be told of how its list was read.

    Args:
        path: the file.
        drawing: how the wafer is drawn.
        keep: as of `read_wafers`: whether a list that is cut off, or has other counts than it says, is read.

    Raises:
        WaferError: the list is wrong, is of several wafers, or of more than `MOST_DEFECTS`.
        OSError: it cannot be read.
    """
    facts = path.stat()
    key = path.absolute(), facts.st_size, facts.st_mtime_ns, drawing, keep
    with _holding:
        if key in _held:
            _held.move_to_end(key)
            return _held[key]
    made = _read(path, drawing, keep)
    with _holding:
        _held[key] = made
        while len(_held) > 1 and sum(raster.marks.nbytes for raster, _ in _held.values()) > HELD_BYTES:
            _held.popitem(last=False)
    return made


def _read(path: Path, drawing: Drawing, keep: bool) -> tuple[WaferRaster, tuple[str, ...]]:
    """Return the raster of a file's wafer, and the list's remarks."""
    parts = read_parts(path, keep)
    first = next(parts, None)
    if first is None:
        raise WaferError(path, None, "has no wafer")
    if 2 * drawing.edge_exclusion_mm >= first.diameter_mm:
        raise WaferError(
            path,
            None,
            f"data.wafers.edge_exclusion_mm={drawing.edge_exclusion_mm:g} leaves nothing of a wafer of "
            f"{first.diameter_mm:g} mm",
        )
    remarks: list[str] = []
    unturned = drawing.notch != AS_GIVEN and side_of(first.mark) is None
    marks = marks_of(_of_one(path, chain([first], parts), first, remarks), drawing)
    told = [f"{NOT_SAID}: {first.mark or 'nothing is said of it'}"] if unturned else []
    return WaferRaster(marks, first.diameter_mm, drawing), (*remarks, *told)


def _of_one(path: Path, parts: Iterator[Wafer], first: Wafer, remarks: list[str]) -> Iterator[Wafer]:
    """Yield the parts of a wafer, adding the last one's remarks; another wafer is an error."""
    count = 0
    for part in parts:
        if (part.lot, part.name) != (first.lot, first.name):
            raise WaferError(
                path,
                None,
                f"is of several wafers ({first.name!r}, {part.name!r} ...), and an image is one: write a list a wafer "
                f"into a folder, and give that for it: {_parting(path)}",
            )
        count += len(part)
        if count > MOST_DEFECTS:
            raise WaferError(path, None, f"has more than {MOST_DEFECTS:,} defects; split the list")
        remarks[:] = part.remarks
        yield part


def _parting(path: Path) -> str:
    """Return the command that writes each wafer of a list into a file of its own, in a folder beside the list."""
    source, target = path.absolute(), path.absolute().with_name(f"{path.stem}_wafers")
    return f"python -m detect.convert {shlex.quote(f'source={source}')} {shlex.quote(f'target={target}')}"

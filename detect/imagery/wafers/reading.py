"""Wafers from files, told by what is in them: KLARF 1.0 to 1.8, or a list of defects as CSV."""

from collections.abc import Iterator
from pathlib import Path

from detect.imagery.wafers.errors import WaferError
from detect.imagery.wafers.wafer import Wafer


def is_wafer_file(path: Path) -> bool:
    """Return whether a file is a list of a wafer's defects, by its beginning; a file that cannot be read is none."""
    raise NotImplementedError


def read_wafers(path: Path) -> Iterator[Wafer]:
    """Yield the wafers of a file, in its order.

    Raises:
        WaferError: the file is no such list, or something in it is wrong; names the file and the line.
        OSError: it cannot be read.
    """
    raise WaferError(path, None, "not read yet")
    yield

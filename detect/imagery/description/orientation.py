"""The orientation that cameras, phones and editors write beside the pixels, and the turn that viewers make of it.

Format: EXIF 2.32, tag 274, the same as TIFF's Orientation: 1 to 8, where the first row and column of the stored pixels
are shown. JPEG keeps it in an EXIF block, PNG in a chunk eXIf, WebP in a chunk EXIF, TIFF in its first directory.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.description.chunks import exif_place
from detect.imagery.description.side_files import SideFileError, side_place
from detect.imagery.description.tiff_directories import directories
from detect.imagery.gdal.drivers import SceneError, georeference_files
from detect.imagery.remote.stand_ins import open_bytes
from detect.imagery.windows import Window

logger = logging.getLogger(__name__)

_told: set[Path] = set()
"""Images with a place on the map whose orientation is not followed, each named once in a process."""


@dataclass(frozen=True)
class Turn:
    """How stored pixels become those that are shown.

    Attributes:
        orientation: 1 to 8, as in EXIF.
    """

    orientation: int

    @property
    def transposed(self) -> bool:
        """Whether rows become columns, before the flips."""
        return self.orientation >= 5

    @property
    def rows_flipped(self) -> bool:
        """Whether the shown image is upside down without the turn."""
        return self.orientation in (3, 4, 7, 8)

    @property
    def cols_flipped(self) -> bool:
        """Whether left and right of the shown image are exchanged without the turn."""
        return self.orientation in (2, 3, 6, 7)

    def shape(self, hw: tuple[int, int]) -> tuple[int, int]:
        """Return the shown (height, width) of stored ones, or the stored of shown ones."""
        return (hw[1], hw[0]) if self.transposed else hw

    def stored(self, window: Window, shape: tuple[int, int]) -> Window:
        """Return where the pixels of a window are stored.

        Args:
            window: of the shown image.
            shape: (height, width) of the shown image.
        """
        row = shape[0] - window.row_stop if self.rows_flipped else window.row
        col = shape[1] - window.col_stop if self.cols_flipped else window.col
        flipped = Window(row, col, window.height, window.width)
        return Window(col, row, flipped.width, flipped.height) if self.transposed else flipped

    def turned(self, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return stored pixels (..., h, w) as they are shown, in memory of their own where they are turned."""
        if self.orientation == 1:
            return pixels
        shown = pixels.swapaxes(-1, -2) if self.transposed else pixels
        shown = shown[..., ::-1, :] if self.rows_flipped else shown
        return np.ascontiguousarray(shown[..., ::-1] if self.cols_flipped else shown)


def orientation_of(path: Path, source: Any) -> int:
    """Return the orientation by which an image is shown, 1 to 8.

    An image with a place on the map is shown as it is stored, whatever its tag says, as geographic programs do: the
    place is that of the stored rows and columns. The log tells of it.

    Args:
        path: the image.
        source: its rasterio dataset.

    Raises:
        SceneError: a TIFF that libtiff turns in part, piece by piece, while it converts its colours.
    """
    stated = _stated(path, source)
    structure = {} if stated == 1 else source.tags(ns="IMAGE_STRUCTURE")
    if (
        "SOURCE_COLOR_SPACE" in structure
        and source.driver == "GTiff"
        and "JPEG" not in structure.get("COMPRESSION", "")
    ):
        raise SceneError(
            f"{path}: its colours are {structure['SOURCE_COLOR_SPACE']} and its orientation tag is {stated}, which "
            "libtiff does not read together; save it anew as RGB"
        )
    if stated == 1 or not _located(path, source):
        return stated
    if path not in _told:
        _told.add(path)
        logger.warning("%s: it has a place on the map, so that its orientation tag (%d) is not followed", path, stated)
    return 1


def _stated(path: Path, source: Any) -> int:
    """Return what the file says, 1 where it says nothing."""
    if source.driver == "JPEG":
        text = str(source.tags().get("EXIF_Orientation", "1")).strip()
        return int(text) if text in "12345678" and len(text) == 1 else 1
    if source.driver not in ("GTiff", "PNG", "WEBP"):
        return 1
    with open_bytes(path) as file:
        base = 0 if source.driver == "GTiff" else exif_place(file, source.driver)
        first = None if base is None else next(directories(file, base), None)
    return 1 if first is None else first.orientation


def _located(path: Path, source: Any) -> bool:
    """Return whether an image has a place on the map, in itself or in a file beside it."""
    within = source.crs is not None or not source.transform.is_identity or bool(source.gcps[0])
    if within or any(map(os.path.isfile, georeference_files(path))):
        return True
    try:
        side = side_place(path)
    except SideFileError:
        return False
    return side is not None and bool(side.transform or side.points)

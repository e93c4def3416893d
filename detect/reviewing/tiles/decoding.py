"""Whether an image is read part by part when it is looked at, or decoded whole before: into memory, or into a file."""

import logging
from pathlib import Path
from typing import Literal

import numpy as np

from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.scratch import scratch_array
from detect.reviewing.tiles.decoded_copy import DecodedCopy
from detect.reviewing.tiles.pyramid import TILE_PX

logger = logging.getLogger(__name__)

COSTLY_PX = 1 << 20
"""A tile of the image's own size for which more pixels than these are decoded is slow: strips of 4,096 and more."""

SMALL_BYTES = 256 << 20
"""An image of such strips is held in memory up to this size, some seconds after it is opened."""

SCANNED = ("JPEG", "PNG")
"""Formats that are decoded row by row from the top, so that a copy can be made in little memory."""

Way = Literal["parts", "memory", "copy"]
"""Parts are read from the file; all of it is held in memory; or a copy is decoded into a file, from the top."""


def way_of(reader: SceneReader, most_bytes: int) -> Way:
    """Return how an image is decoded.

    Of strips, a tile takes all rows that it is in, from edge to edge: in 40,000 columns 10 million pixels, and 160
    million at a quarter of the size.

    Args:
        reader: of the image.
        most_bytes: that it may take in memory.
    """
    scene = reader.scene
    if not scene.windowed:
        scanned = scene.layout is not None and scene.layout.driver in SCANNED and scene.dtype == "uint8"
        return "copy" if scanned and reader.nbytes > most_bytes else "memory"
    if not in_strips(reader) or scene.shape[1] * max(TILE_PX, reader.blocks[0]) <= COSTLY_PX:
        return "parts"
    if reader.nbytes <= min(SMALL_BYTES, most_bytes):
        return "memory"
    if 2 * 3 * reader.blocks[0] * scene.shape[1] > most_bytes:
        logger.warning("%s: its strips are too large to be shown fast; a tiled GeoTIFF is (gdal_translate)", scene.path)
        return "parts"
    return "copy"


def in_strips(reader: SceneReader) -> bool:
    """Return whether the blocks of a file reach from edge to edge."""
    return reader.blocks[1] >= reader.scene.shape[1]


def cell_of(block: tuple[int, int], width: int, most_px: int, factor: int) -> tuple[int, int]:
    """Return the (height, width) of the parts, as wide as an image, in which a copy is decoded.

    Args:
        block: (height, width) of the blocks of the file.
        width: of the image.
        most_px: wanted in a part; it has a row of blocks at least, and their rows whole.
        factor: that its height is a multiple of.
    """
    high = max(1, block[0])
    rows = max(1, most_px // (width * high)) * high
    return -(-rows // factor) * factor, width


def room_for_copy(scene: Scene, folder: Path | None) -> DecodedCopy | None:
    """Make room for the decoded pixels of an image, as they are shown, in a nameless file that goes with the process.

    Args:
        scene: the image.
        folder: for the file; None takes the system's.

    Returns:
        The copy, without pixels yet; None where there is no room or the folder cannot be written to, and the image can
        be read without, slowly.

    Raises:
        SceneError: it cannot.
    """
    try:
        made = scratch_array((*scene.shape, 3), np.uint8, folder, "its decoded copy")
    except OSError as error:
        why = str(error).partition(";")[0]
        if not scene.windowed:
            raise SceneError(f"{scene.path}: {why}; make room, or give memory=... that holds it decoded") from error
        logger.warning("%s: %s; its tiles are read from long strips, which is slow", scene.path, why)
        return None
    logger.info(
        "%s: decoded into a nameless file of %d MiB, which goes when the image is closed; a tiled GeoTIFF with "
        "overviews (gdal_translate -of COG) needs none",
        *(scene.path, made.nbytes >> 20),
    )
    return DecodedCopy(made, jumps=scene.windowed)

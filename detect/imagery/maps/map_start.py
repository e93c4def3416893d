"""The start of the file of a map of one block: all that comes before the block, which maps of one size share.

GDAL writes it, in memory and once; making a dataset for each of thousands of small maps took ten times as long as
packing their values. Formats: TIFF 6.0 (sections 2 and 15: one directory, one tile), and RFC 1950 (zlib) for the block.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from detect.imagery.gdal.drivers import no_georeference_needed
from detect.imagery.gdal.options import gdal_options

BLOCK_PLACE, BLOCK_BYTES = 324, 325
"""Tags of TIFF that say where the tiles are, and how long each is (TileOffsets, TileByteCounts)."""

LONG, ENTRY = 4, 12
"""The type of a whole number of four bytes, and the bytes of an entry of a directory."""

MOST_STARTS = 64
"""Starts that are kept: of maps of so many sizes, some kilobytes each."""


@dataclass(frozen=True)
class MapStart:
    """The bytes before the block of a map of bytes, which is the last of its file.

    Attributes:
        content: the bytes, in which the length of the block is another map's.
        length_place: where in them the length stands.
        block: (rows, columns) of the block.
        level: how hard deflate tries, from 1 to 9.
    """

    content: bytes
    length_place: int
    block: tuple[int, int]
    level: int

    def with_block(self, values: NDArray[np.generic]) -> bytes:
        """Return the file of a map (C, h, w) of bytes."""
        whole = np.zeros((*self.block, len(values)), np.uint8)
        whole[: values.shape[1], : values.shape[2]] = values.transpose(1, 2, 0)
        packed = zlib.compress(whole.data, self.level)
        after = self.length_place + 4
        return self.content[: self.length_place] + struct.pack("<I", len(packed)) + self.content[after:] + packed


def map_start(
    profile: Mapping[str, Any], tags: Mapping[str, str], names: Sequence[str], scale: float
) -> MapStart | None:
    """Return what the files of maps begin with; None where GDAL lays them out in another way than this knows.

    Args:
        profile: of the file, by rasterio: bytes, pixel by pixel, one block, no place on the ground.
        tags: of the map.
        names: of its bands.
        scale: of each band.
    """
    return _made(tuple(profile.items()), tuple(tags.items()), tuple(names), scale)


@lru_cache(MOST_STARTS)
def _made(
    profile: tuple[tuple[str, Any], ...], tags: tuple[tuple[str, str], ...], names: tuple[str, ...], scale: float
) -> MapStart | None:
    """Have GDAL write an empty map, and take its start."""
    facts = dict(profile)
    with gdal_options(), MemoryFile() as file:
        with no_georeference_needed(), file.open(**facts) as target:
            describe_map(target, dict(tags), names, scale)
            target.write(np.zeros((facts["count"], facts["height"], facts["width"]), np.uint8))
        content = bytes(file.getbuffer())
    places = _entries(content)
    start, length = (places.get(tag) for tag in (BLOCK_PLACE, BLOCK_BYTES))
    if facts["interleave"] != "pixel" or facts["predictor"] != 1 or start is None or length is None:
        return None
    (begins,), (nbytes,) = (struct.unpack_from("<I", content, place) for place in (start, length))
    if begins + nbytes != len(content):
        return None
    return MapStart(content[:begins], length, (facts["blockysize"], facts["blockxsize"]), facts["zlevel"])


def _entries(content: bytes) -> dict[int, int]:
    """Return where the values of single whole numbers (LONG) stand in a TIFF's only directory, by their tags."""
    if content[:4] != b"II*\0":
        return {}
    (place,) = struct.unpack_from("<I", content, 4)
    (number,) = struct.unpack_from("<H", content, place)
    entries = (place + 2 + ENTRY * i for i in range(number))
    return {
        tag: entry + 8
        for entry in entries
        for tag, kind, count in [struct.unpack_from("<HHI", content, entry)]
        if (kind, count) == (LONG, 1)
    }


def describe_map(target: Any, tags: Mapping[str, str], names: Sequence[str], scale: float) -> None:
    """Write into an open file, before its pixels, what they are.

    Args:
        target: the rasterio dataset.
        tags: of the map.
        names: of its bands.
        scale: of each band.
    """
    target.update_tags(**tags)
    target.descriptions = tuple(names)
    if scale != 1:
        target.scales = (scale,) * len(names)

"""Writing stitched maps as cloud-optimised GeoTIFFs."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterWindow

from detect.imagery.files import part_name, replace_file
from detect.imagery.gdal.datasets import open_dataset
from detect.imagery.gdal.options import gdal_options
from detect.imagery.liveness.signs import give_sign
from detect.imagery.maps.map_kinds import BYTES, MapKind
from detect.imagery.maps.map_start import describe_map, map_start
from detect.imagery.scenes import Scene

BLOCK_SIDE_PX, MIN_BLOCK_SIDE_PX = 256, 16
"""Sides in pixels of the blocks of a written GeoTIFF: the usual one, and that of which all are multiples."""

MAX_BLOCK_VALUES = 1 << 20
"""Most values of a block, of all bands together. Blocks of many bands are smaller, and lie band by band: overviews are
made band by band, and would read all bands for each."""

MAX_PLAIN_SIDE_PX = 512
"""Longest side in pixels of a map that is one block and has no overviews: what a cloud-optimised one may be at most."""

MAX_PLAIN_BYTES = 64 << 20
"""Most bytes of a map that is written as it is before it is copied; a larger one is compressed, with `PLAIN_LEVEL`."""

PLAIN_LEVEL = 1
"""How hard deflate tries, from 1 to 9."""

PACKING_OPTIONS = ("compress", "predictor", "zlevel")
"""Of the profile of a map, how its values are packed."""

LAYOUT_OPTIONS = ("tiled", "blockxsize", "blockysize", "interleave", "compress", "predictor", "zlevel", "bigtiff")
"""Of the profile of a map, what a copy is told again; the rest it takes from its source."""


def write_map(
    path: Path,
    pieces: Iterable[NDArray[np.float32]],
    scene: Scene,
    stride: int,
    names: Sequence[str],
    offset: float,
    kind: MapKind = BYTES,
) -> None:
    """Write a stitched map, piece by piece, as a cloud-optimised GeoTIFF, whole or not at all.

    Format: uint8 or float32, deflate; a band a class, named in its description. Bytes are probabilities in steps of
    1/254, which is the scale of the bands, so that a GIS shows probabilities; 0 and 1 are exact, and cells without a
    valid pixel are 255, which is nodata. Those of float32 are NaN.

    Cell (i, j) is the posterior at the pixel position `offset + stride * (j, i)` of the scene. Where the scene has a
    georeference, the map has one that puts the cell's centre at that position. The tags `stride` and `offset` are in
    pixels of the image file: one number, or two, for x and for y, where the image was resampled by unequal factors;
    `size` is the width and height of the scene in them.

    A map of at most `MAX_PLAIN_SIDE_PX` cells a side is one block, written at once. A larger one has overviews,
    averages by 2, 4, 8, ... down to one block. The directories come before the pixels and those of overviews before the
    map's (OGC 21-026), which needs all of it to be known: the map is written to a file beside `path`, and copied from
    there.

    Args:
        path: the file; its folder is made.
        pieces: (C, rows, cols) float32 each, in [0, 1] or NaN, from the top, left to right; those side by side have as
            many rows, and together ceil(width / stride) columns; all together have ceil(height / stride) rows.
        scene: the source, for its size and georeference.
        stride: pixels of the scene per cell.
        names: C band names.
        offset: pixel position in the scene of the centre of cell 0, along both axes.
        kind: how the values are stored.

    Raises:
        ValueError: the pieces do not add up to the map.
    """
    height, width = (-(-side // stride) for side in scene.shape)
    shape = (len(names), height, width)
    map_file = _MapFile(path, shape, _map_profile(shape, scene, stride, offset, kind), kind)
    tags = _tags(scene, stride, offset, names)
    with replace_file(path) as part:
        if _one_block(shape):
            map_file.write_block(part, pieces, tags, names)
        else:
            map_file.write_ordered(part, pieces, tags, names)


@dataclass(frozen=True)
class _MapFile:
    """A map that is being written.

    Attributes:
        path: where it will be.
        shape: (C, h, w).
        profile: of the file, by rasterio.
        kind: how its values are stored.
    """

    path: Path
    shape: tuple[int, int, int]
    profile: Mapping[str, Any]
    kind: MapKind

    def write_block(
        self, part: Path, pieces: Iterable[NDArray[np.float32]], tags: Mapping[str, str], names: Sequence[str]
    ) -> None:
        """Write a map of one block at once; the directory is complete before the block, and so comes first.

        Of maps without a place on the ground, as those of many photographs of one size, it is the same: GDAL makes it
        once (`MapStart`).
        """
        whole = np.empty(self.shape, self.kind.dtype)
        for piece, top, left in self._placed(pieces):
            whole[:, top : top + piece.shape[1], left : left + piece.shape[2]] = self.kind.stored(piece)
        placed = "transform" in self.profile
        start = None if placed or self.kind != BYTES else map_start(self.profile, tags, names, self.kind.scale)
        if start is not None:
            part.write_bytes(start.with_block(whole))
            return
        with gdal_options(), open_dataset(part, "w", **self.profile) as target:
            describe_map(target, tags, names, self.kind.scale)
            target.write(whole)

    def write_ordered(
        self, part: Path, pieces: Iterable[NDArray[np.float32]], tags: Mapping[str, str], names: Sequence[str]
    ) -> None:
        """Write a map to a file beside it, and copy that with its overviews into the order of a cloud-optimised one."""
        large = math.prod(self.shape) * np.dtype(self.kind.dtype).itemsize > MAX_PLAIN_BYTES
        plainly = {**self.profile, "zlevel": PLAIN_LEVEL}
        if not large:
            plainly = {name: value for name, value in plainly.items() if name not in PACKING_OPTIONS}
        with gdal_options(), _beside(self.path) as plain:
            with open_dataset(plain, "w", **plainly) as target:
                describe_map(target, tags, names, self.kind.scale)
                for piece, top, left in self._placed(pieces):
                    target.write(self.kind.stored(piece), window=RasterWindow(left, top, *piece.shape[:0:-1]))
            _add_overviews(plain, max(self.shape[1:]), block_side(len(names)))
            give_sign()
            _copy_ordered(plain, part, self.profile)

    def _placed(self, pieces: Iterable[NDArray[np.float32]]) -> Iterator[tuple[NDArray[np.float32], int, int]]:
        """Yield pieces, from the top, left to right, with their first row and column; check that they fill the map."""
        bands, height, width = self.shape
        row = col = 0
        for piece in pieces:
            if len(piece) != bands or row + piece.shape[1] > height or col + piece.shape[2] > width:
                raise ValueError(
                    f"{self.path}: a piece {piece.shape} at row {row} and column {col} is too large for {self.shape}"
                )
            yield piece, row, col
            give_sign()
            col += piece.shape[2]
            if col >= width:
                row, col = row + piece.shape[1], 0
        if (row, col) != (height, 0):
            raise ValueError(
                f"the pieces of the map {self.path} end at row {row} and column {col}, not at row {height}"
            )


def _tags(scene: Scene, stride: int, offset: float, names: Sequence[str]) -> dict[str, str]:
    """Return the tags of a map, in pixels of the file."""
    sides = (side / factor for side, factor in zip(scene.shape[::-1], scene.factor_xy, strict=True))
    return {
        "stride": _file_length(stride, scene),
        "offset": _file_length(offset, scene),
        "size": " ".join(f"{side:.12g}" for side in sides),
        "classes": ", ".join(names),
    }


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a path beside another for a file that is removed in the end, also by the next run after a kill."""
    plain = path.with_name(part_name())
    try:
        yield plain
    finally:
        plain.unlink(missing_ok=True)


def _copy_ordered(source: Path, target: Path, profile: Mapping[str, Any]) -> None:
    """Copy a GeoTIFF with its overviews into the order of a cloud-optimised one, which GDAL marks (`LAYOUT=COG`).

    A map of so many bands that they lie one by one has the order and no mark: GDAL's is of bands pixel by pixel.
    """
    layout = {name: value for name, value in profile.items() if name in LAYOUT_OPTIONS}
    with open_dataset(source, driver="GTiff") as opened:
        rasterio.shutil.copy(opened, target, driver="GTiff", copy_src_overviews="yes", **layout)


def block_side(bands: int) -> int:
    """Return the side in pixels of the blocks of a large map of some bands: a power of two."""
    side = BLOCK_SIDE_PX
    while side > MIN_BLOCK_SIDE_PX and bands * side**2 > MAX_BLOCK_VALUES:
        side //= 2
    return side


def _one_block(shape: tuple[int, int, int]) -> bool:
    """Return whether a map (C, h, w) is one block."""
    return max(shape[1:]) <= MAX_PLAIN_SIDE_PX and shape[0] * math.prod(_block_around(shape)) <= MAX_BLOCK_VALUES


def _block_around(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return (height, width) of the least block around a map (C, h, w)."""
    return -(-shape[1] // MIN_BLOCK_SIDE_PX) * MIN_BLOCK_SIDE_PX, -(-shape[2] // MIN_BLOCK_SIDE_PX) * MIN_BLOCK_SIDE_PX


def _map_profile(
    shape: tuple[int, int, int], scene: Scene, stride: int, offset: float, kind: MapKind
) -> dict[str, Any]:
    """Return the rasterio profile of a map of `shape` (C, h, w), with a georeference where the scene has one."""
    side = block_side(shape[0])
    block = _block_around(shape) if _one_block(shape) else (side, side)
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": kind.dtype,
        "count": shape[0],
        "height": shape[1],
        "width": shape[2],
        "tiled": True,
        "blockxsize": block[1],
        "blockysize": block[0],
        "interleave": "pixel" if _one_block(shape) or side == BLOCK_SIDE_PX else "band",
        "compress": "deflate",
        "predictor": kind.predictor,
        "zlevel": kind.level,
        "bigtiff": "if_safer",
        "nodata": kind.nodata,
    }
    if scene.transform is not None:
        corner = offset - stride / 2
        profile["transform"] = georeference(scene) @ Affine.translation(corner, corner) @ Affine.scale(stride)
        profile["crs"] = scene.crs
    return profile


def georeference(scene: Scene) -> Affine:
    """Return the transform from a scene's own pixels to map coordinates; `scene.transform` must not be None."""
    assert scene.transform is not None
    placed = Affine(*scene.transform)
    if scene.zoom is not None:
        x, y = scene.factor_xy
        placed = placed @ Affine.translation(scene.zoom.source.col, scene.zoom.source.row) @ Affine.scale(1 / x, 1 / y)
    return placed @ Affine.translation(scene.origin[1], scene.origin[0])


def _file_length(length: float, scene: Scene) -> str:
    """Return the text of a length in pixels of the file: one number, or two, for x and y, where they differ."""
    return " ".join(dict.fromkeys(str(length if factor == 1 else length / factor) for factor in scene.factor_xy))


def _add_overviews(path: Path, longest_side: int, block: int) -> None:
    """Add overviews by 2, 4, 8, ... until the longer side (in pixels) fits into one usual block.

    Args:
        path: the file.
        longest_side: of the map in pixels.
        block: side of the map's blocks in pixels; those of overviews are at least 64, and 128 by default.
    """
    factors: list[int] = []
    while longest_side > BLOCK_SIDE_PX << len(factors):
        factors.append(2 << len(factors))
    if factors:
        with rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE=min(128, max(64, block))), open_dataset(path, "r+") as target:
            target.build_overviews(factors, Resampling.average)

"""Writing stitched maps as cloud-optimised GeoTIFFs, and reading rasters at a reduced size."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
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

from detect.imagery.claims import check_claim
from detect.imagery.drivers import SceneError, driver_of, image_errors
from detect.imagery.files import part_name, replace_file
from detect.imagery.mosaics import MosaicRule, current_rule
from detect.imagery.scenes import Scene, bytes_of, check_bands, gdal_options, open_dataset, open_image

BLOCK_SIDE_PX, MIN_BLOCK_SIDE_PX = 256, 16
"""Sides in pixels of the blocks of a written GeoTIFF: the usual one, and the least that the format has."""

MAX_BLOCK_BYTES = 4 << 20
"""Most bytes of a block, of all bands together. Blocks of many bands are smaller, and lie band by band: overviews are
made band by band, and would read all bands for each."""

PLAIN_LEVEL, MAP_LEVEL = 1, 4
"""How hard deflate tries, from 1 to 9: for the file that a map is copied from, and for the map."""

LAYOUT_OPTIONS = ("tiled", "blockxsize", "blockysize", "interleave", "compress", "predictor", "bigtiff")
"""Of the profile of a map, what a copy is told again; the rest it takes from its source."""

MAX_HEAT_VALUES = 1 << 28
"""Most values of a map, or of an overview of it, that are decoded for a picture."""


def read_preview(path: Path, longest_side: int, bands: Sequence[int] | None = None) -> NDArray[np.generic]:
    """Read an image reduced to at most `longest_side` pixels; overviews are used where the file has them.

    Args:
        path: any image or raster.
        longest_side: bound for height and width in pixels; a smaller image keeps its size.
        bands: band numbers from 1; None for all.

    Returns:
        (C, h, w) in the file's dtype, averages of the pixels where it is reduced.

    Raises:
        SceneError: the file is missing or damaged, or lacks one of the bands.
    """
    rule, driver = current_rule(), driver_of(path)
    with (
        image_errors(path),
        gdal_options(trusted=rule.trusts(driver)),
        closing(open_image(path, rule)) as source,
    ):
        check_claim(path, source.shape, driver, bytes_of(path, driver, rule))
        shrink = max(1.0, max(source.shape) / longest_side)
        shape = (max(1, round(source.height / shrink)), max(1, round(source.width / shrink)))
        chosen = list(bands) if bands is not None else list(source.indexes)
        check_bands(path, source.count, chosen)
        return np.asarray(source.read(chosen, out_shape=(len(chosen), *shape), resampling=Resampling.average))


def write_map(
    path: Path, pieces: Iterable[NDArray[np.float32]], scene: Scene, stride: int, names: Sequence[str], offset: float
) -> None:
    """Write a stitched map, piece by piece, as a cloud-optimised GeoTIFF, whole or not at all.

    Format: float32, deflate with the floating point predictor; a band a class, named in its description; cells without
    a valid pixel are NaN, which is its nodata. Cell (i, j) is the posterior at the pixel position `offset + stride *
    (j, i)` of the scene. Where the scene has a georeference, the map has one that puts the cell's centre at that
    position. The tags `stride` and `offset` are in pixels of the image file: one number, or two, for x and for y, where
    the image was resampled by unequal factors; `size` is the width and height of the scene in them. Overviews are
    averages by 2, 4, 8, ... down to one block.

    The directories come before the pixels and those of overviews before the map's (OGC 21-026), which needs all of it
    to be known: the map is written to a file beside `path`, and copied from there.

    Args:
        path: the file; its folder is made.
        pieces: (C, rows, cols) float32 each, in [0, 1] or NaN, from the top, left to right; those side by side have as
            many rows, and together ceil(width / stride) columns; all together have ceil(height / stride) rows.
        scene: the source, for its size and georeference.
        stride: pixels of the scene per cell.
        names: C band names.
        offset: pixel position in the scene of the centre of cell 0, along both axes.

    Raises:
        ValueError: the pieces do not add up to the map.
    """
    height, width = (-(-side // stride) for side in scene.shape)
    profile = _map_profile((len(names), height, width), scene, stride, offset)
    with replace_file(path) as part, _beside(path) as plain, gdal_options():
        with open_dataset(plain, "w", **profile, zlevel=PLAIN_LEVEL) as target:
            _write_pieces(target, pieces, (height, width), path)
            lengths = {name: _file_length(value, scene) for name, value in (("stride", stride), ("offset", offset))}
            sides = (side / factor for side, factor in zip(scene.shape[::-1], scene.factor_xy, strict=True))
            target.update_tags(**lengths, size=" ".join(f"{side:.12g}" for side in sides), classes=", ".join(names))
            for band, name in enumerate(names, start=1):
                target.set_band_description(band, name)
        _add_overviews(plain, max(height, width), block_side(len(names)))
        _copy_ordered(plain, part, profile)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a path beside another for a file that is removed in the end, also by the next run after a kill."""
    plain = path.with_name(part_name())
    try:
        yield plain
    finally:
        plain.unlink(missing_ok=True)


def _write_pieces(target: Any, pieces: Iterable[NDArray[np.float32]], hw: tuple[int, int], path: Path) -> None:
    """Write the pieces of a map of `hw` cells, from the top, left to right, and check that they fill it."""
    row = col = 0
    for piece in pieces:
        at = RasterWindow(col, row, piece.shape[2], piece.shape[1])
        target.write(piece.astype(np.float32, copy=False), window=at)
        col += piece.shape[2]
        if col >= hw[1]:
            row, col = row + piece.shape[1], 0
    if (row, col) != (hw[0], 0):
        raise ValueError(f"the pieces of the map {path} end at row {row} and column {col}, not at row {hw[0]}")


def _copy_ordered(source: Path, target: Path, profile: Mapping[str, Any]) -> None:
    """Copy a GeoTIFF with its overviews into the order of a cloud-optimised one, which GDAL marks (`LAYOUT=COG`).

    A map of so many bands that they lie one by one has the order and no mark: GDAL's is of bands pixel by pixel.
    """
    layout = {name: value for name, value in profile.items() if name in LAYOUT_OPTIONS}
    with open_dataset(source, driver="GTiff") as opened:
        rasterio.shutil.copy(opened, target, driver="GTiff", copy_src_overviews="yes", zlevel=MAP_LEVEL, **layout)


def block_side(bands: int) -> int:
    """Return the side in pixels of the blocks of a map of some bands: a power of two."""
    side = BLOCK_SIDE_PX
    while side > MIN_BLOCK_SIDE_PX and 4 * bands * side**2 > MAX_BLOCK_BYTES:
        side //= 2
    return side


def _map_profile(shape: tuple[int, int, int], scene: Scene, stride: int, offset: float) -> dict[str, Any]:
    """Return the rasterio profile of a map of `shape` (C, h, w), with a georeference where the scene has one.

    The block of a map smaller than a usual one is as small as it: compressing the rest cost more than all else of it.
    """
    least = max(MIN_BLOCK_SIDE_PX, 1 << (max(shape[1:]) - 1).bit_length())
    side = min(block_side(shape[0]), least)
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": shape[0],
        "height": shape[1],
        "width": shape[2],
        "tiled": True,
        "blockxsize": side,
        "blockysize": side,
        "interleave": "pixel" if block_side(shape[0]) == BLOCK_SIDE_PX else "band",
        "compress": "deflate",
        "predictor": 3,
        "bigtiff": "if_safer",
        "nodata": math.nan,
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


def read_tags(path: Path) -> Mapping[str, str]:
    """Read the tags of a raster (`stride`, `offset`, `size` and `classes` of a written map).

    Raises:
        SceneError: the file is missing or damaged.
    """
    with image_errors(path), gdal_options(), closing(open_image(path, MosaicRule())) as source:
        return dict(source.tags())


@dataclass(frozen=True, eq=False)
class HeatPreview:
    """A map of class probabilities, reduced and summed over the classes.

    Attributes:
        total: (h, w) float32, NaN counting as 0.
        cells: (rows, columns) of the whole map.
        tags: of the file.
    """

    total: NDArray[np.float32]
    cells: tuple[int, int]
    tags: Mapping[str, str]


def read_heat(path: Path, longest_side: int) -> HeatPreview:
    """Read a map that `write_map` wrote, reduced to at most `longest_side` cells, from a file that may not be one.

    Of a large map the smallest overview that is as large is read; what would have to be decoded is bounded. No other
    file is opened, such as overviews beside it.

    Raises:
        SceneError: it is not a GeoTIFF of float32, is damaged, or is larger than `MAX_HEAT_VALUES` without an overview.
    """
    with image_errors(path), gdal_options():
        with open_dataset(path, driver="GTiff") as whole:
            cells, tags = whole.shape, dict(whole.tags())
            fitting = [i for i, by in enumerate(whole.overviews(1)) if max(cells) / by >= longest_side]
        level: dict[str, Any] = {"overview_level": fitting[-1]} if fitting else {}
        with open_dataset(path, driver="GTiff", **level) as source:
            _check_heat(path, source)
            shrink = max(1.0, max(source.shape) / longest_side)
            shape = (max(1, round(source.height / shrink)), max(1, round(source.width / shrink)))
            total = np.zeros(shape, np.float32)
            for band in source.indexes:
                read = source.read(band, out_shape=shape, resampling=Resampling.average)
                total += np.nan_to_num(read, nan=0.0, posinf=1.0, neginf=0.0)
    return HeatPreview(total, cells, tags)


def _check_heat(path: Path, source: Any) -> None:
    """Check the type of a map's values, and how many are decoded to read it and to read one block."""
    if set(source.dtypes) != {"float32"}:
        raise SceneError(f"{path}: a heatmap holds float32, this file {', '.join(sorted(set(source.dtypes)))}")
    rows, cols = source.block_shapes[0]
    values = source.count * max(source.height * source.width, rows * cols)
    if values > MAX_HEAT_VALUES:
        raise SceneError(
            f"{path}: {source.count} bands of {source.height} x {source.width} without smaller overviews, and "
            f"{MAX_HEAT_VALUES:,} values are the most that is read"
        )

"""Writing stitched maps as GeoTIFFs, and reading rasters at a reduced size."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterWindow

from detect.imagery.files import replace_file
from detect.imagery.scenes import Scene, SceneError, check_bands, gdal_options, open_dataset

BLOCK_SIDE_PX = 256
"""Side in pixels of the blocks of a written GeoTIFF."""


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
    try:
        with gdal_options(), open_dataset(path) as source:
            shrink = max(1.0, max(source.shape) / longest_side)
            shape = (max(1, round(source.height / shrink)), max(1, round(source.width / shrink)))
            chosen = list(bands) if bands is not None else list(source.indexes)
            check_bands(path, source.count, chosen)
            return np.asarray(source.read(chosen, out_shape=(len(chosen), *shape), resampling=Resampling.average))
    except RasterioError as error:
        raise SceneError(f"{path}: damaged or unreadable ({error})") from error


def write_map(
    path: Path, strips: Iterable[NDArray[np.float32]], scene: Scene, stride: int, names: Sequence[str], offset: float
) -> None:
    """Write a stitched map, strip by strip, as a tiled, compressed GeoTIFF with overviews, whole or not at all.

    Format: float32, deflate with the floating point predictor; a band a class, named in its description. Cell (i, j)
    is the posterior at the pixel position `offset + stride * (j, i)` of the scene. Where the scene has a georeference,
    the map has one that puts the cell's centre at that position. The tags `stride` and `offset` are in pixels of the
    image file: one number, or two, for x and for y, where the image was resampled by unequal factors. Overviews are
    averages by 2, 4, 8, ... down to one block.

    Args:
        path: the file; its folder is made.
        strips: (C, rows, w) float32 each, in [0, 1], from the top; together ceil(height / stride) rows.
        scene: the source, for its size and georeference.
        stride: pixels of the scene per cell.
        names: C band names.
        offset: pixel position in the scene of the centre of cell 0, along both axes.

    Raises:
        ValueError: the strips' rows do not add up to the map's.
    """
    height, width = (-(-side // stride) for side in scene.shape)
    profile = _map_profile((len(names), height, width), scene, stride, offset)
    with replace_file(path) as part, gdal_options():
        with open_dataset(part, "w", **profile) as target:
            row = 0
            for strip in strips:
                target.write(strip.astype(np.float32, copy=False), window=RasterWindow(0, row, width, strip.shape[1]))
                row += strip.shape[1]
            if row != height:
                raise ValueError(f"the strips of the map {path} have {row} rows together, it needs {height}")
            lengths = {name: _file_length(value, scene) for name, value in (("stride", stride), ("offset", offset))}
            target.update_tags(**lengths, classes=", ".join(names))
            for band, name in enumerate(names, start=1):
                target.set_band_description(band, name)
        _add_overviews(part, max(height, width))


def _map_profile(shape: tuple[int, int, int], scene: Scene, stride: int, offset: float) -> dict[str, Any]:
    """Return the rasterio profile of a map of `shape` (C, h, w), with a georeference where the scene has one."""
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": shape[0],
        "height": shape[1],
        "width": shape[2],
        "tiled": True,
        "blockxsize": BLOCK_SIDE_PX,
        "blockysize": BLOCK_SIDE_PX,
        "compress": "deflate",
        "predictor": 3,
        "zlevel": 4,
        "bigtiff": "if_safer",
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


def _add_overviews(path: Path, longest_side: int) -> None:
    """Add overviews by 2, 4, 8, ... until the longer side (in pixels) fits into one block."""
    factors: list[int] = []
    while longest_side > BLOCK_SIDE_PX << len(factors):
        factors.append(2 << len(factors))
    if factors:
        with open_dataset(path, "r+") as target:
            target.build_overviews(factors, Resampling.average)


def read_tags(path: Path) -> Mapping[str, str]:
    """Read the tags of a raster (`stride`, `offset` and `classes` of a written map)."""
    with gdal_options(), open_dataset(path) as source:
        return dict(source.tags())

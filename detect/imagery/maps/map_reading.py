"""Reading written maps, and rasters at a reduced size."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling

from detect.imagery.claims import check_claim
from detect.imagery.gdal.datasets import bytes_of, open_dataset, open_image
from detect.imagery.gdal.drivers import SceneError, driver_of, image_errors
from detect.imagery.gdal.options import gdal_options
from detect.imagery.maps.map_kinds import MapKind, kind_of
from detect.imagery.mosaics import MosaicRule, current_rule
from detect.imagery.scenes import check_bands

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
        SceneError: it is not a GeoTIFF of a map's values, is damaged, or is larger than `MAX_HEAT_VALUES` without an
            overview.
    """
    with image_errors(path), gdal_options():
        with open_dataset(path, driver="GTiff") as whole:
            kind, cells, tags = _kind(path, whole), whole.shape, dict(whole.tags())
            fitting = [i for i, by in enumerate(whole.overviews(1)) if max(cells) / by >= longest_side]
        level: dict[str, Any] = {"overview_level": fitting[-1]} if fitting else {}
        with open_dataset(path, driver="GTiff", **level) as source:
            _check_heat(path, source)
            shrink = max(1.0, max(source.shape) / longest_side)
            shape = (max(1, round(source.height / shrink)), max(1, round(source.width / shrink)))
            total = np.zeros(shape, np.float32)
            for band in source.indexes:
                read = kind.probabilities(source.read(band, out_shape=shape, resampling=Resampling.average))
                total += np.nan_to_num(read, nan=0.0, posinf=1.0, neginf=0.0)
    return HeatPreview(total, cells, tags)


def read_kind(path: Path) -> MapKind | None:
    """Return how the values of a map are stored, by the head of its file; None of one that is no map, or damaged."""
    try:
        with image_errors(path), gdal_options(), open_dataset(path, driver="GTiff") as source:
            return _kind(path, source)
    except SceneError:
        return None


def _kind(path: Path, source: Any) -> MapKind:
    """Return how the values of an open map are stored."""
    try:
        return kind_of(set(source.dtypes), set(source.nodatavals), set(source.scales), set(source.offsets))
    except ValueError as error:
        raise SceneError(f"{path}: {error}") from error


def _check_heat(path: Path, source: Any) -> None:
    """Check how many values are decoded to read a map and to read one block."""
    rows, cols = source.block_shapes[0]
    values = source.count * max(source.height * source.width, rows * cols)
    if values > MAX_HEAT_VALUES:
        raise SceneError(
            f"{path}: {source.count} bands of {source.height} x {source.width} without smaller overviews, and "
            f"{MAX_HEAT_VALUES:,} values are the most that is read"
        )

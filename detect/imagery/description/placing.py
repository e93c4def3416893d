"""Where an image lies on the map: by its transform, ground control points or side files; or nowhere, told."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from detect.imagery.description.remarks import Remark
from detect.imagery.description.side_files import SideFileError, SidePlace, prj_crs, side_place

GREATEST_RESIDUAL = 0.02
"""Greatest distance, as a part of the image's longer side, of a ground control point from where a transform puts it."""

IDENTITY = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
"""GDAL's numbers of the transform of an image without one; comparing them costs a tenth of asking rasterio's."""

POINTS_UNUSED = "their ground control points are not used: no map coordinates are given"


@dataclass(frozen=True)
class Place:
    """Where an image lies on the map.

    Attributes:
        transform: (a, b, c, d, e, f) from pixels to map coordinates, None without one.
        crs: the coordinate system, None without one.
        remarks: what is told of how it was found.
    """

    transform: tuple[float, ...] | None
    crs: CRS | None
    remarks: tuple[Remark, ...] = ()


def has_no_transform(source: Any) -> bool:
    """Return whether the map coordinates of a rasterio dataset are those of its pixels, as without any."""
    return source.get_transform() == IDENTITY or bool(source.transform.is_identity)


def place_of(path: Path, source: Any, rpc: bool) -> Place:
    """Return where an image lies: as its `.aux.xml` says, else the file itself, else a world file with its `.prj`.

    That is GDAL's order. Ground control points are used where there is no transform, by the affine one nearest to them.

    Args:
        path: the image.
        source: its rasterio dataset, opened with the files beside it.
        rpc: whether the file has rational polynomial coefficients.
    """
    remarks: list[Remark] = []
    own_points, points_crs = source.gcps
    transform = None if has_no_transform(source) else tuple(source.transform)[:6]
    crs, points = source.crs, tuple(own_points)
    try:
        side = side_place(path) or SidePlace()
        if side.transform or side.points or side.crs:
            remarks.append(Remark("placed by a file beside them, .aux.xml"))
        transform, points = (side.transform or transform), (side.points or points)
        crs, points_crs = (side.crs or crs), (side.crs or points_crs)
        if crs is None and transform is not None:
            crs = prj_crs(path)
    except SideFileError as error:
        remarks.append(Remark("a file beside them that should say where they lie is not used", str(error), warns=True))
    if transform is None and points:
        transform, told = from_points(points, max(source.shape))
        remarks.append(told)
        crs = (crs or points_crs) if transform else crs
    if transform is None and rpc:
        kind = "a camera model (RPC) places them, which is not used: no map coordinates are given"
        remarks.append(Remark(kind, warns=True))
    if transform is None and source.crs is not None and not points and not rpc:
        transform = tuple(source.transform)[:6]
    return Place(transform, None if transform is None else crs, tuple(remarks))


def from_points(points: Sequence[GroundControlPoint], side: int) -> tuple[tuple[float, ...] | None, Remark]:
    """Return the affine transform that is nearest to ground control points by least squares, and what is told of it.

    Args:
        points: of one image.
        side: its longer side in pixels.

    Returns:
        (a, b, c, d, e, f), or None where the points do not give one: fewer than three, all on a line, or farther off
        than `GREATEST_RESIDUAL` of the side.
    """
    pixels = np.array([(point.col, point.row) for point in points], np.float64)
    ground = np.array([(point.x, point.y) for point in points], np.float64)
    if not (np.isfinite(pixels).all() and np.isfinite(ground).all()):
        return None, Remark(POINTS_UNUSED, "some are no numbers", warns=True)
    middle, there = pixels.mean(axis=0), ground.mean(axis=0)
    centred = pixels - middle
    found, _, _, spread = np.linalg.lstsq(centred, ground - there, rcond=None)
    if len(points) < 3 or len(spread) < 2 or spread[1] < 1e-6 * spread[0]:
        return None, Remark(POINTS_UNUSED, f"{len(points)} on a line, three off a line are needed", warns=True)
    (a, d), (b, e) = found
    if abs(a * e - b * d) < 1e-12 * (np.abs(found).max() ** 2 or 1.0):
        return None, Remark(POINTS_UNUSED, "they put the image on a line", warns=True)
    missed = np.hypot(*((ground - there - centred @ found) @ np.linalg.inv(found)).T)
    detail = f"{len(points)} points, off by {missed.max():.2g} pixels at most"
    if missed.max() > GREATEST_RESIDUAL * side:
        bound = f"more than {100 * GREATEST_RESIDUAL:g} % of the image; warp it first, with gdalwarp"
        return None, Remark(POINTS_UNUSED, f"{detail}, {bound}", warns=True)
    c, f = there - middle @ found
    return tuple(map(float, (a, b, c, d, e, f))), Remark("placed by ground control points, by least squares", detail)

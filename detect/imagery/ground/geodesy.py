"""Geodesy: from an image's pixels to map coordinates, to longitude and latitude, and to metres on the ground.

All of it is PROJ's, through pyproj. Longitude and latitude are WGS 84 (EPSG:4326) in degrees, longitude first, as in
GeoJSON (RFC 7946). Distances are measured on the ellipsoid, so that feet, degrees and the stretch of a projection (Web
Mercator doubles lengths at 60 degrees) are accounted for.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from detect.imagery.scenes import Scene

logger = logging.getLogger(__name__)

WGS84 = "EPSG:4326"
"""Of longitude and latitude in every file that is written."""

MOST_WKT = 1 << 16
"""Most characters of a coordinate system's text that PROJ is given; the longest of EPSG's have about 10,000."""

SAMPLES = 9
"""The pixels' area is averaged over as many places along each side of an image: exact to 1e-6 over several degrees."""

SQUARE_METRES_PER_HECTARE = 10_000.0

_GRID_FILES = re.compile(r'PARAMETERFILE\["[^"]*",\s*"([^"]*)"|\+(?:nad|geoid)grids=([^\s"]*)', re.IGNORECASE)


class GeodesyError(ValueError):
    """A coordinate system from which nothing can be transformed; the message says why."""


@dataclass(frozen=True)
class Placement:
    """Where an image lies on a map.

    Attributes:
        transform: affine coefficients (a, b, c, d, e, f) from the file's pixels to map coordinates: x = a col + b row +
            c, y = d col + e row + f, where pixel i spans [i, i + 1).
        crs: coordinate reference system as WKT; None where the file names none.
    """

    transform: tuple[float, ...]
    crs: str | None

    def map_xy(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the map coordinates (..., 2) of places in pixels of the file (..., 2)."""
        a, b, c, d, e, f = self.transform[:6]
        return np.asarray(xy, np.float64) @ np.array([[a, d], [b, e]]) + np.array([c, f])

    def pixel_xy(self, map_xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places in pixels of the file (..., 2) of map coordinates (..., 2).

        Raises:
            GeodesyError: the transform maps the image onto a line.
        """
        a, b, c, d, e, f = self.transform[:6]
        try:
            back = np.linalg.inv(np.array([[a, d], [b, e]]))
        except np.linalg.LinAlgError as error:
            raise GeodesyError(f"the georeference {self.transform} maps an image onto a line") from error
        return (np.asarray(map_xy, np.float64) - np.array([c, f])) @ back

    def lonlat(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return longitude and latitude (..., 2) in degrees of places in pixels of the file (..., 2).

        NaN where a place is outside of what its coordinate system covers.

        Raises:
            GeodesyError: no coordinate system, or one that is not on the earth.
        """
        placed = self.map_xy(xy)
        with _told(self.crs):
            lon, lat = _to_wgs84(_known(self.crs)).transform(placed[..., 0], placed[..., 1], errcheck=False)
        found = np.stack([np.asarray(lon, np.float64), np.asarray(lat, np.float64)], axis=-1)
        return np.where(np.isfinite(found).all(axis=-1, keepdims=True), found, np.nan)

    def pixel_sides_m(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the metres on the ground (N, 2) that a pixel spans at each place (N, 2), along x and along y.

        Raises:
            GeodesyError: as for `lonlat`; a local coordinate system in a known unit of length has metres.
        """
        across, down = self._edges(xy)
        return np.stack([across[0], down[0]], axis=-1)

    def pixel_areas_m2(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the square metres on the ground (N,) of a pixel at each place (N, 2), rotated and sheared ones too.

        Raises:
            GeodesyError: as for `pixel_sides_m`.
        """
        across, down = self._edges(xy)
        return np.abs(across[0] * down[0] * np.sin(across[1] - down[1]))

    def _edges(self, xy: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return length in metres and direction in radians, (2, N), of a pixel's sides along x and along y."""
        places = np.asarray(xy, np.float64).reshape(-1, 2)
        steps = np.array([[0.5, 0.0], [0.0, 0.5]])
        unit = _local_unit_m(_known(self.crs))
        sides = []
        for step in steps:
            if unit is not None:
                vector = (self.map_xy(places + step) - self.map_xy(places - step)) * unit
                sides.append(np.stack([np.hypot(*vector.T), np.arctan2(*vector.T)]))
                continue
            from pyproj import Geod

            start, end = self.lonlat(places - step), self.lonlat(places + step)
            azimuth, _, length = Geod(ellps="WGS84").inv(*start.T, *end.T)
            sides.append(np.stack([np.asarray(length), np.radians(azimuth)]))
        return sides[0], sides[1]


def placement_of(scene: "Scene") -> Placement | None:
    """Return where a scene's file lies on a map; None without a georeference."""
    return None if scene.transform is None else Placement(tuple(scene.transform[:6]), scene.crs)


def hectares(placement: Placement | None, shape: tuple[int, int], pixels: int) -> float | None:
    """Return the hectares on the ground of a number of pixels of an image; None where they are not known.

    Args:
        placement: of the image; None without a georeference.
        shape: (height, width) of the image file in pixels; a pixel has the mean area over it.
        pixels: how many of them, such as those that are valid.
    """
    if placement is None or placement.crs is None:
        return None
    rows, cols = (np.arange(0.5, SAMPLES) / SAMPLES * side for side in shape)
    places = np.stack(np.meshgrid(cols, rows), axis=-1).reshape(-1, 2)
    try:
        areas = placement.pixel_areas_m2(places)
    except GeodesyError as error:
        logger.info("the area is not known: %s", error)
        return None
    area = float(np.mean(areas[np.isfinite(areas)])) if np.isfinite(areas).any() else 0.0
    return pixels * area / SQUARE_METRES_PER_HECTARE if area > 0 else None


def _known(crs: str | None) -> str:
    if crs is None:
        raise GeodesyError("the georeference names no coordinate system")
    return crs


@contextmanager
def _told(crs: str | None) -> Iterator[None]:
    """Raise what PROJ raises as an error that names the coordinate system."""
    from pyproj.exceptions import ProjError

    try:
        yield
    except ProjError as error:
        raise GeodesyError(f"the coordinate system {_short(crs)} has no longitude and latitude ({error})") from error


def _short(crs: str | None) -> str:
    """Return the name of a coordinate system, the first text of its WKT."""
    found = re.search(r'"([^"]*)"', crs or "")
    return repr(found[1][:60]) if found else repr((crs or "")[:60])


@lru_cache(maxsize=64)
def read_crs(wkt: str) -> Any:
    """Return a coordinate system as pyproj has it.

    Raises:
        GeodesyError: it cannot be read, is longer than `MOST_WKT`, or names a file by a path: no file of this machine
            is opened because an image says so.
    """
    from pyproj import CRS

    if len(wkt) > MOST_WKT:
        raise GeodesyError(f"the coordinate system has {len(wkt):,} characters, {MOST_WKT:,} are the most")
    files = ["".join(found) for found in _GRID_FILES.findall(wkt)]
    if any(mark in file for file in files for mark in "/\\:"):
        raise GeodesyError(f"the coordinate system {_short(wkt)} names the file {files[0][:60]!r}, which is not opened")
    with _told(wkt):
        return CRS.from_user_input(wkt)


@lru_cache(maxsize=64)
def _to_wgs84(wkt: str) -> Any:
    """Return pyproj's transformer from a coordinate system to longitude and latitude."""
    return crs_transformer(wkt, WGS84)


def crs_transformer(source: str, target: str) -> Any:
    """Return pyproj's transformer between two coordinate systems (WKT or `EPSG:...`); x or longitude comes first.

    Raises:
        GeodesyError: one cannot be read, or there is no way between them.
    """
    from pyproj import Transformer

    with _told(source):
        return Transformer.from_crs(read_crs(source), read_crs(target), always_xy=True)


@lru_cache(maxsize=64)
def _local_unit_m(wkt: str) -> float | None:
    """Return the metres of a local coordinate system's unit; None for one on the earth."""
    crs = read_crs(wkt)
    if not crs.is_engineering:
        return None
    axes = crs.axis_info
    return float(axes[0].unit_conversion_factor) if axes else 1.0

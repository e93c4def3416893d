"""Rasters that features lie on, and the places of features in their pixels.

A layer's coordinates are read in the first of these ways that fits a raster: in the coordinate system that the layer
names; in the raster's, where the layer names none; as the raster's pixels, y down from the top or negative, as
programs of maps write them for images without a georeference.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.ground.geodesy import GeodesyError, Placement, crs_transformer, placement_of, read_crs
from detect.imagery.ground.vector_files import WGS84, VectorLayer
from detect.imagery.scenes import Scene
from detect.labels.vectors.map_objects import Features

Turn = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Returns places (N, 2) in other coordinates."""

_LONLAT = np.array([180.0, 90.0])


@dataclass(frozen=True)
class Raster:
    """An image below the data folder.

    Attributes:
        name: its path below the data folder.
        path: the file.
        shape: (height, width) in pixels.
        placement: where it lies on a map; None without a georeference.
    """

    name: str
    path: Path
    shape: tuple[int, int]
    placement: Placement | None

    @classmethod
    def of(cls, name: str, scene: Scene) -> "Raster":
        """Return the raster that a scene is."""
        return cls(name, scene.path, scene.shape, placement_of(scene))

    @property
    def corners(self) -> NDArray[np.float64]:
        """(4, 2) corners in pixels."""
        height, width = self.shape
        return np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])


@dataclass
class Projected:
    """The features of a layer in the coordinate systems of rasters, each of which they are transformed to once."""

    features: Features
    _shapes: dict[str | None, NDArray[np.object_]] = field(default_factory=dict)
    _trees: dict[str | None, Any] = field(default_factory=dict)

    def shapes(self, crs: str | None) -> NDArray[np.object_]:
        """Return the shapes in a coordinate system; None for the layer's own coordinates as they are.

        Raises:
            GeodesyError: there is no way to it from the layer's.
        """
        import shapely

        if crs not in self._shapes:
            own = self.features.layer.crs
            if crs is None or own is None or crs == own:
                self._shapes[crs] = self.features.shapes
            else:
                way = crs_transformer(own, crs)
                moved = shapely.transform(
                    self.features.shapes, lambda xy: np.stack(way.transform(xy[:, 0], xy[:, 1], errcheck=False), axis=1)
                )
                self._shapes[crs] = np.asarray(moved, object)
        return self._shapes[crs]

    def near(self, crs: str | None, corners: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the features, ascending, whose bounding box in a coordinate system meets that of some corners."""
        import shapely

        if crs not in self._trees:
            bounds = shapely.bounds(self.shapes(crs))
            finite = np.flatnonzero(np.isfinite(bounds).all(axis=1))
            self._trees[crs] = finite, shapely.STRtree(shapely.box(*bounds[finite].T))
        finite, tree = self._trees[crs]
        low, high = corners.min(axis=0), corners.max(axis=0)
        return np.sort(finite[tree.query(shapely.box(*low, *high))])

    @property
    def may_be_lonlat(self) -> bool:
        """Whether all coordinates can be longitude and latitude."""
        import shapely

        xy = shapely.get_coordinates(self.features.shapes)
        return bool((np.abs(xy) <= _LONLAT + 1e-9).all())


@dataclass(frozen=True)
class Reading:
    """A way in which a layer's coordinates may be meant.

    Attributes:
        told: what to tell of it; empty for the layer's own coordinate system.
        crs: the coordinate system that shapes are transformed to; None for their coordinates as they are.
        to_pixels: from there to pixels of the raster, (N, 2) to (N, 2).
        from_pixels: back.
    """

    told: str
    crs: str | None
    to_pixels: Turn
    from_pixels: Turn


@dataclass(frozen=True, eq=False)
class Located:
    """Features on a raster.

    Attributes:
        index: (K,) positions in the features, ascending.
        numbers: (K, 2) points or (K, 4) boxes, in the raster's pixels.
        told: what to tell of the way in which coordinates were read.
    """

    index: NDArray[np.intp]
    numbers: NDArray[np.float64]
    told: str


def locate(
    projected: Projected, raster: Raster, named: NDArray[np.intp] | None = None, *, alone: bool = False
) -> Located | None:
    """Return the features that lie on a raster, in its pixels; of a polygon its box.

    Args:
        projected: the features.
        raster: the raster.
        named: positions of the features that the layer says are on it, wherever they lie; None to look for them.
        alone: whether there is no other raster, so that coordinates may be its pixels.

    Returns:
        The features, none where the raster is among them and holds none; None where they lie elsewhere.

    Raises:
        GeodesyError: no way of reading the coordinates fits the raster on which the layer says that they are.
    """
    beside: Located | None = None
    for reading in _readings(projected, raster, alone or named is not None):
        found = _read_as(projected, raster, reading, named)
        if found is not None and (named is not None or len(found.index)):
            return found
        beside = beside or found
    if named is not None and len(named):
        system = "none" if projected.features.layer.crs is None else short_crs(projected.features.layer.crs)
        raise GeodesyError(
            f"most features are not on {raster.name}, of {raster.shape[1]} x {raster.shape[0]} pixels "
            f"{'with' if raster.placement else 'without'} a georeference; the layer's coordinate system is {system}"
        )
    return beside


def _readings(projected: Projected, raster: Raster, may_be_pixels: bool) -> Iterator[Reading]:
    """Yield the ways in which a layer's coordinates may be meant, the surest first."""
    layer, placed = projected.features.layer, raster.placement
    lonlat = _is_lonlat_by_default(layer)
    named = layer.crs is not None and not read_crs(layer.crs).is_engineering and not lonlat
    if placed is not None and placed.crs is not None and (named or (lonlat and projected.may_be_lonlat)):
        yield Reading("", placed.crs, placed.pixel_xy, placed.map_xy)
    if placed is not None and (not named or placed.crs is None):
        what = "coordinates are read in the coordinate system of the image, as one of the two names none"
        yield Reading(what, None, placed.pixel_xy, placed.map_xy)
    degrees = lonlat and projected.may_be_lonlat and _is_wider(raster.shape)
    if may_be_pixels and not named and not degrees:
        yield Reading("coordinates are read as pixels", None, lambda xy: xy, lambda xy: xy)
        yield Reading("coordinates are read as pixels, y negative downwards", None, _flipped, _flipped)


def _is_lonlat_by_default(layer: VectorLayer) -> bool:
    """Return whether a layer is in longitude and latitude as GeoJSON is that says nothing else."""
    return layer.crs is not None and layer.crs == read_crs(WGS84).to_wkt()


def _is_wider(shape: tuple[int, int]) -> bool:
    """Return whether an image has more pixels than degrees have values, so that a place may be either in a corner."""
    return shape[1] > _LONLAT[0] or shape[0] > _LONLAT[1]


def _flipped(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return places with y in the other direction."""
    return xy * np.array([1.0, -1.0])


def _read_as(projected: Projected, raster: Raster, reading: Reading, named: NDArray[np.intp] | None) -> Located | None:
    """Return the features on a raster by one way of reading; None where most of those named, or all, lie elsewhere."""
    import shapely

    try:
        shapes = projected.shapes(reading.crs)
        corners = reading.from_pixels(raster.corners)
    except GeodesyError:
        return None
    if named is None and not _overlap(shapely.total_bounds(shapes), corners):
        return None
    index = projected.near(reading.crs, corners) if named is None else named
    numbers = _numbers(shapes[index], reading, projected.features.boxes)
    meets = _meets(numbers, raster.shape)
    if named is not None:
        return Located(index, numbers, reading.told) if 2 * meets.sum() > len(meets) or not len(meets) else None
    return Located(index[meets], numbers[meets], reading.told)


def _numbers(shapes: NDArray[np.object_], reading: Reading, boxes: bool) -> NDArray[np.float64]:
    """Return the points (N, 2), or the boxes (N, 4) around polygons, in pixels of the raster."""
    import shapely

    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    places = np.asarray(reading.to_pixels(xy), np.float64).reshape(-1, 2)
    if not boxes:
        return places
    low, high = np.full((len(shapes), 2), np.inf), np.full((len(shapes), 2), -np.inf)
    np.minimum.at(low, owner, places)
    np.maximum.at(high, owner, places)
    return np.concatenate([low, high], axis=1)


def _meets(numbers: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the points (N, 2) or boxes (N, 4) that meet an image."""
    sides = np.array(shape[::-1], np.float64)
    return np.asarray(((numbers[:, -2:] >= 0) & (numbers[:, :2] <= sides)).all(axis=1))


def _overlap(bounds: NDArray[np.float64], corners: NDArray[np.float64]) -> bool:
    """Return whether bounds x1, y1, x2, y2 meet the box around corners (4, 2)."""
    return bool((bounds[:2] <= corners.max(axis=0)).all() and (bounds[2:] >= corners.min(axis=0)).all())


def short_crs(wkt: str) -> str:
    """Return the name of a coordinate system, the first text of its WKT."""
    parts = wkt.split('"')
    return parts[1][:60] if len(parts) > 1 else wkt[:60]

"""Polygons in which is counted, such as survey plots or a wafer's edge, and those that are cut out of them."""

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.ground.geodesy import read_crs
from detect.imagery.ground.vector_files import VectorError, VectorLayer, read_vectors

logger = logging.getLogger(__name__)

NAME_COLUMNS = ("name", "area", "plot", "label", "title", "id", "plot_id", "fid")
"""Columns of a polygon's name; of several the first that is there, in any case."""

EXCLUDE_COLUMNS, KIND_COLUMNS, IMAGE_COLUMNS = ("exclude",), ("kind", "type"), ("image", "image_path", "filename")
"""Columns by which a polygon is cut out, or belongs to one image."""

YES, NO = ("true", "1", "1.0", "yes", "y", "t"), ("false", "0", "0.0", "no", "n", "f", "")
"""Values of a column `exclude`."""

EXCLUSIONS = ("exclude", "excluded", "exclusion")
"""Values of a column `kind` by which a polygon is cut out."""

GREATEST_LONGITUDE, GREATEST_LATITUDE = 360.0, 90.0
"""In degrees; some count longitudes from 0 to 360."""

ELSEWHERE = "everywhere else"
"""The name of what is counted where a file has nothing but zones to cut out."""


@dataclass(frozen=True, eq=False)
class Area:
    """A polygon of a file.

    Attributes:
        name: its own in the file, or its number there.
        outline: a shapely polygon or multipolygon, valid, in the file's coordinates; None for all that is in no zone.
        image: the only image that it is of, by its name; None for all.
    """

    name: str
    outline: Any
    image: str | None


@dataclass(frozen=True, eq=False)
class Areas:
    """The polygons in which is counted.

    Attributes:
        path: of their file.
        crs: coordinate reference system as WKT; None where coordinates are pixels of image files, y down.
        areas: in the file's order; names differ.
        zones: what is cut out of them.
        layer: of the file, where it was named.
    """

    path: Path
    crs: str | None
    areas: tuple[Area, ...]
    zones: tuple[Area, ...]
    layer: str | None = None

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all that decides what is counted, in whichever file it is written."""
        import shapely

        content = hashlib.sha256(repr((self.crs, len(self.areas))).encode())
        for each in (*self.areas, *self.zones):
            content.update(repr((each.name, each.image)).encode())
            content.update(b"" if each.outline is None else shapely.to_wkb(each.outline))
        return content.hexdigest()

    @cached_property
    def area_tree(self) -> Any:
        """A shapely tree of the areas' outlines."""
        import shapely

        return shapely.STRtree([each.outline for each in self.areas])

    @cached_property
    def zone_tree(self) -> Any:
        """A shapely tree of the zones' outlines."""
        import shapely

        return shapely.STRtree([each.outline for each in self.zones])

    def of_images(self, images: Mapping[str, str]) -> "Areas":
        """Return the polygons with the images' names of a run.

        Args:
            images: name in the run by the name in the file; polygons of images that are not in it stay as they are.
        """
        areas, zones = (
            tuple(replace(each, image=images.get(each.image or "", each.image)) for each in some)
            for some in (self.areas, self.zones)
        )
        return replace(self, areas=areas, zones=zones)


def read_areas(path: Path, layer: str | None) -> Areas:
    """Read polygons from a GeoPackage, GeoJSON or shapefile; lines and points among them are passed over and told.

    A polygon is cut out with `exclude` = true, yes or 1, or `kind` = exclude. Coordinates are pixels where the file
    names no coordinate system, or an image for each polygon and coordinates that are no longitudes and latitudes where
    it says these (GeoJSON always does).

    Args:
        path: the file.
        layer: of a GeoPackage; None for its only one with geometries.

    Raises:
        FileNotFoundError: no such file.
        VectorError: it cannot be read, has no polygon, or a column `exclude` has another value than yes or no.
    """
    found = read_vectors(path, layer)
    outlines = _outlines(found)
    kept = np.flatnonzero([each is not None for each in outlines])
    if not len(kept):
        raise VectorError(f"{path}: no polygon in it")
    images = [_text(each) or None for each in _column(found, IMAGE_COLUMNS)]
    in_pixels = found.crs is None or (all(images[i] for i in kept) and _beyond_degrees(found.crs, outlines))
    excluded = _excluded(found)
    made = [
        Area(name, outlines[i], images[i] if in_pixels else None)
        for i, name in zip(kept, _names(found, kept), strict=True)
    ]
    areas = tuple(each for i, each in zip(kept, made, strict=True) if not excluded[i])
    zones = tuple(each for i, each in zip(kept, made, strict=True) if excluded[i])
    return Areas(path, None if in_pixels else found.crs, areas or (Area(ELSEWHERE, None, None),), zones, layer)


def _beyond_degrees(crs: str, outlines: list[Any]) -> bool:
    """Return whether coordinates that are called longitude and latitude cannot be such."""
    import shapely

    if not read_crs(crs).is_geographic:
        return False
    x, y = np.abs(shapely.get_coordinates(outlines)).T
    return bool(x.max() > GREATEST_LONGITUDE or y.max() > GREATEST_LATITUDE)


def _outlines(found: VectorLayer) -> list[Any]:
    """Return the valid polygon or multipolygon of each feature, None where there is none; both are told."""
    import shapely

    outlines: list[Any] = []
    mended, passed = [], []
    for number, geometry in enumerate(found.geometries, start=1):
        valid = geometry if geometry is None or geometry.is_valid else shapely.make_valid(geometry)
        outline = None if valid is None else polygons_of(valid)
        if outline is None:
            passed.append(number)
        elif valid is not geometry:
            mended.append(number)
        outlines.append(outline)
    if mended:
        logger.warning("%s: %s cross themselves, and were split where they do", found.path, _features(mended))
    if passed:
        logger.warning("%s: %s are no polygons, and are passed over", found.path, _features(passed))
    return outlines


def polygons_of(geometry: Any) -> Any:
    """Return the polygons of a shapely geometry as one geometry, without its points and lines; None where it has none.

    Args:
        geometry: of any kind.
    """
    import shapely

    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return None if geometry.is_empty else geometry
    if geometry.geom_type != "GeometryCollection":
        return None
    parts = [each for part in shapely.get_parts(geometry) if (each := polygons_of(part)) is not None]
    return shapely.union_all(parts) if parts else None


def _features(numbers: list[int]) -> str:
    """Return some features of a file in words."""
    shown = ", ".join(map(str, numbers[:5]))
    return f"{len(numbers)} features (number {shown}{', ...' if len(numbers) > 5 else ''})"


def _names(found: VectorLayer, kept: NDArray[np.intp]) -> list[str]:
    """Return the names of features; the number in the file is added to those that occur twice, or is the name."""
    values = _column(found, NAME_COLUMNS)
    names = [_text(values[i]) or f"feature {i + 1}" for i in kept]
    times = Counter(names)
    twice = sorted(name for name, number in times.items() if number > 1)
    if twice:
        shown = ", ".join(twice[:3])
        logger.info(
            "%s: %d names occur more than once (%s): the feature's number is added", found.path, len(twice), shown
        )
    return [f"{name} (feature {i + 1})" if times[name] > 1 else name for name, i in zip(names, kept, strict=True)]


def _excluded(found: VectorLayer) -> NDArray[np.bool_]:
    """Mark the features that are cut out."""
    excluded = np.zeros(len(found.geometries), bool)
    for number, value in enumerate(_column(found, EXCLUDE_COLUMNS)):
        text = _text(value).casefold()
        if text not in (*YES, *NO):
            raise VectorError(
                f"{found.path}: feature {number + 1} has exclude={text[:40]!r}, which must be true or false"
            )
        excluded[number] = text in YES
    kinds = [_text(value).casefold() for value in _column(found, KIND_COLUMNS)]
    return excluded | np.isin(np.array(kinds, str), EXCLUSIONS)


def _column(found: VectorLayer, names: tuple[str, ...]) -> NDArray[np.object_]:
    values = found.column(names)
    return np.full(len(found.geometries), None, object) if values is None else values


def _text(value: Any) -> str:
    """Return an attribute as text, on one line; empty for none. A whole number has no decimals."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return " ".join("".join(each if each.isprintable() else " " for each in str(value)).split())

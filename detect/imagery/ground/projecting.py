"""Outlines of polygons on an image: from the coordinates of their file to the image's pixels, edges included."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.ground.geodesy import SAMPLES, GeodesyError, Placement, crs_transformer
from detect.imagery.ground.polygons import Areas, polygons_of

DEVIATION_PX = 0.05
"""Greatest distance in pixels of a projected edge from what is drawn of it; an edge is straight in its own file."""

MOST_ROUNDS, MOST_VERTICES = 12, 5_000_000
"""Rounds in which edges are cut shorter, and most vertices of a polygon that come of it."""

GRID, MARGIN = 17, 0.05
"""Places along each side of an image by which its region on another map is found, and what is added around that."""

Projection = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Maps places (N, 2) to places (N, 2)."""

Outlines = list[tuple[int, Any]]
"""Positions of areas, ascending, each with its outline on an image, in the file's pixels."""


def outlines_on(areas: Areas, image: str, placement: Placement | None, shape: tuple[int, int]) -> Outlines:
    """Return the areas that meet an image, in its file's pixels, without the zones that are cut out.

    Args:
        areas: the polygons.
        image: the name of the image.
        placement: where it lies on the map; None without a georeference.
        shape: (height, width) of the image file in pixels.

    Returns:
        Outlines reach beyond the image where the areas do, but not far.

    Raises:
        GeodesyError: the areas are on a map, and the image has no place on one; or no way leads to its map.
    """
    import shapely

    frame = shapely.box(0, 0, shape[1], shape[0])
    found = list(_near(areas, image, placement, shape, zones=False))
    if areas.areas[0].outline is None:
        found = [(0, frame)]
    met = [(number, outline) for number, outline in found if shapely.intersection(outline, frame).area > 0]
    zones = [outline for _, outline in _near(areas, image, placement, shape, zones=True)] if met else []
    if zones:
        cut = shapely.union_all(zones)
        parts = ((number, polygons_of(shapely.difference(outline, cut))) for number, outline in met)
        met = [(number, outline) for number, outline in parts if outline is not None]
    return met


def _near(
    areas: Areas, image: str, placement: Placement | None, shape: tuple[int, int], zones: bool
) -> Iterator[tuple[int, Any]]:
    """Yield the areas, or zones, that may meet an image, in its pixels."""
    import shapely

    some = areas.zones if zones else areas.areas
    if areas.crs is None:
        yield from ((i, each.outline) for i, each in enumerate(some) if each.outline and each.image in (None, image))
        return
    if placement is None or placement.crs is None:
        missing = "georeference" if placement is None else "coordinate system"
        raise GeodesyError(
            f"the image has no {missing}, and the polygons of {areas.path} are on a map; give it one, or name the "
            "image in a column `image` of polygons in pixels, in a file without a coordinate system"
        )
    there, back = transformer(areas.crs, placement.crs), transformer(placement.crs, areas.crs)
    region = _region(placement, shape, back)
    if region is None or not some or some[0].outline is None:
        return
    tree = areas.zone_tree if zones else areas.area_tree
    for number in sorted(tree.query(region).tolist()):
        whole = some[number].outline
        near = whole if shapely.covers(region, whole) else polygons_of(shapely.intersection(whole, region))
        if near is not None:
            yield number, projected(near, lambda xy: placement.pixel_xy(there(xy)))


def _region(placement: Placement, shape: tuple[int, int], to_map: Projection) -> Any:
    """Return the box around an image, and a little more, on another map; None where no part of it is there."""
    import shapely

    rows, cols = (np.linspace(0, side, GRID) for side in shape)
    places = to_map(placement.map_xy(np.stack(np.meshgrid(cols, rows), axis=-1).reshape(-1, 2)))
    places = places[np.isfinite(places).all(axis=1)]
    if not len(places):
        return None
    low, high = places.min(axis=0), places.max(axis=0)
    more = MARGIN * float((high - low).max())
    return shapely.box(*(low - more), *(high + more))


@lru_cache(maxsize=64)
def transformer(source: str, target: str) -> Projection:
    """Return what maps places (N, 2) of one coordinate system to another, x first; infinite where there is no place.

    Raises:
        GeodesyError: there is no way between the two.
    """
    way = crs_transformer(source, target)

    def to_target(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = way.transform(xy[:, 0], xy[:, 1], errcheck=False)
        return np.stack([np.asarray(x, np.float64), np.asarray(y, np.float64)], axis=1)

    return to_target


def projected(outline: Any, projection: Projection) -> Any:
    """Return a shapely polygon in other coordinates, with vertices where a straight edge becomes a bent one.

    Raises:
        GeodesyError: a part of it has no place there, or it needs more than `MOST_VERTICES`.
    """
    import shapely

    dense, length = outline, float("inf")
    for _ in range(MOST_ROUNDS):
        bend = _bend(dense, projection)
        if bend <= DEVIATION_PX:
            break
        x1, y1, x2, y2 = outline.bounds
        length = min(length, max(x2 - x1, y2 - y1)) * min(0.5, max(1 / 16, 0.9 * (DEVIATION_PX / bend) ** 0.5))
        if outline.length / length > MOST_VERTICES:
            raise GeodesyError(f"a polygon's edges are too long to be drawn on this image ({MOST_VERTICES:,} vertices)")
        dense = shapely.segmentize(outline, length)
    made = shapely.transform(dense, projection)
    if not np.isfinite(shapely.get_coordinates(made)).all():
        raise GeodesyError("a polygon near the image has no place in the image's coordinate system")
    return made if made.is_valid else polygons_of(shapely.make_valid(made)) or shapely.Polygon()


def _bend(outline: Any, projection: Projection) -> float:
    """Return the greatest distance between the projected edges and straight ones, at three places of each edge."""
    import shapely

    xy, ring = shapely.get_coordinates(shapely.get_rings(outline), return_index=True)
    start, end = xy[:-1][ring[1:] == ring[:-1]], xy[1:][ring[1:] == ring[:-1]]
    first, last = projection(start), projection(end)
    furthest = 0.0
    for share in (0.25, 0.5, 0.75):
        away = projection(start + share * (end - start)) - (first + share * (last - first))
        distance = np.hypot(*away.T)
        furthest = max(furthest, float(distance[np.isfinite(distance)].max(initial=0.0)))
    return furthest


def square_metres(outline: Any, placement: Placement | None) -> float | None:
    """Return the area on the ground of a polygon in an image's pixels; None where it is not known.

    A pixel has the mean area over places in the polygon, as in `geodesy.hectares`.
    """
    import shapely

    if placement is None or placement.crs is None:
        return None
    if outline.is_empty:
        return 0.0
    x1, y1, x2, y2 = outline.bounds
    steps = np.arange(0.5, SAMPLES) / SAMPLES
    grid = np.stack(np.meshgrid(x1 + steps * (x2 - x1), y1 + steps * (y2 - y1)), axis=-1).reshape(-1, 2)
    inside = grid[shapely.contains_xy(outline, *grid.T)]
    middle = outline.representative_point()
    try:
        areas = placement.pixel_areas_m2(inside if len(inside) else np.array([[middle.x, middle.y]]))
    except GeodesyError:
        return None
    return float(outline.area * areas.mean()) if np.isfinite(areas).all() and areas.mean() > 0 else None

"""Footprints: the ground that each image shows, and how much of it several show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.ground.geodesy import GeodesyError, Placement, crs_transformer, read_crs

EDGE_POINTS = 8
"""Places along the longer side of an image that its footprint is drawn through."""

EARTH = "earth"
"""What all coordinate systems on the earth have in common; a local one has none but itself."""

GEOGRAPHIC_3D, GEOCENTRIC = "EPSG:4979", "EPSG:4978"
"""WGS 84 as longitude, latitude and height, and as metres from the earth's centre."""

METRES_A_DEGREE = 111_320.0
"""Of latitude, about: a footprint's share of others does not depend on it."""


@dataclass(frozen=True)
class Footprint:
    """The ground of one image.

    Attributes:
        placement: where the image lies on a map.
        shape: (height, width) of the image file in pixels.
        shown: what of it has data, as a shapely geometry in pixels; None for all of it.
    """

    placement: Placement
    shape: tuple[int, int]
    shown: Any = None

    @property
    def world(self) -> str | None:
        """What images must have in common to be compared: the earth, or a local system; None where nothing is known."""
        if self.placement.crs is None:
            return None
        try:
            return self.placement.crs if read_crs(self.placement.crs).is_engineering else EARTH
        except GeodesyError:
            return None

    def metres(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places (N, 3) in metres of places (N, 2) in pixels: from the earth's centre, or in a local system.

        The straight distance of two of them is that on the ground to a millionth within kilometres, wherever they are:
        no zone of a projection ends. NaN where a place is not on the map.

        Raises:
            GeodesyError: there is no coordinate system.
        """
        if self.world != EARTH:
            unit = self.pixel_m / float(np.hypot(*np.array(self.placement.transform)[[0, 3]]))
            return np.pad(self.placement.map_xy(xy) * unit, ((0, 0), (0, 1)))
        lon, lat = self.placement.lonlat(xy).T
        way = crs_transformer(GEOGRAPHIC_3D, GEOCENTRIC)
        found = np.stack([np.asarray(each, np.float64) for each in way.transform(lon, lat, np.zeros(len(lon)))], axis=1)
        return np.where(np.isfinite(found).all(axis=1, keepdims=True), found, np.nan)

    @property
    def pixel_m(self) -> float:
        """Metres on the ground of a pixel's side in the middle of the image, the mean of both sides.

        Raises:
            GeodesyError: they are not known.
        """
        middle = np.array([[self.shape[1] / 2, self.shape[0] / 2]])
        sides = self.placement.pixel_sides_m(middle)
        if not np.isfinite(sides).all():
            raise GeodesyError("the middle of the image is not on its map")
        return float(sides.mean())

    def outline(self, part: Any = None) -> Any:
        """Return what the image shows, or a part of it, as a shapely geometry in pixels with vertices along its edges.

        Args:
            part: a geometry in pixels; None for all.
        """
        import shapely

        frame = shapely.box(0, 0, self.shape[1], self.shape[0])
        shown = frame if self.shown is None else self.shown
        return shapely.segmentize(shown if part is None else shown.intersection(part), max(self.shape) / EDGE_POINTS)


@dataclass(frozen=True)
class GroundPlane:
    """A plane in which ground is compared: areas in it have the right ratios within some hundred kilometres.

    Attributes:
        world: of the images that can be compared in it.
        middle: longitude and latitude in degrees about which it is drawn; not used of a local system.
    """

    world: str
    middle: tuple[float, float]

    def places(self, placement: Placement, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return places (N, 2) in about metres of places (N, 2) in pixels; NaN for those that are not on the map."""
        if self.world != EARTH:
            return placement.map_xy(xy)
        lonlat = placement.lonlat(xy)
        east = (lonlat[:, 0] - self.middle[0] + 180) % 360 - 180
        cosine = np.cos(np.radians(self.middle[1]))
        return METRES_A_DEGREE * np.stack([east * cosine, lonlat[:, 1] - self.middle[1]], axis=1)


def ground_planes(footprints: Mapping[str, Footprint]) -> dict[str, GroundPlane]:
    """Return the plane in which each image that has a place on the ground is compared with others, by its name."""
    planes: dict[str, GroundPlane] = {}
    found = {}
    for name, footprint in footprints.items():
        world = footprint.world
        if world is not None and world not in planes:
            first = footprint.placement.lonlat(np.zeros((1, 2)))[0] if world == EARTH else np.zeros(2)
            if np.isfinite(first).all():
                planes[world] = GroundPlane(world, (float(first[0]), float(first[1])))
        if world in planes:
            found[name] = planes[world]
    return found


def outline_in(plane: GroundPlane, footprint: Footprint, part: Any = None) -> Any:
    """Return what an image shows, or a part of it in pixels, in a plane; None where some of it is not on the map."""
    import shapely

    outline = footprint.outline(part)
    made = shapely.transform(outline, lambda xy: plane.places(footprint.placement, xy))
    if not np.isfinite(shapely.get_coordinates(made)).all():
        return None
    return made if made.is_valid else shapely.make_valid(made)


def ground_outlines(footprints: Mapping[str, Footprint]) -> dict[str, tuple[str, Any]]:
    """Return for each image that has a place on the ground its world and its outline there, a shapely geometry."""
    found = {
        name: (plane.world, outline_in(plane, footprints[name])) for name, plane in ground_planes(footprints).items()
    }
    return {name: (world, outline) for name, (world, outline) in found.items() if outline is not None}


def shared_ground(outlines: Sequence[tuple[str, Any]]) -> float:
    """Return the share, in [0, 1), of the ground that images show which another one shows again.

    Args:
        outlines: world and outline of each image, of `ground_outlines`.
    """
    import shapely

    shown = sum(float(outline.area) for _, outline in outlines)
    worlds = {world for world, _ in outlines}
    once = sum(float(shapely.union_all([each for its, each in outlines if its == world]).area) for world in worlds)
    return max(0.0, 1 - once / shown) if shown > 0 else 0.0

"""Resolution: at what size a network sees images, as a factor or as metres per pixel on the ground."""

import math
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform

from detect.imagery.resampling import Zoom
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.windows import Window

LARGEST = 32.0
"""Greatest factor by which images are enlarged or reduced; beyond, a unit is wrong."""

EQUATOR, FLATTENING = 6_378_137.0, 1 / 298.257223563
"""Radius in metres and flattening of the WGS 84 ellipsoid."""


@dataclass(frozen=True)
class Resolution:
    """At what size images are seen: resampled by a factor, or to a ground sample distance.

    Attributes:
        scale: pixels seen per pixel of the file; 1 takes images as they are.
        gsd: metres on the ground per pixel seen; every image is resampled from its own. None goes by `scale`.

    Raises:
        ValueError: not positive numbers, a factor beyond `LARGEST`, or both.
    """

    scale: float = 1.0
    gsd: float | None = None

    def __post_init__(self) -> None:
        if not 1 / LARGEST <= self.scale <= LARGEST:
            raise ValueError(f"data.scale must be in [1/{LARGEST:g}, {LARGEST:g}], got {self.scale}")
        if self.gsd is not None and not 0 < self.gsd < math.inf:
            raise ValueError(f"data.gsd must be a positive number of metres per pixel, got {self.gsd}")
        if self.gsd is not None and self.scale != 1:
            raise ValueError(f"data.gsd={self.gsd:g} decides the size of images; leave data.scale={self.scale:g} out")

    def seen(self, scene: Scene) -> Scene:
        """Give a scene as the network sees it: resampled, or the same where nothing is asked for.

        Raises:
            SceneError: with `gsd`, an image whose own is not known, or differs by more than a factor of `LARGEST`.
            ValueError: the scene is resampled already.
        """
        if scene.zoom is not None:
            raise ValueError(f"{scene.path}: the scene is resampled already")
        x, y = self._factor_xy(scene)
        shape = max(1, round(scene.shape[0] * y)), max(1, round(scene.shape[1] * x))
        if shape == scene.shape:
            return scene
        return replace(scene, shape=shape, origin=(0, 0), zoom=Zoom(Window(*scene.origin, *scene.shape), shape))

    def _factor_xy(self, scene: Scene) -> tuple[float, float]:
        if self.gsd is None:
            return self.scale, self.scale
        x, y = (own / self.gsd for own in ground_sample_distance(scene))
        if min(x, y) < 1 / LARGEST or max(x, y) > LARGEST:
            raise SceneError(
                f"{scene.path}: resampling to {self.gsd:g} metres a pixel would change its size by a factor of {x:.3g} "
                f"along x and {y:.3g} along y, and {LARGEST:g} is the most; are its georeference and "
                "data.gsd in the right unit?"
            )
        return x, y

    def __str__(self) -> str:
        return f"data.scale={self.scale:g}" if self.gsd is None else f"data.gsd={self.gsd:g}"


def ground_sample_distance(scene: Scene) -> tuple[float, float]:
    """Measure the metres on the ground that a pixel in the middle of a scene spans, along x and along y.

    The pixel's edges are taken to longitude and latitude, and from there to metres on the WGS 84 ellipsoid, so that
    degrees, feet and the stretch of a map's projection (Web Mercator's above all) come out right. A system that is tied
    to no place on the earth counts by its own unit.

    Raises:
        SceneError: no georeference, no coordinate system, or one that gives no distance.
    """
    if scene.transform is None or scene.crs is None:
        raise SceneError(
            f"{scene.path}: the image has no georeference with a coordinate system, so that its metres per pixel are "
            "not known; give it one, or train with data.scale, or without data.gsd"
        )
    row, col = scene.origin[0] + scene.shape[0] / 2, scene.origin[1] + scene.shape[1] / 2
    places = [(col - 0.5, row), (col + 0.5, row), (col, row - 0.5), (col, row + 0.5)]
    at = np.array([Affine(*scene.transform) @ place for place in places])
    try:
        crs = CRS.from_wkt(scene.crs)
        if crs.is_geographic or crs.is_projected:
            metres = _on_the_ground(*(np.array(each) for each in transform(crs, CRS.from_epsg(4326), *at.T)[:2]))
        else:
            metres = at * crs.units_factor[1]
    except Exception as error:  # GDAL's own are no RasterioError
        raise SceneError(f"{scene.path}: its coordinate system gives no metres per pixel ({error})") from error
    x, y = (float(np.hypot(*(metres[i + 1] - metres[i]))) for i in (0, 2))
    if not (0 < x < math.inf and 0 < y < math.inf):
        raise SceneError(f"{scene.path}: its georeference gives pixels of {x:g} x {y:g} metres")
    return x, y


def _on_the_ground(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Give metres (N, 2) east and north of the first of places a few metres apart, on the WGS 84 ellipsoid."""
    middle = math.radians(float(latitude.mean()))
    squared = FLATTENING * (2 - FLATTENING)
    bend = 1 - squared * math.sin(middle) ** 2
    north, east = EQUATOR * (1 - squared) / bend**1.5, EQUATOR / bend**0.5 * math.cos(middle)
    turned = (longitude - longitude[0] + 180) % 360 - 180
    return np.stack([np.radians(turned) * east, np.radians(latitude - latitude[0]) * north], axis=1)

"""Resolution: the size at which a network reads images, as a factor or as metres per pixel on the ground."""

import math
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform

from detect.imagery.claims import check_scene_size
from detect.imagery.resampling import LARGEST_FACTOR, Zoom
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.windows import Window

EQUATOR_RADIUS_M, FLATTENING = 6_378_137.0, 1 / 298.257223563
"""Radius at the equator in metres, and flattening, of the WGS 84 ellipsoid."""


@dataclass(frozen=True)
class Resolution:
    """The size at which images are read: resampled by a factor, or to a ground sample distance.

    Attributes:
        scale: pixels of the resampled image per pixel of the file, in [1/`LARGEST_FACTOR`, `LARGEST_FACTOR`]; 1 reads
            images unchanged.
        gsd: metres on the ground per pixel of the resampled image; every image is resampled from its own ground sample
            distance. None resamples by `scale`.

    Raises:
        ValueError: a number out of its range, or both `gsd` and a `scale` other than 1.
    """

    scale: float = 1.0
    gsd: float | None = None

    def __post_init__(self) -> None:
        if not 1 / LARGEST_FACTOR <= self.scale <= LARGEST_FACTOR:
            raise ValueError(f"data.scale must be in [1/{LARGEST_FACTOR:g}, {LARGEST_FACTOR:g}], got {self.scale}")
        if self.gsd is not None and not 0 < self.gsd < math.inf:
            raise ValueError(f"data.gsd must be a positive number of metres per pixel, got {self.gsd}")
        if self.gsd is not None and self.scale != 1:
            raise ValueError(f"data.gsd={self.gsd:g} sets the size of images; remove data.scale={self.scale:g}")

    def resampled(self, scene: Scene) -> Scene:
        """Return the scene at this resolution; the same scene if its size does not change.

        Raises:
            SceneError: with `gsd`, an image whose own ground sample distance is not known, or differs by more than
                `LARGEST_FACTOR`; or more pixels than the greatest scene.
            ValueError: the scene is resampled already.
        """
        if scene.zoom is not None:
            raise ValueError(f"{scene.path}: the scene is resampled already")
        x, y = self._factor_xy(scene)
        shape = max(1, round(scene.shape[0] * y)), max(1, round(scene.shape[1] * x))
        if shape == scene.shape:
            return scene
        check_scene_size(scene.path, shape)
        return replace(scene, shape=shape, origin=(0, 0), zoom=Zoom(Window(*scene.origin, *scene.shape), shape))

    def _factor_xy(self, scene: Scene) -> tuple[float, float]:
        """Return the factors of the scene's width and height."""
        if self.gsd is None:
            return self.scale, self.scale
        x, y = (own / self.gsd for own in ground_sample_distance(scene))
        if min(x, y) < 1 / LARGEST_FACTOR or max(x, y) > LARGEST_FACTOR:
            raise SceneError(
                f"{scene.path}: resampling to {self.gsd:g} metres a pixel would change its size by a factor of {x:.3g} "
                f"along x and {y:.3g} along y, and {LARGEST_FACTOR:g} is the largest factor; check that its "
                "georeference and data.gsd are in metres"
            )
        return x, y

    def __str__(self) -> str:
        return f"data.scale={self.scale:g}" if self.gsd is None else f"data.gsd={self.gsd:g}"


def squared(scene: Scene, side: int) -> Scene:
    """Return a whole scene resampled to a square, whatever its shape; the same scene if it is one already.

    Args:
        scene: in the file's own pixels.
        side: of the square in pixels.

    Raises:
        ValueError: the scene is resampled already.
    """
    if scene.zoom is not None:
        raise ValueError(f"{scene.path}: the scene is resampled already")
    shape = (side, side)
    if scene.shape == shape:
        return scene
    return replace(scene, shape=shape, origin=(0, 0), zoom=Zoom(Window(*scene.origin, *scene.shape), shape))


def rescaled(scene: Scene, factor: float) -> Scene:
    """Return a whole scene, of the file's own pixels or resampled ones, at a number of times its size.

    Raises:
        SceneError: more pixels than the greatest scene, or a factor from the file's pixels beyond `LARGEST_FACTOR`.
        ValueError: a part of a resampled scene.
    """
    source = Window(*scene.origin, *scene.shape) if scene.zoom is None else scene.zoom.source
    if scene.zoom is not None and (scene.origin, scene.shape) != ((0, 0), scene.zoom.shape):
        raise ValueError(f"{scene.path}: a part of a resampled scene cannot be resampled again")
    shape = max(1, round(scene.shape[0] * factor)), max(1, round(scene.shape[1] * factor))
    if shape == (source.height, source.width):
        return replace(scene, shape=shape, origin=(source.row, source.col), zoom=None)
    zoom = Zoom(source, shape)
    if not 1 / LARGEST_FACTOR <= min(zoom.factor_xy) <= max(zoom.factor_xy) <= LARGEST_FACTOR:
        raise SceneError(
            f"{scene.path}: rescaling by {factor:.3g} would read it at {zoom.factor_xy[0]:.3g} times the file's size, "
            f"and {LARGEST_FACTOR:g} times larger or smaller is the most"
        )
    check_scene_size(scene.path, shape)
    return replace(scene, shape=shape, origin=(0, 0), zoom=zoom)


def ground_sample_distance(scene: Scene) -> tuple[float, float]:
    """Measure the metres on the ground that a pixel in the middle of a scene spans, along x and along y.

    The pixel's edges are converted to longitude and latitude, and from there to metres on the WGS 84 ellipsoid, which
    accounts for degrees, feet and the stretch of a map projection (Web Mercator doubles lengths at 60 degrees). A local
    coordinate system, without a position on the earth, is measured in its own unit.

    Raises:
        SceneError: no georeference, no coordinate system, or one that gives no distance.
    """
    if scene.transform is None or scene.crs is None:
        raise SceneError(
            f"{scene.path}: the image has no georeference with a coordinate system, so that its metres per pixel are "
            "not known; add one, or train with data.scale instead of data.gsd"
        )
    row, col = scene.origin[0] + scene.shape[0] / 2, scene.origin[1] + scene.shape[1] / 2
    edges_xy = [(col - 0.5, row), (col + 0.5, row), (col, row - 0.5), (col, row + 0.5)]
    map_xy = np.array([Affine(*scene.transform) @ edge for edge in edges_xy])
    try:
        crs = CRS.from_wkt(scene.crs)
        if crs.is_geographic or crs.is_projected:
            degrees = transform(crs, CRS.from_epsg(4326), *map_xy.T)[:2]
            metres = _metres_from_first(*(np.array(each) for each in degrees))
        else:
            metres = map_xy * crs.units_factor[1]
    except Exception as error:  # GDAL's own are no RasterioError
        raise SceneError(f"{scene.path}: its coordinate system gives no metres per pixel ({error})") from error
    x, y = (float(np.hypot(*(metres[i + 1] - metres[i]))) for i in (0, 2))
    if not (0 < x < math.inf and 0 < y < math.inf):
        raise SceneError(f"{scene.path}: its georeference gives pixels of {x:g} x {y:g} metres")
    return x, y


def _metres_from_first(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Convert points a few metres apart to metres east and north of the first, on the WGS 84 ellipsoid.

    Args:
        longitude: (N,) in degrees.
        latitude: (N,) in degrees.

    Returns:
        (N, 2) in metres, by the ellipsoid's two radii of curvature at the mean latitude.
    """
    middle = math.radians(float(latitude.mean()))
    squared = FLATTENING * (2 - FLATTENING)
    bend = 1 - squared * math.sin(middle) ** 2
    north = EQUATOR_RADIUS_M * (1 - squared) / bend**1.5
    east = EQUATOR_RADIUS_M / bend**0.5 * math.cos(middle)
    turned = (longitude - longitude[0] + 180) % 360 - 180
    return np.stack([np.radians(turned) * east, np.radians(latitude - latitude[0]) * north], axis=1)

"""Ground with planted discs, on a map, and photographs of it: turned, of other resolution, overlapping."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import Resampling, reproject

from tests.cases.discs import disc_pixels

GSD = 0.1
"""Metres of a pixel of the ground: a disc is 1 m."""

CORNER = Affine.translation(500_000, 5_500_000)
NORTH_UP = CORNER @ Affine.scale(GSD, -GSD)
"""From pixels of the ground to map coordinates, in UTM zone 33 north."""

CRS = "EPSG:32633"


def planted(hw: tuple[int, int], number: int, seed: int, apart: float = 24) -> NDArray[np.float64]:
    """Draw centres (number, 2) xy in pixels of the ground, so far apart, and half of it from the edge."""
    rng, half = np.random.default_rng(seed), apart / 2
    places = np.empty((0, 2))
    while len(places) < number:
        place = rng.uniform((half, half), (hw[1] - half, hw[0] - half)).round(1)
        if (np.hypot(*(places - place).T) >= apart).all():
            places = np.concatenate([places, place[None]])
    return places


def write_tiff(path: Path, pixels: NDArray[np.uint8], transform: Affine, **profile: Any) -> Path:
    """Write pixels (H, W, 3) as a GeoTIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pixels.shape[:2]
    shape = {"height": height, "width": width, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs=CRS, transform=transform, **shape, **profile) as target:
        target.write(pixels.transpose(2, 0, 1))
    return path


def write_ground(path: Path, places: NDArray[np.float64], hw: tuple[int, int], seed: int = 0) -> Path:
    """Write the whole ground as one orthomosaic."""
    return write_tiff(path, disc_pixels(places, seed, hw), NORTH_UP)


def photograph(
    path: Path, ground: NDArray[np.uint8], middle_xy: tuple[float, float], hw: tuple[int, int], turn: float, gsd: float
) -> Affine:
    """Write a photograph of the ground (H, W, 3); returns the way from its pixels to those of the ground.

    Args:
        path: the GeoTIFF.
        ground: the pixels of all of it.
        middle_xy: of the photograph, in pixels of the ground.
        hw: its height and width.
        turn: by which it is turned, in degrees.
        gsd: metres of its pixels.
    """
    zoom = gsd / GSD
    to_ground = (
        Affine.translation(*middle_xy)
        @ Affine.rotation(turn)
        @ Affine.scale(zoom)
        @ Affine.translation(-hw[1] / 2, -hw[0] / 2)
    )
    transform = NORTH_UP @ to_ground
    pixels = np.zeros((3, *hw), np.uint8)
    way = {"src_transform": NORTH_UP, "dst_transform": transform, "src_crs": CRS, "dst_crs": CRS}
    reproject(np.ascontiguousarray(ground.transpose(2, 0, 1)), pixels, **way, resampling=Resampling.bilinear)
    write_tiff(path, pixels.transpose(1, 2, 0), transform)
    return to_ground

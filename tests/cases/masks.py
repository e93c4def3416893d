"""Scenes of discs of which a part is not there, in the ways in which files say so."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import Affine

from tests.cases.discs import DISC_PX, HEIGHT, WIDTH, disc_pixels, disc_places
from tests.imagery.rasters import write_tiff

PLACED = {"crs": "EPSG:32633", "transform": Affine(0.1, 0, 500_000, 0, -0.1, 5_000_000)}
"""Pixels of 10 cm; in the middle of the zone 1 m of the map is 1 / 0.9996 m on the ground."""

PIXEL_HA = (0.1 / 0.9996) ** 2 / 1e4
"""Area of a pixel on the ground in hectares."""


@dataclass(frozen=True)
class Masked:
    """A scene of discs behind a slanted border, no disc within 6 pixels of it.

    Attributes:
        places: (N, 2) xy of all discs.
        pixels: (H, W, 3) as if nothing were masked.
        valid: (H, W).
    """

    places: NDArray[np.float64]
    pixels: NDArray[np.uint8]
    valid: NDArray[np.bool_]

    @property
    def seen(self) -> NDArray[np.float64]:
        """The places on valid pixels."""
        at = self.places.astype(int)
        return self.places[self.valid[at[:, 1], at[:, 0]]]

    def with_value(self, value: float, dtype: str = "uint8") -> NDArray[np.generic]:
        """The bands (3, H, W) with a value in every masked pixel."""
        return np.where(self.valid, np.moveaxis(self.pixels, 2, 0), value).astype(dtype)

    @property
    def alpha(self) -> NDArray[np.uint8]:
        """(H, W), 0 where masked."""
        return np.where(self.valid, 255, 0).astype(np.uint8)


def masked_scene(seed: int) -> Masked:
    """Make a scene, and lay the border where no disc is near."""
    places = disc_places(seed)
    across = np.array([1, 0.3]) / np.hypot(1, 0.3)
    levels = np.sort(places @ across)
    clear = DISC_PX / 2 + 1
    middle = [(a + b) / 2 for a, b in pairwise(levels) if b - a > 2 * clear]
    border = min(middle, key=lambda level: abs(level - across @ (0.6 * WIDTH, HEIGHT / 2)))
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    return Masked(places, disc_pixels(places, seed), across[0] * x + across[1] * y < border)


def write_mask_inside(path: Path, scene: Masked) -> None:
    """Write a TIFF with a mask of its own, and the discs behind it in the pixels."""
    write_tiff(path, np.moveaxis(scene.pixels, 2, 0), **PLACED)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        target.write_mask(scene.valid)


def write_transparent(path: Path, scene: Masked, value: int | None) -> None:
    """Write a TIFF or PNG with a band of opacity; None leaves the discs in the pixels behind it."""
    bands = np.moveaxis(scene.pixels, 2, 0) if value is None else scene.with_value(value)
    pixels = np.concatenate([bands, scene.alpha[None]])
    if path.suffix == ".png":
        Image.fromarray(np.moveaxis(pixels, 0, -1)).save(path)
    else:
        write_tiff(path, pixels, photometric="RGB", ALPHA="YES", **PLACED)


def write_points(path: Path, names: list[str], places: NDArray[np.float64]) -> Path:
    """Write a table of the same discs in several images."""
    rows = [{"image": name, "x": x, "y": y, "label": "disc"} for name in names for x, y in places]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path

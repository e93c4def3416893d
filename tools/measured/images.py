"""Images that are made to be measured: a photograph, and a gigapixel of its pieces."""

from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.windows import Window as RasterWindow

PHOTOGRAPH_HW = (3328, 4992)

GIGAPIXEL_SIDE = 31_744

BLOCK = 512


def make_photograph(path: Path) -> None:
    """Write a JPEG of smooth noise with grain, which is as hard to decode as a photograph."""
    rng = np.random.default_rng(0)
    height, width = PHOTOGRAPH_HW
    coarse = Image.fromarray(rng.integers(40, 216, (height // 32, width // 32, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    grain = rng.normal(0, 5, (height, width, 1)).astype(np.int16)
    Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(path, quality=90)


def make_gigapixel(path: Path, photograph: Path) -> None:
    """Write a tiled, JPEG-compressed GeoTIFF of a gigapixel, its blocks cut from a photograph."""
    with rasterio.open(photograph) as source:
        pixels = source.read([1, 2, 3])
    rows, cols = (side // BLOCK for side in pixels.shape[1:])
    profile = {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": 3,
        "height": GIGAPIXEL_SIDE,
        "width": GIGAPIXEL_SIDE,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "jpeg",
        "photometric": "ycbcr",
        "crs": "EPSG:32617",
        "transform": rasterio.Affine(0.1, 0, 500_000, 0, -0.1, 4_000_000),
    }
    with rasterio.open(path, "w", **profile) as target:
        for row in range(GIGAPIXEL_SIDE // BLOCK):
            for col in range(GIGAPIXEL_SIDE // BLOCK):
                top, left = row % rows * BLOCK, col % cols * BLOCK
                block = pixels[:, top : top + BLOCK, left : left + BLOCK]
                target.write(block, window=RasterWindow(col * BLOCK, row * BLOCK, BLOCK, BLOCK))

"""Small images of noise, written in the formats that scenes are read from."""

from pathlib import Path

import numpy as np
import rasterio
from PIL import Image

from detect.imagery.scenes import Scene

HEIGHT, WIDTH = 45, 70


def noise(bands: int = 3, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (bands, HEIGHT, WIDTH)).astype(dtype)


def write_tiff(path: Path, pixels: np.ndarray, **profile: object) -> Path:
    bands, height, width = pixels.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=bands, height=height, width=width, dtype=str(pixels.dtype), **profile
    ) as target:
        target.write(pixels)
    return path


def write(path: Path) -> Path:
    if path.suffix == ".jp2":
        with rasterio.open(
            path,
            "w",
            driver="JP2OpenJPEG",
            count=3,
            height=HEIGHT,
            width=WIDTH,
            dtype="uint8",
            reversible=True,
            quality=100,
        ) as target:
            target.write(noise())
        return path
    if path.suffix in (".tif", ".tiff"):
        return write_tiff(path, noise(), tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    Image.fromarray(np.moveaxis(noise(), 0, -1)).save(path)
    return path


def write_damaged(path: Path, pixels: np.ndarray) -> Path:
    """A TIFF of packed runs whose last one, of zeros, says 128 bytes, beyond its row: the decoder warns and goes on."""
    pixels = pixels.copy()
    pixels[:, -1] = 0
    write_tiff(path, pixels, compress="packbits")
    data = path.read_bytes()
    assert data[-1] == 0 and data[-2] > 257 - 128
    path.write_bytes(data[:-2] + bytes([257 - 128, 0]))
    return path


def whole(scene: Scene) -> np.ndarray:
    """All pixels in one plain read; those of the formats without loss are the ones written."""
    with rasterio.open(scene.path) as source:
        pixels = source.read()
    assert scene.path.suffix == ".jpg" or (pixels == noise()).all()
    return pixels

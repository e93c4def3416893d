"""The material of a check on a cluster: photographs, and a raster too large for one worker."""

from pathlib import Path

import numpy as np
from PIL import Image


def material(folder: Path, images: int, size: tuple[int, int], raster: int, model: Path | None) -> tuple[Path, Path]:
    """Write photographs, and a raster of some megapixels; return the model's file and the images' folder."""
    from measured.images import make_photograph
    from measured.model import make_model

    from detect.imagery.description.scene_opening import open_scene
    from detect.nets.modelfile import save_model

    photographs = folder / "images"
    photographs.mkdir()
    make_photograph(folder / "photograph.jpg")
    pixels = np.asarray(Image.open(folder / "photograph.jpg"))
    rng = np.random.default_rng(0)
    for number in range(images):
        row, col = (int(rng.integers(0, whole - side)) for whole, side in zip(pixels.shape, size[::-1], strict=False))
        Image.fromarray(pixels[row : row + size[1], col : col + size[0]]).save(
            photographs / f"{number:04}.jpg", quality=95
        )
    if raster:
        write_raster(photographs / "raster.tif", pixels, raster)
    if model is None:
        model = folder / "model.safetensors"
        save_model(model, *make_model(open_scene(folder / "photograph.jpg"), 2 << 30))
    return model, photographs


def write_raster(path: Path, pixels: np.ndarray, megapixels: int) -> None:
    """Write a tiled, compressed GeoTIFF, its blocks cut from a photograph."""
    import rasterio
    from rasterio.windows import Window

    block = 512
    side = int((megapixels * 1e6) ** 0.5) // block * block
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "height": side, "width": side, "compress": "jpeg"}
    rng = np.random.default_rng(1)
    with rasterio.open(path, "w", **profile, tiled=True, blockxsize=block, blockysize=block, BIGTIFF="YES") as target:
        for at in range((side // block) ** 2):
            row, col = (int(rng.integers(0, whole - block)) for whole in pixels.shape[:2])
            cut = np.moveaxis(pixels[row : row + block, col : col + block], 2, 0)
            place = Window(at % (side // block) * block, at // (side // block) * block, block, block)
            target.write(cut, window=place)

"""Containers: pages of a TIFF, mosaics, cloud-optimised and big TIFFs, JPEG 2000, WebP, GIF and BMP."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image
from rasterio.enums import Resampling
from rasterio.transform import Affine

from tests.cases.discs import HEIGHT, WIDTH, disc_pixels, disc_places
from tests.commands import call

PLACE = {"crs": "EPSG:32617", "transform": Affine(0.1, 0, 500_000, 0, -0.1, 4_000_000)}


def write_raster(path: Path, pixels: np.ndarray, driver: str = "GTiff", **profile: object) -> Path:
    """Write (H, W, 3) pixels as a georeferenced raster."""
    height, width = pixels.shape[:2]
    facts = {"count": 3, "height": height, "width": width, "dtype": "uint8", **PLACE, **profile}
    with rasterio.open(path, "w", driver=driver, **facts) as target:
        target.write(np.moveaxis(pixels, -1, 0))
    return path


def write_vrt(path: Path, tiles: list[tuple[str, int, int]], size: tuple[int, int]) -> Path:
    """Write a mosaic of tiles (name, column, row) of HEIGHT x WIDTH pixels; `size` is its width and height."""
    rows = []
    for band, colour in enumerate(("Red", "Green", "Blue"), start=1):
        sources = "".join(
            f"<SimpleSource><SourceFilename relativeToVRT='1'>{name}</SourceFilename><SourceBand>{band}</SourceBand>"
            f"<SrcRect xOff='0' yOff='0' xSize='{WIDTH}' ySize='{HEIGHT}'/>"
            f"<DstRect xOff='{col}' yOff='{row}' xSize='{WIDTH}' ySize='{HEIGHT}'/></SimpleSource>"
            for name, col, row in tiles
        )
        rows.append(
            f"<VRTRasterBand dataType='Byte' band='{band}'><ColorInterp>{colour}</ColorInterp>{sources}</VRTRasterBand>"
        )
    size_text = f"rasterXSize='{size[0]}' rasterYSize='{size[1]}'"
    path.write_text(f"<VRTDataset {size_text}>{''.join(rows)}</VRTDataset>")
    return path


def write_all(folder: Path) -> list[str]:
    """Write one photograph of 20 discs in every container; returns their names."""
    folder.mkdir()
    pixels = disc_pixels(disc_places(ord("e")), ord("e"))
    picture = Image.fromarray(pixels)
    write_raster(folder / "big.tif", pixels, BIGTIFF="YES", tiled=True, blockxsize=64, blockysize=64)
    cog = write_raster(folder / "overviews.tif", pixels, tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    with rasterio.open(cog, "r+") as target:
        target.build_overviews([2, 4], Resampling.average)
    write_raster(folder / "cloud.tif", pixels, "COG")
    write_raster(folder / "a.jp2", pixels, "JP2OpenJPEG", reversible=True, quality=100)
    picture.save(folder / "a.webp", lossless=True)
    picture.save(folder / "a.bmp")
    picture.quantize(255).save(folder / "a.gif")
    picture.quantize(255).save(folder / "palette.png")
    picture.save(folder / "pages.tif", save_all=True, append_images=[picture.resize((40, 30))])
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_one_photograph_in_every_container(net: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    names = write_all(tmp_path / "images")
    model = request.getfixturevalue(f"{net}_model")
    counts: dict[str, int] = {}
    log = ""
    for name in names:
        done = call(
            "predict", f"model={model}", f"images={tmp_path / 'images' / name}", f"output={tmp_path / name}_out"
        )
        assert done.code == 0, done.log
        table = pd.read_csv(tmp_path / f"{name}_out" / "counts.csv")
        counts[name] = int(table["disc"].iloc[0])
        log += done.log
    assert all(19 <= number <= 21 for number in counts.values()), counts
    assert "files of several pages, of which the first alone is looked at, such as pages.tif (page 1 of 2" in log
    notes = json.loads((tmp_path / "pages.tif_out" / "run.json").read_text())["notes"]
    assert any("files of several pages, of which the first alone is looked at" in note for note in notes), notes
    assert "of which the first alone is looked at" in (tmp_path / "pages.tif_out" / "report.html").read_text()
    places = [
        (tmp_path / f"{name}_out" / "detections.csv").read_text().replace(name, "") for name in ("big.tif", "a.jp2")
    ]
    assert places[0] == places[1]


def test_a_mosaic_is_one_image(patch_model: Path, tmp_path: Path) -> None:
    """Four photographs of 20 discs side by side, in a VRT: what is found in them one by one, but for the seams."""
    tiles = []
    for number, seed in enumerate("abcd"):
        pixels = disc_pixels(disc_places(ord(seed)), ord(seed))
        name = f"tile_{number}.tif"
        write_raster(tmp_path / name, pixels, crs=None, transform=Affine.identity())
        tiles.append((name, number % 2 * WIDTH, number // 2 * HEIGHT))
    write_vrt(tmp_path / "mosaic.vrt", tiles, (2 * WIDTH, 2 * HEIGHT))
    done = call("predict", f"model={patch_model}", f"images={tmp_path / 'mosaic.vrt'}", f"output={tmp_path / 'out'}")
    assert done.code == 0, done.log
    assert 78 <= int(pd.read_csv(tmp_path / "out" / "counts.csv")["disc"].iloc[0]) <= 82

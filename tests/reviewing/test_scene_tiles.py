"""Tiles: cut from the file, they show its pixels, and nothing is written beside it."""

import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from detect.imagery.scenes import SceneError
from detect.reviewing.opened import OpenImages, TileAddress
from detect.reviewing.scene_tiles import SceneTiles

MEMORY = 1 << 28


def pixels_of(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(jpeg)).convert("RGB")).astype(int)


def ramp(height: int, width: int) -> np.ndarray:
    """Rows and columns can be read off the colours; smooth, so that a JPEG keeps them."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 90)]).astype(np.uint8)


def write_tiff(path: Path, pixels: np.ndarray, **profile) -> Path:
    shape = {"count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2], "dtype": pixels.dtype}
    tiled = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    with rasterio.open(path, "w", "GTiff", **shape, **tiled, **profile) as file:
        file.write(pixels)
    return path


def until_ready(tiles: SceneTiles) -> None:
    end = time.monotonic() + 60
    while not tiles.ready:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("kind", ["tif", "png"])
@pytest.mark.parametrize("level", [9, 11, 12])
def test_a_tile_shows_its_part_of_the_image(tmp_path, kind, level):
    """2,600 pixels: level 12 is the image, 11 half of it, 9 an eighth, which is cut from the overview."""
    pixels = ramp(2100, 2600)
    path = tmp_path / f"a.{kind}"
    if kind == "tif":
        write_tiff(path, pixels, photometric="RGB")
    else:
        Image.fromarray(pixels.transpose(1, 2, 0)).save(path, compress_level=1)
    tiles = SceneTiles(path, MEMORY)
    try:
        until_ready(tiles)
        factor = 2 ** (12 - level)
        shown = pixels_of(tiles.tile(level, 1, 1).jpeg if level > 9 else tiles.tile(level, 1, 0).jpeg)
        top, left = (256 * factor if level > 9 else 0), 256 * factor
        part = pixels[:, top : top + 256 * factor, left : left + 256 * factor].transpose(1, 2, 0)
        inner = part[factor // 2 :: factor, factor // 2 :: factor]
        height, width = (min(a, b) for a, b in zip(inner.shape[:2], shown.shape[:2], strict=True))
        assert np.abs(shown[:height, :width] - inner[:height, :width]).max() <= 6
    finally:
        tiles.close()
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_the_tile_on_the_far_edge_is_as_small_as_what_is_left(tmp_path):
    """600 columns at half size are 300: one tile of 256 and one of 44."""
    tiles = SceneTiles(write_tiff(tmp_path / "a.tif", ramp(300, 600), photometric="RGB"), MEMORY)
    assert pixels_of(tiles.tile(9, 1, 0).jpeg).shape == (150, 44, 3)
    tiles.close()


def test_coarse_tiles_come_from_the_small_picture_until_the_overview_is_there(tmp_path, monkeypatch):
    path = write_tiff(tmp_path / "a.tif", ramp(2100, 2600), photometric="RGB")
    Image.new("RGB", (260, 210), (10, 200, 30)).save(tmp_path / "small.jpg")
    monkeypatch.setattr("detect.reviewing.overview.Overview.start", lambda self: None)
    tiles = SceneTiles(path, MEMORY, tmp_path / "small.jpg")
    tile = tiles.tile(8, 0, 0)
    assert not tile.final and not tiles.ready
    assert np.abs(pixels_of(tile.jpeg) - (10, 200, 30)).max() <= 4
    assert tiles.tile(12, 0, 0).final
    tiles.close()


def test_overviews_in_the_file_are_used_and_none_is_made(tmp_path):
    path = write_tiff(tmp_path / "a.tif", ramp(2100, 2600), photometric="RGB")
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4, 8])
    tiles = SceneTiles(path, MEMORY)
    assert tiles.ready and tiles.tile(8, 0, 0).final
    tiles.close()


def test_every_tile_of_a_16_bit_image_is_stretched_alike(tmp_path):
    """Values from 1,000 to 3,000: the dark half is dark in its own tile, where its own stretch would make it bright."""
    pixels = np.linspace(1000, 3000, 512).astype(np.uint16)[None, None].repeat(512, 1)
    tiles = SceneTiles(write_tiff(tmp_path / "a.tif", pixels), MEMORY)
    dark, bright = (pixels_of(tiles.tile(9, col, 0).jpeg) for col in (0, 1))
    assert dark.max() <= 132 and bright.min() >= 124
    assert dark[:, 0].max() <= 6 and bright[:, -1].min() >= 249
    tiles.close()


@pytest.mark.parametrize("level", [8, 10])
def test_what_is_not_there_is_hatched_in_coarse_tiles_too(tmp_path, level):
    """1,024 pixels of which the left half is nodata: pale at level 10 (the image) and 8 (a quarter)."""
    pixels = np.full((3, 1024, 1024), 60, np.uint8)
    pixels[:, :, :512] = 0
    tiles = SceneTiles(write_tiff(tmp_path / "a.tif", pixels, photometric="RGB", nodata=0), MEMORY)
    shown = pixels_of(tiles.tile(level, 0, 0).jpeg)
    assert shown[:, : shown.shape[1] // 2 - 16].min() > 200
    right = tiles.tile(level, 0 if level == 8 else 3, 0)
    assert np.abs(pixels_of(right.jpeg)[:, -100:] - 60).max() <= 6
    tiles.close()


def test_an_image_that_needs_more_memory_says_the_way_out(tmp_path):
    """2,048 x 1,024 pixels of three bytes, decoded whole, are 6 MiB."""
    Image.new("RGB", (2048, 1024)).save(tmp_path / "a.png")
    with pytest.raises(SceneError, match=r"6 MiB of memory.*memory="):
        SceneTiles(tmp_path / "a.png", 1 << 20)


def test_images_are_closed_when_memory_runs_short_and_opened_again(tmp_path):
    """Three pictures of 3 MiB in 7 MiB of memory: two are open at a time."""
    names = []
    for i in range(3):
        Image.new("RGB", (1024, 1024), (80 * i, 0, 0)).save(tmp_path / f"{i}.png")
        names.append((tmp_path / f"{i}.png", None))
    opened = OpenImages(names, 7 << 20)
    for number in (0, 1, 2, 0):
        assert np.abs(pixels_of(opened.tile(TileAddress(number, 10, 3, 3)).jpeg) - (80 * number, 0, 0)).max() <= 4
        assert len(opened._open) <= 2
    opened.close()
    assert opened.tile(TileAddress(0, 10, 0, 0)).final
    opened.close()

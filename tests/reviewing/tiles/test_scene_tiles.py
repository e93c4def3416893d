"""Tiles: cut from the file, they show its pixels, and nothing is written beside it."""

import threading
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from detect.imagery.scenes import SceneError
from detect.imagery.scratch import NoRoomError
from detect.reviewing.tiles.decoded_copy import DecodedCopy
from detect.reviewing.tiles.opened import OpenImages, TileAddress
from detect.reviewing.tiles.scene_tiles import SceneTiles

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
    end = time.monotonic() + 300
    while not tiles.ready:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An image of 2,600 x 2,100 pixels as a TIFF and as a PNG, each alone in its folder."""
    pixels = ramp(2100, 2600)
    png = tmp_path_factory.mktemp("png") / "a.png"
    Image.fromarray(pixels.transpose(1, 2, 0)).save(png, compress_level=1)
    return {"png": png, "tif": write_tiff(tmp_path_factory.mktemp("tif") / "a.tif", pixels, photometric="RGB")}


@pytest.mark.parametrize("kind", ["tif", "png"])
@pytest.mark.parametrize("level", [9, 11, 12])
def test_a_tile_shows_its_part_of_the_image(large, kind, level):
    """2,600 pixels: level 12 is the image, 11 half of it, 9 an eighth, which is cut from the overview."""
    pixels, path = ramp(2100, 2600), large[kind]
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
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_coarsest_tiles_show_the_whole_image(large):
    """2,600 x 2,100 pixels: level 6 is a 64th, 41 x 33 pixels, which are cut from the overview's own overview."""
    pixels = ramp(2100, 2600)
    tiles = SceneTiles(large["tif"], MEMORY)
    until_ready(tiles)
    shown = pixels_of(tiles.tile(6, 0, 0).jpeg)
    inner = pixels[:, 32::64, 32::64].transpose(1, 2, 0)
    assert shown.shape == (33, 41, 3) and np.abs(shown[: len(inner), :40] - inner[:, :40]).max() <= 6
    tiles.close()


def test_pixels_that_are_waited_for_are_decoded_first(tmp_path, monkeypatch):
    """Parts of 200 rows of 1,300, and a tile is in rows 1,024 to 1,280: parts 5 and 6 come before those between."""
    monkeypatch.setattr("detect.reviewing.tiles.decoding.SMALL_BYTES", 0)
    monkeypatch.setattr("detect.reviewing.tiles.scene_tiles.CELL_PX", 1000)
    order, asked, real = [], threading.Event(), DecodedCopy.put

    def put(self, part, pixels):
        order.append(part.row // 200)
        asked.wait(10)
        real(self, part, pixels)

    monkeypatch.setattr(DecodedCopy, "put", put)
    tiles = SceneTiles(strips_tiff(tmp_path / "a.tif", ramp(1300, 5000)), MEMORY, scratch=tmp_path)
    waiting = threading.Thread(target=lambda: tiles.tile(13, 2, 4))
    waiting.start()
    while not tiles._copy._wanted:
        time.sleep(0.01)
    assert not tiles.ready and tiles.share == 0
    asked.set()
    waiting.join(10)
    until_ready(tiles)
    assert tiles.share == 1
    assert order[0] == 0 and sorted(order[1:3]) == [5, 6] and sorted(order) == list(range(7))
    tiles.close()


def test_the_tile_on_the_far_edge_is_as_small_as_what_is_left(tmp_path):
    """600 columns at half size are 300: one tile of 256 and one of 44."""
    tiles = SceneTiles(write_tiff(tmp_path / "a.tif", ramp(300, 600), photometric="RGB"), MEMORY)
    assert pixels_of(tiles.tile(9, 1, 0).jpeg).shape == (150, 44, 3)
    tiles.close()


def test_coarse_tiles_come_from_the_small_picture_until_the_overview_is_there(tmp_path, monkeypatch):
    path = write_tiff(tmp_path / "a.tif", ramp(2100, 2600), photometric="RGB")
    Image.new("RGB", (260, 210), (10, 200, 30)).save(tmp_path / "small.jpg")
    monkeypatch.setattr("detect.reviewing.tiles.overview.Overview.start", lambda self: None)
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
    """2,048 x 1,024 pixels of three bytes, decoded whole, are 6 MiB; BMP is not decoded from the top."""
    Image.new("RGB", (2048, 1024)).save(tmp_path / "a.bmp")
    with pytest.raises(SceneError, match=r"6 MiB of memory.*memory="):
        SceneTiles(tmp_path / "a.bmp", 1 << 20)


def strips_tiff(path: Path, pixels: np.ndarray, rows: int = 1) -> Path:
    """Write a TIFF of strips of some rows each, as wide as the image."""
    height, width = pixels.shape[1:]
    profile = {"count": 3, "height": height, "width": width, "dtype": "uint8", "photometric": "RGB"}
    with rasterio.open(path, "w", "GTiff", **profile, blockysize=rows, compress="deflate", interleave="pixel") as file:
        file.write(pixels)
    return path


@pytest.mark.parametrize("kind", ["strips", "high strips", "jpeg"])
@pytest.mark.parametrize("level", [9, 11, 13])
def test_a_tile_of_a_decoded_copy_shows_its_part_of_the_image(tmp_path, kind, level, monkeypatch):
    """5,000 pixels: level 13 is the image, 11 a quarter, 9 a sixteenth; half of the memory that it would take."""
    monkeypatch.setattr("detect.reviewing.tiles.decoding.SMALL_BYTES", 0)
    monkeypatch.setattr("detect.reviewing.tiles.scene_tiles.CELL_PX", 1024)
    pixels = ramp(1300, 5000)
    path = tmp_path / ("a.jpg" if kind == "jpeg" else "a.tif")
    if kind == "jpeg":
        Image.fromarray(pixels.transpose(1, 2, 0)).save(path, quality=98, subsampling=0)
    else:
        strips_tiff(path, pixels, 30 if kind == "high strips" else 1)
    tiles = SceneTiles(path, pixels.nbytes // 2, scratch=tmp_path / "scratch")
    try:
        assert tiles.nbytes > pixels.nbytes, "the copy is counted, so that it is closed when others are opened"
        until_ready(tiles)
        factor = 2 ** (13 - level)
        col, row = (2, 1) if level == 13 else (1, 0)
        tile = tiles.tile(level, col, row)
        shown, side = pixels_of(tile.jpeg), 256 * factor
        part = pixels[:, row * side : (row + 1) * side, col * side : (col + 1) * side].transpose(1, 2, 0)
        inner = part[factor // 2 :: factor, factor // 2 :: factor]
        height, width = (min(a, b) for a, b in zip(inner.shape[:2], shown.shape[:2], strict=True))
        assert tile.final and np.abs(shown[:height, :width] - inner[:height, :width]).max() <= 6
    finally:
        tiles.close()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_small_images_of_strips_are_held_in_memory(tmp_path):
    tiles = SceneTiles(strips_tiff(tmp_path / "a.tif", ramp(300, 5000)), MEMORY, scratch=tmp_path / "scratch")
    assert tiles.nbytes >= 300 * 5000 * 3 and not (tmp_path / "scratch").exists()
    tiles.close()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (NoRoomError(28, "no room in /tmp: the copy needs 9 MiB, 1 MiB are free; make room"), "no room"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
    ],
)
def test_without_a_copy_strips_are_read_slowly_and_a_jpeg_is_refused(tmp_path, monkeypatch, caplog, error, why):
    """The disk is full, or the predictions folder is one that may only be read."""

    def full(shape, dtype, folder, what):
        raise error

    monkeypatch.setattr("detect.reviewing.tiles.decoding.SMALL_BYTES", 0)
    monkeypatch.setattr("detect.reviewing.tiles.decoding.scratch_array", full)
    pixels = ramp(300, 5000)
    tiles = SceneTiles(strips_tiff(tmp_path / "a.tif", pixels), MEMORY)
    assert tiles.tile(13, 0, 0).final and why in caplog.text and "slow" in caplog.text
    tiles.close()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / "a.jpg")
    with pytest.raises(SceneError, match=rf"{why}.*make room, or give memory="):
        SceneTiles(tmp_path / "a.jpg", 1 << 20)


def test_a_photograph_that_is_cut_short_says_so_instead_of_being_opened_for_ever(tmp_path):
    """A JPEG that is decoded into a copy, and whose second half is lost."""
    path = tmp_path / "a.jpg"
    grain = np.random.default_rng(0).integers(0, 255, (1300, 2000, 3), np.uint8)
    Image.fromarray(grain).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    tiles = SceneTiles(path, 1 << 20, scratch=tmp_path)
    with pytest.raises(SceneError, match=r"a\.jpg: no overview can be made"):
        until_ready(tiles)
    tiles.close()


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

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from detect.imagery.claims import FREE_PIXELS, GREATEST_SCENE_PIXELS, check_claim
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.mosaics import MosaicRule, mosaics_by
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import SceneError
from detect.inference.stitching import make_tiling
from tests.imagery.rasters import noise, write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def claiming_tiff(path: Path, height: int, width: int) -> Path:
    """A TIFF of one strip that claims a size and holds 16 bytes."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 200), (277, 3, 1), (278, 4, height), (279, 4, 16)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    path.write_bytes((b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(tags)) + entries + bytes(4)).ljust(222, b"\0"))
    return path


def claiming_png(path: Path, height: int, width: int) -> Path:
    """A PNG that claims a size and holds one row."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(10)))]
    parts = [
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in [*chunks, (b"IEND", b"")]
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.parametrize("side", [2**31 - 1, 10**8, 3 * 10**7, 10**6, 40_000])
def test_a_tiff_of_222_bytes_that_claims_a_huge_size_is_no_image(tmp_path: Path, side: int) -> None:
    with pytest.raises(SceneError, match=r"a\.tif"):
        open_scene(claiming_tiff(tmp_path / "a.tif", side, side))


def test_a_png_that_claims_more_than_deflate_can_hold_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"a\.png: claims 30,000 x 30,000"):
        open_scene(claiming_png(tmp_path / "a.png", 30_000, 30_000))


def test_small_files_of_large_honest_images_are_opened(tmp_path: Path) -> None:
    """White PNG (1,000 bytes a byte), blocks never written (130,000), constant ZSTD: all far from the bounds."""
    Image.new("1", (8000, 8000), 1).save(tmp_path / "white.png", compress_level=9)
    side = 100_000
    with rasterio.open(
        tmp_path / "sparse.tif",
        "w",
        driver="GTiff",
        count=1,
        height=side,
        width=side,
        dtype="uint8",
        tiled=True,
        blockxsize=1024,
        blockysize=1024,
        sparse_ok=True,
        compress="deflate",
    ) as target:
        target.write(np.ones((1, 16, 16), np.uint8), window=rasterio.windows.Window(0, 0, 16, 16))
    write_tiff(tmp_path / "zstd.tif", np.zeros((1, 6000, 6000), np.uint8), compress="zstd", blockysize=6000)
    for name, shape in (("white.png", (8000, 8000)), ("sparse.tif", (side, side)), ("zstd.tif", (6000, 6000))):
        assert open_scene(tmp_path / name).shape == shape
    assert (tmp_path / "sparse.tif").stat().st_size < side * side / 10_000


def test_the_bounds_are_on_pixels_and_on_pixels_a_byte(tmp_path: Path) -> None:
    path = tmp_path / "a"
    check_claim(path, (1000, 10**6), "GTiff", 1000)
    check_claim(path, (1000 * 10**6 + FREE_PIXELS, 1), "GTiff", 1000)
    with pytest.raises(SceneError, match="1,000 bytes"):
        check_claim(path, (1000 * 10**6 + FREE_PIXELS + 1, 1), "GTiff", 1000)
    check_claim(path, (10**6, GREATEST_SCENE_PIXELS // 10**6), "VRT", None)
    with pytest.raises(SceneError, match=f"{GREATEST_SCENE_PIXELS:,}"):
        check_claim(path, (10**6, GREATEST_SCENE_PIXELS // 10**6 + 1), "VRT", None)


def test_a_vrt_claims_no_more_than_the_files_that_it_is_made_of_can_hold(tmp_path: Path) -> None:
    """A text of 400 bytes would keep a run busy for days; 10^12 pixels need a million bytes, of all files together."""
    box = '<DstRect xOff="0" yOff="0" xSize="1000000" ySize="1000000"/>'
    names = "".join(
        f"<SimpleSource><SourceFilename>{{0}}/{name}.tif</SourceFilename>{box}</SimpleSource>" for name in "ab"
    )
    (tmp_path / "a.vrt").write_text(
        f'<VRTDataset rasterXSize="1000000" rasterYSize="1000000"><VRTRasterBand dataType="Byte" band="1">'
        f"{names.format(tmp_path)}</VRTRasterBand></VRTDataset>"
    )
    for name in "ab":
        write_tiff(tmp_path / f"{name}.tif", np.zeros((1, 10, 10), np.uint8))
    with pytest.raises(SceneError, match=r"a\.vrt: claims 1,000,000 x 1,000,000"):
        open_scene(tmp_path / "a.vrt")
    with mosaics_by(MosaicRule(trusted=True)):
        assert open_scene(tmp_path / "a.vrt").shape == (10**6, 10**6)
    write_tiff(tmp_path / "b.tif", np.zeros((1, 1000, 1000), np.uint8))
    assert open_scene(tmp_path / "a.vrt").shape == (10**6, 10**6)


def test_enlarging_does_not_pass_the_greatest_scene(tmp_path: Path) -> None:
    scene = open_scene(write_tiff(tmp_path / "a.tif", noise()))
    object.__setattr__(scene, "shape", (10**5, 10**6))
    with pytest.raises(SceneError, match=f"{GREATEST_SCENE_PIXELS:,}"):
        Resolution(32).resampled(scene)


@pytest.mark.parametrize("shape", [(10**6, 10**6), (2**31, 400), (1, 10**12)])
@pytest.mark.parametrize(("area", "align"), [(300 * 300, 4), (4_000_000, 16)])
def test_the_tiles_of_the_greatest_scenes_are_found_without_listing_their_numbers(
    shape: tuple[int, int], area: int, align: int
) -> None:
    tiling = make_tiling(shape, 4096, 64, align, area)
    height, width = tiling.tile_hw
    assert height * width <= area and len(tiling) * tiling.core_hw[0] * tiling.core_hw[1] >= shape[0] * shape[1]

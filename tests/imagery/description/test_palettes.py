"""Palettes, grey of few bits and other spaces of colour; Pillow's conversion to RGB is the viewer."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.description.shown import ShownImage
from detect.imagery.gdal.datasets import open_image
from detect.imagery.mosaics import MosaicRule
from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, SceneError
from detect.imagery.windows import Window
from tests.imagery.rasters import HEIGHT, WIDTH, noise, write_tiff

PICTURE = Image.fromarray(np.moveaxis(noise(), 0, -1))

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def shown(path: Path, mode: str) -> np.ndarray:
    """What Pillow makes of a file, (bands, H, W)."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert(mode))
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def pixels_of(scene: Scene) -> np.ndarray:
    return read_window(scene, scene.window, tuple(range(1, scene.bands + 1)))


def opened(path: Path) -> ShownImage:
    return open_image(path, MosaicRule())


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.gif"])
def test_a_palette_is_red_green_and_blue(tmp_path: Path, name: str) -> None:
    PICTURE.quantize(50).save(tmp_path / name)
    scene = open_scene(tmp_path / name)
    assert (scene.bands, scene.dtype, scene.band_names) == (3, "uint8", ("red", "green", "blue"))
    np.testing.assert_array_equal(pixels_of(scene), shown(tmp_path / name, "RGB"))
    part = read_window(scene, Window(3, 4, 10, 20), (3, 1))
    np.testing.assert_array_equal(part, shown(tmp_path / name, "RGB")[[2, 0], 3:13, 4:24])


@pytest.mark.parametrize("name", ["a.bmp", "a.gif"])
def test_a_palette_of_greys_is_grey(tmp_path: Path, name: str) -> None:
    PICTURE.convert("L").save(tmp_path / name)
    scene = open_scene(tmp_path / name)
    assert (scene.bands, scene.band_names) == (1, ("gray",))
    np.testing.assert_array_equal(pixels_of(scene), shown(tmp_path / name, "L"))


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_a_transparent_entry_is_no_data(tmp_path: Path, name: str) -> None:
    PICTURE.quantize(8).save(tmp_path / name, transparency=3)
    scene = open_scene(tmp_path / name)
    assert (scene.bands, scene.band_names, scene.nodata) == (4, ("red", "green", "blue", "alpha"), None)
    wanted = shown(tmp_path / name, "RGBA")
    np.testing.assert_array_equal(pixels_of(scene), wanted)
    image = opened(tmp_path / name)
    np.testing.assert_array_equal(image.read_masks([1, 3]), wanted[[3, 3]])
    np.testing.assert_array_equal(image.read_masks(2), wanted[3])
    image.close()


def test_a_value_declared_to_be_no_data_is_transparent(tmp_path: Path) -> None:
    values = noise(1) % 4
    path = write_tiff(tmp_path / "a.tif", values, photometric="PALETTE", nodata=2)
    with rasterio.open(path, "r+") as target:
        target.write_colormap(1, {0: (9, 8, 7), 1: (1, 2, 3), 2: (5, 5, 5), 3: (250, 0, 0)})
    scene = open_scene(path)
    assert scene.bands == 4
    np.testing.assert_array_equal(pixels_of(scene)[3], np.where(values[0] == 2, 0, 255))


@pytest.mark.parametrize(("name", "mode"), [("one.png", "1"), ("one.tif", "1"), ("one.bmp", "1")])
def test_one_bit_is_black_and_white(tmp_path: Path, name: str, mode: str) -> None:
    PICTURE.convert(mode).save(tmp_path / name)
    scene = open_scene(tmp_path / name)
    assert (scene.bands, scene.dtype) == (1, "uint8")
    np.testing.assert_array_equal(pixels_of(scene), shown(tmp_path / name, "L"))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_is_spread_over_all_levels(tmp_path: Path, bits: int) -> None:
    """Of 4 bits, level 15 is white: 15 * 17 = 255."""
    values = noise(1) >> (8 - bits)
    path = write_tiff(tmp_path / "a.tif", values, nbits=bits)
    np.testing.assert_array_equal(pixels_of(open_scene(path)), values * (255 // (2**bits - 1)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_that_counts_down_from_white_is_turned_round(tmp_path: Path, dtype: str) -> None:
    values = noise(1, dtype)
    path = write_tiff(tmp_path / "a.tif", values, photometric="MINISWHITE")
    scene = open_scene(path)
    assert scene.dtype == dtype
    np.testing.assert_array_equal(pixels_of(scene), np.iinfo(dtype).max - values)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "float32"])
def test_other_numbers_are_read_as_they_are(tmp_path: Path, dtype: str) -> None:
    path = write_tiff(tmp_path / "a.tif", noise(2, dtype))
    scene = open_scene(path)
    assert scene.dtype == dtype
    np.testing.assert_array_equal(pixels_of(scene), noise(2, dtype))


def test_sixteen_bits_of_png(tmp_path: Path) -> None:
    values = noise(1, "uint16") * 250
    Image.fromarray(values[0]).save(tmp_path / "a.png")
    scene = open_scene(tmp_path / "a.png")
    assert scene.dtype == "uint16"
    np.testing.assert_array_equal(pixels_of(scene), values)


def test_a_turned_palette(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    PICTURE.quantize(20).save(tmp_path / "a.png", exif=exif)
    scene = open_scene(tmp_path / "a.png")
    assert scene.shape == (WIDTH, HEIGHT)
    upright = np.rot90(shown(tmp_path / "a.png", "RGB"), -1, axes=(1, 2))
    np.testing.assert_array_equal(pixels_of(scene), upright)


def test_brightness_and_colour_difference_are_converted(tmp_path: Path) -> None:
    """Within a level of what Pillow makes of them: a JPEG's usual space, which TIFF has too."""
    PICTURE.convert("YCbCr").save(tmp_path / "a.tif")
    difference = pixels_of(open_scene(tmp_path / "a.tif")).astype(int) - shown(tmp_path / "a.tif", "RGB")
    assert np.abs(difference).max() <= 1


def test_libtiff_turns_pieces_of_such_a_tiff(tmp_path: Path) -> None:
    PICTURE.convert("YCbCr").save(tmp_path / "a.tif", tiffinfo={274: 6})
    with pytest.raises(SceneError, match=r"a\.tif.*YCbCr.*orientation tag is 6.*RGB"):
        open_scene(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("name", "mode", "space"), [("a.jpg", "CMYK", "CMYK"), ("a.tif", "CMYK", "CMYK"), ("b.tif", "LAB", "CIELAB")]
)
def test_colours_of_another_space_are_refused_by_name(tmp_path: Path, name: str, mode: str, space: str) -> None:
    PICTURE.convert(mode).save(tmp_path / name)
    with pytest.raises(SceneError, match=rf"{name}: its colours are {space}.*convert it to RGB"):
        open_scene(tmp_path / name)


@pytest.mark.parametrize(
    ("photometric", "bands", "space"), [("CMYK", 4, "CMYK"), ("CIELAB", 3, "CIELAB"), ("ICCLAB", 3, "ICCLAB")]
)
def test_sixteen_bits_of_another_space_too(tmp_path: Path, photometric: str, bands: int, space: str) -> None:
    path = write_tiff(tmp_path / "a.tif", noise(bands, "uint16"), photometric=photometric)
    with pytest.raises(SceneError, match=space):
        open_scene(path)


def test_complex_pixels_and_mixed_palettes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"complex numbers.*amplitude"):
        open_scene(write_tiff(tmp_path / "a.tif", noise(1, "complex64")))
    path = write_tiff(tmp_path / "b.vrt.tif", noise(2))
    with rasterio.open(path, "r+") as target:
        target.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
    assert open_scene(path).band_names == ("gray", "alpha")
    path = write_tiff(tmp_path / "c.tif", noise(3) >> 4, nbits=4)
    with pytest.raises(SceneError, match=r"3 bands of 4 bits"):
        open_scene(path)

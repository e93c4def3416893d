"""What files say of pixels that are not there, in every way in which they say it."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.mosaics import MosaicRule, mosaics_by
from detect.imagery.reading import SceneReader
from detect.imagery.scenes import SceneError
from detect.imagery.windows import Window
from tests.imagery.rasters import HEIGHT, WIDTH, noise, write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

HOLE = (slice(10, 30), slice(40, WIDTH))


def seen() -> np.ndarray:
    """What is valid in the files of these tests."""
    marks = np.ones((HEIGHT, WIDTH), bool)
    marks[HOLE] = False
    return marks


def holed(dtype: str, value: float, bands: int = 3) -> np.ndarray:
    pixels = np.clip(noise(bands, dtype), 2, 250)
    pixels[:, *HOLE] = value
    return pixels


def valid_of(path: Path, bands: tuple[int, ...] = (1, 2, 3)) -> np.ndarray:
    scene = open_scene(path)
    assert scene.masked
    with SceneReader(scene, bands) as reader:
        pixels, valid = reader.read_valid(scene.window)
    assert np.isfinite(pixels.astype(float)).all() and (pixels != -9999).all()
    return valid


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_transparent_pixels_are_not_valid_and_partly_transparent_ones_are(tmp_path: Path, ending: str) -> None:
    alpha = np.where(seen(), 255, 0).astype(np.uint8)
    alpha[:5] = 1
    pixels = np.concatenate([noise(), alpha[None]])
    path = tmp_path / f"a.{ending}"
    if ending == "png":
        Image.fromarray(np.moveaxis(pixels, 0, -1)).save(path)
    else:
        write_tiff(path, pixels, photometric="RGB", ALPHA="YES")
    np.testing.assert_array_equal(valid_of(path), seen())


def test_grey_with_alpha(tmp_path: Path) -> None:
    pixels = np.stack([noise()[0], np.where(seen(), 255, 0).astype(np.uint8)], axis=-1)
    Image.fromarray(pixels, mode="LA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(valid_of(tmp_path / "a.png", (1,)), seen())


def test_a_band_of_opacity_that_is_read_as_data_makes_nothing_invalid(tmp_path: Path) -> None:
    """A fourth band of near infrared is written as alpha by many programs."""
    path = write_tiff(tmp_path / "a.tif", noise(4), photometric="RGB", ALPHA="YES")
    assert valid_of(path, (1, 2, 3, 4)).all()


def test_a_mask_in_the_file(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", noise())
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        target.write_mask(seen())
    np.testing.assert_array_equal(valid_of(path), seen())


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_a_mask_beside_the_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.fromarray(np.moveaxis(noise(), 0, -1)).save(path)
    write_tiff(tmp_path / f"a.{ending}.msk", np.where(seen(), 255, 0).astype(np.uint8)[None])
    np.testing.assert_array_equal(valid_of(path), seen())


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_transparency_and_a_mask_beside_a_photograph_are_turned_with_it(tmp_path: Path, orientation: int) -> None:
    """Both are stored as the pixels are: what is valid is shown where its pixels are."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    level = np.where(seen(), 200, 40).astype(np.uint8)
    Image.fromarray(np.stack([level] * 3 + [np.where(seen(), 255, 0).astype(np.uint8)], axis=-1)).save(
        tmp_path / "a.png", exif=exif
    )
    Image.fromarray(np.stack([level] * 3, axis=-1)).save(tmp_path / "b.png", exif=exif)
    write_tiff(tmp_path / "b.png.msk", np.where(seen(), 255, 0).astype(np.uint8)[None])
    for name in ("a.png", "b.png"):
        scene = open_scene(tmp_path / name)
        with SceneReader(scene, (1,)) as reader:
            pixels, valid = reader.read_valid(scene.window)
            corner, marks = reader.read_valid(Window(5, 3, 20, 30))
        assert valid.shape == ((HEIGHT, WIDTH) if orientation < 5 else (WIDTH, HEIGHT))
        np.testing.assert_array_equal(pixels[0] == 200, valid)
        np.testing.assert_array_equal(marks, valid[5:25, 3:33])
        assert valid.sum() == seen().sum() and corner.shape == (1, 20, 30)


def test_a_mask_beside_the_file_is_a_geotiff_of_its_size_or_an_error_that_names_it(tmp_path: Path) -> None:
    """GDAL would open whatever it is: a VRT that names another file, too."""
    path, beside = write_tiff(tmp_path / "a.tif", noise()), tmp_path / "a.tif.msk"
    write_tiff(beside, np.zeros((1, 9, 9), np.uint8))
    with pytest.raises(SceneError, match=r"a\.tif\.msk.*9 x 9.*70 x 45.*remove"):
        open_scene(path)
    beside.write_text("<VRTDataset rasterXSize='70' rasterYSize='45'><VRTRasterBand band='1'/></VRTDataset>")
    with pytest.raises(SceneError, match=r"a\.tif\.msk"):
        open_scene(path)
    beside.unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(beside)
        with pytest.raises(SceneError, match=r"a\.tif\.msk: the mask"):
            open_scene(path)
        beside.unlink()
    write_tiff(beside, np.zeros((3, HEIGHT, WIDTH), np.uint8))
    with pytest.raises(SceneError, match="3 bands"):
        open_scene(path)


@pytest.mark.parametrize("value", [-9999.0, -3.4028234663852886e38, 1e20, np.nan, np.inf])
def test_one_band_without_data_is_enough_where_no_camera_measures_the_value(tmp_path: Path, value: float) -> None:
    pixels = holed("float32", value)
    pixels[0, :3] = value
    path = write_tiff(tmp_path / "a.tif", pixels, nodata=value)
    wanted = seen()
    wanted[:3] = False
    np.testing.assert_array_equal(valid_of(path), wanted)
    np.testing.assert_array_equal(valid_of(path, (2, 3)), seen())


@pytest.mark.parametrize(("dtype", "value"), [("uint8", 0), ("uint8", 255), ("uint16", 0), ("float32", 0)])
def test_a_dark_or_bright_pixel_in_one_band_is_valid(tmp_path: Path, dtype: str, value: int) -> None:
    """The sea may have no red, a roof all the green: a pixel is nodata there where all its bands are."""
    pixels = holed(dtype, value)
    pixels[0, :3] = value
    path = write_tiff(tmp_path / "a.tif", pixels, nodata=value)
    np.testing.assert_array_equal(valid_of(path), seen())


def test_nan_that_nobody_declared_is_not_valid_and_infinity_is_an_error(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", holed("float32", np.nan))
    np.testing.assert_array_equal(valid_of(path), seen())
    write_tiff(path, holed("float32", np.inf))
    with pytest.raises(SceneError, match="infinite"):
        valid_of(path)


def test_a_nodata_that_no_pixel_can_have_declares_nothing(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", noise())
    text = f"""<VRTDataset rasterXSize="{WIDTH}" rasterYSize="{HEIGHT}"><VRTRasterBand dataType="Byte" band="1">
        <NoDataValue>-9999</NoDataValue><SimpleSource><SourceFilename relativeToVRT="1">{path.name}</SourceFilename>
        <SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""
    (tmp_path / "a.vrt").write_text(text)
    assert not open_scene(tmp_path / "a.vrt").masked
    (tmp_path / "a.vrt").write_text(text.replace("-9999", "7"))
    assert open_scene(tmp_path / "a.vrt").validity.nodata == ((1, 7.0),)


def test_a_mosaic_says_what_its_tiles_leave_out(tmp_path: Path) -> None:
    """By a band of opacity, as `gdalbuildvrt -addalpha` writes it."""
    path = write_tiff(tmp_path / "a.tif", np.concatenate([noise(), np.where(seen(), 255, 0).astype(np.uint8)[None]]))
    bands = "".join(
        f"""<VRTRasterBand dataType="Byte" band="{band}"><ColorInterp>{colour}</ColorInterp><SimpleSource>
        <SourceFilename relativeToVRT="1">{path.name}</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource>
        </VRTRasterBand>"""
        for band, colour in enumerate(("Red", "Green", "Blue", "Alpha"), start=1)
    )
    (tmp_path / "a.vrt").write_text(f'<VRTDataset rasterXSize="{WIDTH}" rasterYSize="{HEIGHT}">{bands}</VRTDataset>')
    np.testing.assert_array_equal(valid_of(tmp_path / "a.vrt"), seen())
    with mosaics_by(MosaicRule(trusted=True)):
        np.testing.assert_array_equal(valid_of(tmp_path / "a.vrt"), seen())


def test_an_image_that_says_nothing_is_valid_everywhere_and_that_takes_no_memory(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", noise())
    scene = open_scene(path)
    assert not scene.masked
    with SceneReader(scene, (1,)) as reader:
        _, valid = reader.read_valid(scene.window)
    assert valid.all() and valid.shape == scene.shape and valid.strides == (0, 0)

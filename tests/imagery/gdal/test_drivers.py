import os
import shutil
import socket
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.gdal.drivers import driver_of, no_georeference_needed, open_with
from detect.imagery.maps.map_reading import read_preview
from detect.imagery.reading import SceneReader, read_window
from detect.imagery.scenes import SceneError
from tests.imagery.rasters import HEIGHT, WIDTH, noise, write, write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

WMS = """<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:9/${z}/${x}/${y}.png</ServerUrl></Service>
<DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>0</UpperLeftY><LowerRightX>9</LowerRightX><LowerRightY>9</LowerRightY>
<TileLevel>1</TileLevel></DataWindow><BandsCount>3</BandsCount></GDAL_WMS>"""
VRT = '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
GRID = "ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n3 4\n"


@pytest.mark.parametrize(
    ("name", "driver"),
    [
        ("a.jpg", "JPEG"),
        ("a.png", "PNG"),
        ("a.bmp", "BMP"),
        ("a.tif", "GTiff"),
        ("a.webp", "WEBP"),
        ("a.jp2", "JP2OpenJPEG"),
    ],
)
def test_the_driver_follows_from_the_first_bytes_whatever_the_name(tmp_path: Path, name: str, driver: str) -> None:
    path = write(tmp_path / name)
    assert driver_of(path) == driver
    renamed = path.rename(tmp_path / "b.png")
    scene = open_scene(renamed)
    assert scene.layout is not None and (scene.layout.driver, scene.shape) == (driver, (HEIGHT, WIDTH))
    assert read_window(scene, scene.window, (1, 2, 3)).shape == (3, HEIGHT, WIDTH)


def test_big_tiffs_of_both_byte_orders_are_tiffs(tmp_path: Path) -> None:
    for options in ({}, {"bigtiff": "yes"}, {"endianness": "big"}, {"bigtiff": "yes", "endianness": "big"}):
        scene = open_scene(write_tiff(tmp_path / "a.tif", noise(), **options))
        np.testing.assert_array_equal(read_window(scene, scene.window, (1, 2, 3)), noise())


@pytest.mark.parametrize("text", [WMS, VRT, GRID, "http://127.0.0.1:9/a.png", "/etc/passwd", "P5 2 2 255 abcd"])
@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.png"])
def test_a_text_that_is_a_program_for_gdal_is_no_image(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SceneError, match="not a readable image"):
        open_scene(tmp_path / name)
    with pytest.raises(SceneError, match="not a readable image"):
        read_preview(tmp_path / name, 8)


def test_another_format_in_the_place_of_an_image_is_not_opened(tmp_path: Path) -> None:
    """The driver is chosen once: a file that changes after it was looked at is an error, not another program."""
    path = write(tmp_path / "a.jpg")
    path.write_text(VRT)
    with pytest.raises(rasterio.errors.RasterioIOError):
        open_with(path, "JPEG")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def _lost_link(path: Path) -> None:
    path.symlink_to("gone.jpg")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _linked_folder(path: Path) -> None:
    (path.parent / "folder").mkdir()
    path.symlink_to("folder")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("make", [_pipe, _socket, _lost_link, _loop, _linked_folder, Path.touch])
def test_what_is_no_file_with_content_is_passed_over_at_once(
    tmp_path: Path, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "a.jpg")
    with pytest.raises(SceneError, match=r"^passed over: .*a\.jpg"):
        open_scene(tmp_path / "a.jpg")


@pytest.mark.parametrize("ending", ["jgw", "JGW", "wld", "tab"])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_where_the_georeference_is_read_is_an_error_that_names_it(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / "a.jpg")
    os.mkfifo(path.with_suffix(f".{ending}"))
    with pytest.raises(SceneError, match=rf"a\.{ending}"):
        open_scene(path)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_a_world_file_beside_an_image_is_read(tmp_path: Path, name: str) -> None:
    """Its six numbers are a, d, b, e, and the place of the first pixel's centre: the corner is half a pixel off."""
    path = write(tmp_path / name)
    path.with_suffix(".wld").write_text("0.5\n0\n0\n-0.5\n1000.25\n1999.75\n")
    assert open_scene(path).transform == (0.5, 0.0, 1000.0, 0.0, -0.5, 2000.0)


def test_pixels_come_from_the_file_and_not_from_one_beside_it(tmp_path: Path) -> None:
    """A pipe there would be waited on, a VRT would be followed; even a good one changes no pixel."""
    path = write_tiff(tmp_path / "a.tif", noise())
    beside = path.with_name(path.name + ".ovr")
    wanted = read_preview(path, 20)
    with SceneReader(open_scene(path), (1, 2, 3)) as reader:
        shown = reader.preview(20)
    shutil.copy(write_tiff(tmp_path / "b.tif", np.full_like(noise(), 7)), beside)
    np.testing.assert_array_equal(read_preview(path, 20), wanted)
    beside.unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(beside)
    with SceneReader(open_scene(path), (1, 2, 3)) as reader:
        np.testing.assert_array_equal(reader.preview(20), shown)


def test_a_tiff_that_names_another_file_as_its_overviews_is_refused(tmp_path: Path) -> None:
    """GDAL opens whatever that metadata names, an address among it, as soon as a reduced picture is read."""
    path = write_tiff(tmp_path / "a.tif", noise())
    with rasterio.open(path, "r+") as target:
        target.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(tmp_path / "pipe"))
    for read in (open_scene, lambda path: read_preview(path, 8)):
        with pytest.raises(SceneError, match="overviews"):
            read(path)


def test_a_file_that_changes_after_it_was_listed_is_an_error_of_that_image(tmp_path: Path) -> None:
    for pixels in (noise()[:, :20, :20], noise()[:1], noise(3, "uint16")):
        path = write_tiff(tmp_path / "a.tif", noise())
        scene = open_scene(path)
        write_tiff(path, pixels)
        with pytest.raises(SceneError, match="changed"):
            read_window(scene, scene.window, (1, 2, 3))
    path = write(tmp_path / "b.png")
    scene = open_scene(path)
    Image.new("RGB", (WIDTH, HEIGHT)).save(path, "JPEG")
    with pytest.raises(SceneError, match="changed"):
        read_window(scene, scene.window, (1, 2, 3))


def test_threads_that_open_images_leave_the_filters_of_warnings_as_they_were() -> None:
    """The second begins inside of the first's block and leaves it later: nobody waits, and the last puts them back."""
    entered, left = threading.Event(), threading.Event()

    def second() -> None:
        with no_georeference_needed():
            entered.set()
            assert left.wait(10)
            warnings.warn("there is none", NotGeoreferencedWarning, stacklevel=1)

    before = list(warnings.filters)
    thread = threading.Thread(target=second)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with no_georeference_needed():
            thread.start()
            assert entered.wait(10)
        left.set()
        thread.join()
        assert not told
        warnings.warn("there is none", NotGeoreferencedWarning, stacklevel=1)
        assert len(told) == 1
    assert list(warnings.filters) == before


@pytest.mark.parametrize("name", ["a.dng", "a.NEF"])
def test_camera_raw_is_refused_though_its_preview_is_a_tiff(tmp_path: Path, name: str) -> None:
    write_tiff(tmp_path / "a.tif", noise())
    path = (tmp_path / "a.tif").rename(tmp_path / name)
    with pytest.raises(SceneError, match=rf"{name}: camera raw is not read: export"):
        open_scene(path)

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detect.imagery.listing import list_images
from detect.imagery.reading import SceneReader, read_window
from detect.imagery.scenes import Scene, SceneError, open_scene, view
from detect.imagery.windows import Window

HEIGHT, WIDTH = 45, 70
TRANSFORM = (0.5, 0.0, 1000.0, 0.0, -0.5, 2000.0)

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
Make = Callable[[str], Path]


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
    if path.suffix in (".tif", ".tiff"):
        return write_tiff(path, noise(), tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    Image.fromarray(np.moveaxis(noise(), 0, -1)).save(path)
    return path


@pytest.fixture(params=["a.jpg", "a.png", "a.tif", "a.bmp"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    return open_scene(write(tmp_path / request.param))


def whole(scene: Scene) -> np.ndarray:
    """All pixels in one plain read; those of the formats without loss are the ones written."""
    with rasterio.open(scene.path) as source:
        pixels = source.read()
    assert scene.path.suffix == ".jpg" or (pixels == noise()).all()
    return pixels


def test_a_scene_is_described(scene: Scene) -> None:
    assert (scene.shape, scene.dtype, scene.bands) == ((HEIGHT, WIDTH), "uint8", 3)
    assert (scene.transform, scene.crs, scene.nodata, scene.origin) == (None, None, None, (0, 0))
    assert scene.window == Window(0, 0, HEIGHT, WIDTH)


def test_a_window_inside_is_a_slice_with_the_bands_in_the_order_asked_for(scene: Scene) -> None:
    pixels = read_window(scene, Window(7, 20, 30, 13), (3, 1))
    np.testing.assert_array_equal(pixels, whole(scene)[[2, 0], 7:37, 20:33])
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize(
    "window",
    [
        Window(-9, -5, 30, 20),
        Window(30, 60, 40, 40),
        Window(-200, -300, 450, 700),
        Window(-30, 10, 10, 5),
        Window(90, 200, 4, 4),
    ],
)
def test_a_window_over_the_edge_is_mirrored(scene: Scene, window: Window) -> None:
    """Also windows that do not touch the image at all."""
    padded = np.pad(whole(scene), ((0, 0), (300, 300), (300, 400)), mode="reflect")
    top, left = window.row + 300, window.col + 300
    wanted = padded[:, top : top + window.height, left : left + window.width]
    np.testing.assert_array_equal(read_window(scene, window, (1, 2, 3)), wanted)


def test_a_raster_keeps_its_georeference_and_nodata(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", noise(5, "uint16"), crs="EPSG:32617", transform=TRANSFORM, nodata=7)
    scene = open_scene(path)
    assert (scene.dtype, scene.bands, scene.nodata, scene.transform) == ("uint16", 5, 7, TRANSFORM)
    assert scene.crs is not None and "UTM zone 17N" in scene.crs
    np.testing.assert_array_equal(read_window(scene, scene.window, (5,)), noise(5, "uint16")[4:])


def test_one_pixel_is_a_scene(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "a.png")
    pixels = read_window(open_scene(tmp_path / "a.png"), Window(-2, -3, 4, 9), (1, 2, 3))
    np.testing.assert_array_equal(pixels, np.broadcast_to(np.array([1, 2, 3])[:, None, None], (3, 4, 9)))


@given(data=st.data())
@settings(deadline=None, max_examples=30)
def test_a_view_is_the_image_of_its_rectangle(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Reading a view equals reading a file of the cut-out pixels, mirrored at the view's own edges."""
    path = tmp_path_factory.getbasetemp() / "view.tif"
    if not path.exists():
        write(path)
    row, col = data.draw(st.integers(0, HEIGHT - 1)), data.draw(st.integers(0, WIDTH - 1))
    box = Window(row, col, data.draw(st.integers(1, HEIGHT - row)), data.draw(st.integers(1, WIDTH - col)))
    part = view(open_scene(path), box)
    assert part.shape == (box.height, box.width)
    pixels = noise()[:, box.row : box.row_stop, box.col : box.col_stop]
    top, left = data.draw(st.integers(-20, 20)), data.draw(st.integers(-20, 20))
    window = Window(top, left, data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20)))
    padded = np.pad(pixels, ((0, 0), (40, 40), (40, 40)), mode="reflect")
    wanted = padded[:, top + 40 : top + 40 + window.height, left + 40 : left + 40 + window.width]
    np.testing.assert_array_equal(read_window(part, window, (1, 2, 3)), wanted)


def test_a_view_of_a_view(scene: Scene) -> None:
    inner = view(view(scene, Window(5, 10, 30, 40)), Window(2, 3, 8, 9))
    assert inner.origin == (7, 13)
    np.testing.assert_array_equal(read_window(inner, inner.window, (1, 2, 3)), whole(scene)[:, 7:15, 13:22])
    with pytest.raises(ValueError, match=r"does not lie in the scene of \(8, 9\)"):
        view(inner, Window(0, 0, 9, 9))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.bmp"])
@pytest.mark.parametrize("share", [0.5, 0.98])
def test_a_file_cut_short_is_an_error_and_never_filled(tmp_path: Path, name: str, share: float) -> None:
    """Cores of a half-written photograph must not be counted as empty ground."""
    path = write(tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SceneError, match=f"{name}: .*(damaged|not a readable)"):
        scene = open_scene(path)
        read_window(scene, scene.window, (1, 2, 3))


def test_bytes_changed_in_a_png_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(SceneError, match="damaged"):
        read_window(open_scene(path), Window(0, 0, HEIGHT, WIDTH), (1, 2, 3))


@pytest.mark.parametrize("text", [b"", b"not an image at all"])
def test_a_file_that_is_no_image(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(text)
    with pytest.raises(SceneError, match=r"a\.jpg: not a readable image"):
        open_scene(tmp_path / "a.jpg")


def test_a_scene_that_is_held_reads_as_one_that_is_not_and_never_again(scene: Scene, tmp_path: Path) -> None:
    """What JPEG and PNG need: the file is decoded once, whichever windows are asked for, over the edges too."""
    windows = [Window(3, 5, 20, 30), Window(-9, 50, 70, 40), scene.window]
    with SceneReader(scene, (3, 1)) as reader:
        wanted = [reader.read(window) for window in windows]
    with SceneReader(scene, (3, 1)) as reader:
        assert reader.nbytes == 2 * HEIGHT * WIDTH
        reader.hold()
        reader._source.close()
        for window, pixels in zip(windows, wanted, strict=True):
            np.testing.assert_array_equal(reader.read(window), pixels)
        np.testing.assert_array_equal(reader.preview(1000), whole(scene)[[2, 0]])
        assert reader.preview(35).shape == (2, 22, 35)  # 45 / 2 is 22.5, which is rounded to the even number


@pytest.mark.parametrize("held", [False, True])
def test_a_held_view_is_its_rectangle_alone(scene: Scene, held: bool) -> None:
    part = view(scene, Window(7, 9, 20, 31))
    with SceneReader(part, (2,)) as reader:
        if held:
            reader.hold()
        np.testing.assert_array_equal(reader.read(part.window), whole(scene)[1:2, 7:27, 9:40])
        assert reader.nbytes == 20 * 31 and reader.preview(1000).shape == (1, 20, 31)


@pytest.mark.parametrize(
    ("name", "profile", "windowed"),
    [
        ("a.jpg", {}, False),
        ("a.png", {}, False),
        ("a.bmp", {}, False),
        ("tiled.tif", {"tiled": True, "blockxsize": 16, "blockysize": 16}, True),
        ("striped.tif", {"blockysize": 2}, True),
        ("whole.tif", {"blockysize": 32}, False),  # a strip of 32 of the 45 rows is more than a quarter
    ],
)
def test_a_part_can_be_read_of_tiled_and_striped_rasters_alone(
    tmp_path: Path, name: str, profile: dict, windowed: bool
) -> None:
    path = write_tiff(tmp_path / name, noise(), **profile) if profile else write(tmp_path / name)
    assert open_scene(path).windowed is windowed


def test_a_missing_file_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"a\.jpg: no such image file"):
        open_scene(tmp_path / "a.jpg")
    with pytest.raises(SceneError, match="no such image file"):
        open_scene(tmp_path)


def test_a_file_that_went_away_after_it_was_opened(scene: Scene) -> None:
    scene.path.unlink()
    with pytest.raises(SceneError, match=rf"{scene.path.name}: damaged or unreadable"):
        read_window(scene, scene.window, (1,))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_pixels_that_are_no_number_are_an_error_only_where_they_are_read(tmp_path: Path, bad: float) -> None:
    """A network would spread them over its whole receptive field and find nothing there."""
    pixels = noise(1, "float32")
    pixels[0, 20, 30] = bad
    scene = open_scene(write_tiff(tmp_path / "a.tif", pixels))
    np.testing.assert_array_equal(read_window(scene, Window(0, 0, 20, 70), (1,)), pixels[:, :20])
    with pytest.raises(SceneError, match=r"a\.tif: NaN or infinite pixels near .*fill them first"):
        read_window(scene, Window(15, 25, 10, 10), (1,))


def test_palette_colours_are_an_error_with_a_way_out(tmp_path: Path) -> None:
    """Their numbers are places in a table, not brightness."""
    Image.fromarray(np.moveaxis(noise(), 0, -1)).quantize(8).save(tmp_path / "a.png")
    with pytest.raises(SceneError, match="palette; convert the image"):
        open_scene(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("bands", "message"),
    [((1, 2, 3), "band 3 is asked for, the image has 1"), ((0,), "numbered from 1"), ((), "numbered from 1")],
)
def test_bands_that_the_image_does_not_have(tmp_path: Path, bands: tuple[int, ...], message: str) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(SceneError, match=message):
        read_window(open_scene(tmp_path / "a.png"), Window(0, 0, 2, 2), bands)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def touch(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path

    return touch


def test_the_images_of_a_folder_are_found_at_any_depth_in_any_case(make: Make, tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a.Tiff", "b/c/1.jpeg", "notes.txt", "d.png.aux.xml", "e.vrt"):
        make(name)
    (tmp_path / "folder.png").mkdir()
    assert list_images(tmp_path) == [(name, tmp_path / name) for name in ("a.Tiff", "b/2.JPG", "b/c/1.jpeg", "e.vrt")]


def test_one_file_is_called_by_its_name(make: Make) -> None:
    path = make("deep/a[1].png")
    assert list_images(path) == [("a[1].png", path)]


def test_a_pattern_names_images_below_the_folder_that_they_share(make: Make, tmp_path: Path) -> None:
    one, two = make("x/one/1.png"), make("x/two/1.png")
    make("x/two/1.jpg")
    assert list_images(tmp_path / "x/**/*.png") == [("one/1.png", one), ("two/1.png", two)]
    assert list_images(tmp_path / "x/t*/*.png") == [("1.png", two)]


@pytest.mark.parametrize("name", ["", "*.png", "missing.png"])
def test_nothing_found_is_an_error_that_names_what_was_looked_for(make: Make, tmp_path: Path, name: str) -> None:
    make("notes.txt")
    with pytest.raises(FileNotFoundError, match=f"no images at .*{name[-4:]}: give a folder, a file or a pattern"):
        list_images(tmp_path / name)

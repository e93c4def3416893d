"""Windows of scenes, over the edges, from any format, as the file has them and resampled."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detect.imagery import reading
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader, read_window
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene, SceneError, original, view
from detect.imagery.windows import Window
from tests.imagery.rasters import HEIGHT, WIDTH, noise, whole, write, write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


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


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.bmp"])
@pytest.mark.parametrize("share", [0.5, 0.98])
def test_a_file_cut_short_is_an_error_and_never_filled(tmp_path: Path, name: str, share: float) -> None:
    """Cores of a half-written photograph must not be counted as empty ground."""
    path = write(tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SceneError, match=name):
        scene = open_scene(path)
        read_window(scene, scene.window, (1, 2, 3))


def test_bytes_changed_in_a_png_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(SceneError, match=r"a\.png"):
        read_window(open_scene(path), Window(0, 0, HEIGHT, WIDTH), (1, 2, 3))


def test_a_scene_in_memory_reads_as_one_on_disk_and_its_file_is_not_read_again(scene: Scene, tmp_path: Path) -> None:
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
        assert reader.preview(35).shape == (2, 23, 35)  # squares of 2, of which the last row is cut


@pytest.mark.parametrize("held", [False, True])
def test_a_view_in_memory_is_its_rectangle_alone(scene: Scene, held: bool) -> None:
    part = view(scene, Window(7, 9, 20, 31))
    with SceneReader(part, (2,)) as reader:
        if held:
            reader.hold()
        np.testing.assert_array_equal(reader.read(part.window), whole(scene)[1:2, 7:27, 9:40])
        assert reader.nbytes == 20 * 31 and reader.preview(1000).shape == (1, 20, 31)


def test_a_file_deleted_after_it_was_opened_is_an_error_that_names_it(scene: Scene) -> None:
    scene.path.unlink()
    with pytest.raises(SceneError, match=scene.path.name):
        read_window(scene, scene.window, (1,))


def test_infinite_pixels_are_an_error_only_where_they_are_read(tmp_path: Path) -> None:
    """A network would spread them over its whole receptive field and find nothing there."""
    pixels = noise(1, "float32")
    pixels[0, 20, 30] = np.inf
    scene = open_scene(write_tiff(tmp_path / "a.tif", pixels))
    np.testing.assert_array_equal(read_window(scene, Window(0, 0, 20, 70), (1,)), pixels[:, :20])
    with pytest.raises(SceneError, match=r"a\.tif.*row=15, col=25.*infinite"):
        read_window(scene, Window(15, 25, 10, 10), (1,))


SCALES = st.sampled_from([0.13, 0.37, 0.5, 0.71, 1.0, 1.3, 2.0, 3.7])


@pytest.fixture(scope="module", params=["a.jpg", "a.png", "a.tif"])
def kept_scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return open_scene(write(tmp_path_factory.mktemp("zoom") / request.param))


@given(scale=SCALES, data=st.data(), strip=st.sampled_from([1, 200, 1 << 21]))
@settings(deadline=None, max_examples=40)
def test_a_window_of_a_resampled_scene_is_that_part_of_the_whole(
    kept_scene: Scene, scale: float, data: st.DataObject, strip: int
) -> None:
    """Bit for bit, over the edges too, whichever format and however much is resampled at once: no seam can show."""
    scaled = Resolution(scale).resampled(kept_scene)
    whole = read_window(scaled, scaled.window, (2, 1))
    height, width = scaled.shape
    assert whole.shape == (2, max(1, round(HEIGHT * scale)), max(1, round(WIDTH * scale))) and whole.dtype == np.uint8
    top, left = data.draw(st.integers(-height, 2 * height)), data.draw(st.integers(-width, 2 * width))
    window = Window(top, left, data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60)))
    reach = 3 * max(height, width) + 60
    wanted = np.pad(whole, ((0, 0), (reach, reach), (reach, reach)), "reflect" if min(height, width) > 1 else "edge")
    with pytest.MonkeyPatch.context() as patch, SceneReader(scaled, (2, 1)) as reader:
        patch.setattr(reading, "STRIP_PIXELS", strip)
        found = [reader.read(window)]
        reader.hold()
        found.append(reader.read(window))
    part = wanted[:, reach + top : reach + window.row_stop, reach + left : reach + window.col_stop]
    for pixels in found:
        np.testing.assert_array_equal(pixels, part)


def test_the_memory_of_a_resampled_scene_is_that_of_its_larger_side(tmp_path: Path) -> None:
    """45 x 70 pixels in blocks of 16 x 16: a part can be read alone, at any scale; a photograph is decoded whole."""
    raster, photo = (open_scene(write(tmp_path / name)) for name in ("a.tif", "a.png"))
    for scale, nbytes in ((1 / 3, 3 * 45 * 70), (3, 3 * 135 * 210)):
        scaled = Resolution(scale).resampled(raster)
        assert scaled.windowed and not Resolution(scale).resampled(photo).windowed
        assert scaled.file_pixels == 45 * 70 and SceneReader(scaled, (1, 2, 3)).nbytes == nbytes


def test_a_preview_of_a_resampled_scene_shows_all_of_it(tmp_path: Path) -> None:
    """Left half 40, right half 200; from the file or from memory."""
    pixels = np.where(np.arange(64) < 32, 40, 200).astype(np.uint8)[None, None].repeat(48, axis=1)
    scaled = Resolution(0.5).resampled(open_scene(write_tiff(tmp_path / "a.tif", pixels)))
    with SceneReader(scaled, (1,)) as reader:
        previews = [reader.preview(8)]
        reader.hold()
        previews.append(reader.preview(8))
    for preview in previews:
        assert preview.shape == (1, 6, 8)
        assert (preview[:, :, :4] == 40).all() and (preview[:, :, 4:] == 200).all()


def test_resampling_reads_the_pixels_of_a_file_and_not_its_overviews(tmp_path: Path) -> None:
    """Overviews of nothing but 255 change no pixel."""
    path = write_tiff(tmp_path / "a.tif", noise())
    scaled = Resolution(0.5).resampled(open_scene(path))
    before = read_window(scaled, scaled.window, (1,))
    with rasterio.open(path, "r+") as target:
        target.write(np.full_like(noise(), 255))
        target.build_overviews([2], rasterio.enums.Resampling.nearest)
    with rasterio.open(path, "r+") as target:
        target.write(noise())
        assert target.overviews(1) == [2]
    np.testing.assert_array_equal(read_window(scaled, scaled.window, (1,)), before)


def test_a_part_of_a_resampled_scene_and_a_resampled_part(tmp_path: Path) -> None:
    """At a half, rows 10 to 30 of 45 x 70 pixels are rows 5 to 15 of the result; averages of squares of two."""
    scene = open_scene(write(tmp_path / "a.png"))
    halves = noise()[:, :44].reshape(3, 22, 2, 35, 2).astype(float).mean(axis=(2, 4))
    cut = Resolution(0.5).resampled(view(scene, Window(10, 20, 20, 40)))
    assert (cut.shape, cut.factor_xy, cut.file_pixels) == ((10, 20), (0.5, 0.5), 800)
    np.testing.assert_array_equal(read_window(cut, cut.window, (1, 2, 3)), np.rint(halves[:, 5:15, 10:30]))
    inner = view(cut, Window(2, 3, 5, 6))
    np.testing.assert_array_equal(read_window(inner, inner.window, (1, 2, 3)), np.rint(halves[:, 7:12, 13:19]))
    assert original(cut) == view(scene, Window(10, 20, 20, 40))
    assert original(inner) == view(scene, Window(14, 26, 10, 12))
    assert original(scene) is scene


def test_the_picture_of_a_photograph_is_averages_of_its_squares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 x 61 pixels at a longest side of 16 are squares of 4 (61 / 16 = 3.8): 13 x 16, the last ones cut.

    It is the same of pixels in a larger array, as those of a tile are.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (3, 50, 61), np.uint8)
    Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / "a.png")
    with SceneReader(open_scene(tmp_path / "a.png"), (1, 2, 3)) as reader:
        reader.hold()
        shown = reader.preview(16)
        apart = np.zeros((3, 70, 90), np.uint8)[:, 9:59, 11:72]
        reader.hold(into=apart)
        monkeypatch.setattr(reading, "COPIED_BYTES", 500)
        assert (apart == pixels).all() and (reader.preview(16) == shown).all()
    assert shown.shape == (3, 13, 16) and shown.dtype == np.uint8
    means = [[pixels[:, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4].mean(axis=(1, 2)) for j in range(16)] for i in range(13)]
    np.testing.assert_allclose(shown, np.array(means).transpose(2, 0, 1), rtol=0, atol=0.51)

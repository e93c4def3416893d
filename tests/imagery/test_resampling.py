"""Resampled pixels: known answers, and the law that a window of what is seen is that part of the whole."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.imagery import reading
from detect.imagery.reading import SceneReader, read_window
from detect.imagery.resampling import Zoom, axis_filter, resampled
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene, open_scene, original, view
from detect.imagery.windows import Window
from tests.imagery.test_scenes import HEIGHT, WIDTH, noise, write, write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def row(values: list[float], target: int, dtype: str = "float64", nodata: float | None = None) -> list[float]:
    """One row of pixels seen as `target` pixels."""
    pixels = np.array(values, dtype).reshape(1, 1, -1)
    return resampled(pixels, axis_filter(0, 1, 1, 1), axis_filter(0, target, len(values), target), nodata)[
        0, 0
    ].tolist()


def test_where_it_shrinks_a_pixel_is_the_average_of_what_it_covers() -> None:
    """Of 3 pixels seen as 2, the first covers one and a half: (0 + 30 / 2) / 1.5 = 10, and (30 / 2 + 90) / 1.5 = 70."""
    assert row([10, 20, 30, 50], 2) == [15, 40]
    assert row([0, 30, 90], 2) == pytest.approx([10, 70])
    assert row([4, 8, 0, 0, 3, 0], 1) == [2.5]


def test_where_it_grows_a_pixel_lies_between_its_nearest_two() -> None:
    """The middles of 4 pixels lie at 0.25, 0.75, 1.25, 1.75 of 2, whose own lie at 0.5 and 1.5."""
    assert row([0, 100], 4) == [0, 25, 75, 100]
    assert row([0, 90], 3) == pytest.approx([0, 45, 90])
    assert row([7], 3) == [7, 7, 7]


def test_whole_numbers_are_rounded_and_keep_within_their_range() -> None:
    """(1 + 2 + 2) / 3 is 1.67; the ends of every whole number's range come out as they are."""
    assert row([1, 2, 2, 255, 255, 255], 2, "uint8") == [2, 255]
    for dtype in ("uint8", "int16", "uint16", "int32", "uint32"):
        for end in (np.iinfo(dtype).min, np.iinfo(dtype).max):
            for target in (3, 16):
                assert row([end] * 7, target, dtype) == [end] * target


def test_nothing_is_made_of_pixels_that_hold_nothing() -> None:
    """-9999 would weigh as a number; each pixel that it goes into holds nothing."""
    assert row([1, 3, -9999, 5, 6, 8], 3, "float32", -9999) == [2, -9999, 7]
    assert row([0, 4, 4, 4], 8, "uint8", 0) == [0, 0, 0, 4, 4, 4, 4, 4]


def test_a_zoom_says_its_factors() -> None:
    zoom = Zoom(Window(5, 6, 20, 40), (10, 100))
    assert zoom.factor_xy == (2.5, 0.5)
    with pytest.raises(ValueError, match=r"height and width of 1 or more, got \(0, 3\)"):
        Zoom(Window(0, 0, 2, 2), (0, 3))


@given(length=st.integers(1, 200), target=st.integers(1, 200), data=st.data())
@settings(deadline=None)
def test_weights_add_up_and_lie_where_the_pixel_does(length: int, target: int, data: st.DataObject) -> None:
    """Shrunk, every source pixel weighs the same in all; grown, pixel i is made of what lies evenly around its middle.

    That is (i + 0.5) * length / target; next to the edges there is nothing on one side.
    """
    start = data.draw(st.integers(0, target - 1))
    stop = data.draw(st.integers(start + 1, target))
    filters, whole = axis_filter(start, stop, length, target), axis_filter(0, target, length, target)
    np.testing.assert_array_equal(filters.index, whole.index[start:stop])
    np.testing.assert_array_equal(filters.weight, whole.weight[start:stop])
    np.testing.assert_allclose(whole.weight.sum(axis=1), 1)
    assert (whole.weight >= 0).all() and whole.start >= 0 and whole.stop <= length
    if target < length:
        weight = np.bincount(whole.index.ravel(), whole.weight.ravel(), length)
        np.testing.assert_allclose(weight, target / length)
        return
    middle = (np.arange(target) + 0.5) * length / target
    inner = (middle >= 0.5) & (middle <= length - 0.5)
    np.testing.assert_allclose(((whole.index + 0.5) * whole.weight).sum(axis=1)[inner], middle[inner])


SCALES = st.sampled_from([0.13, 0.37, 0.5, 0.71, 1.0, 1.3, 2.0, 3.7])


@pytest.fixture(scope="module", params=["a.jpg", "a.png", "a.tif"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return open_scene(write(tmp_path_factory.mktemp("zoom") / request.param))


@given(scale=SCALES, data=st.data(), strip=st.sampled_from([1, 200, 1 << 21]))
@settings(deadline=None, max_examples=40)
def test_a_window_of_a_resampled_scene_is_that_part_of_the_whole(
    scene: Scene, scale: float, data: st.DataObject, strip: int
) -> None:
    """Bit for bit, over the edges too, whichever format and however much is resampled at once: no seam can show."""
    seen = Resolution(scale).seen(scene)
    whole = read_window(seen, seen.window, (2, 1))
    height, width = seen.shape
    assert whole.shape == (2, max(1, round(HEIGHT * scale)), max(1, round(WIDTH * scale))) and whole.dtype == np.uint8
    top, left = data.draw(st.integers(-height, 2 * height)), data.draw(st.integers(-width, 2 * width))
    window = Window(top, left, data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60)))
    reach = 3 * max(height, width) + 60
    wanted = np.pad(whole, ((0, 0), (reach, reach), (reach, reach)), "reflect" if min(height, width) > 1 else "edge")
    with pytest.MonkeyPatch.context() as patch, SceneReader(seen, (2, 1)) as reader:
        patch.setattr(reading, "STRIP_PIXELS", strip)
        found = [reader.read(window)]
        reader.hold()
        found.append(reader.read(window))
    part = wanted[:, reach + top : reach + window.row_stop, reach + left : reach + window.col_stop]
    for pixels in found:
        np.testing.assert_array_equal(pixels, part)


def test_a_part_of_a_resampled_scene_and_a_resampled_part(tmp_path: Path) -> None:
    """At a half, rows 10 to 30 of 45 x 70 pixels are rows 5 to 15 of what is seen; averages of squares of two."""
    scene = open_scene(write(tmp_path / "a.png"))
    halves = noise()[:, :44].reshape(3, 22, 2, 35, 2).astype(float).mean(axis=(2, 4))
    cut = Resolution(0.5).seen(view(scene, Window(10, 20, 20, 40)))
    assert (cut.shape, cut.factor_xy, cut.file_pixels) == ((10, 20), (0.5, 0.5), 800)
    np.testing.assert_array_equal(read_window(cut, cut.window, (1, 2, 3)), np.rint(halves[:, 5:15, 10:30]))
    inner = view(cut, Window(2, 3, 5, 6))
    np.testing.assert_array_equal(read_window(inner, inner.window, (1, 2, 3)), np.rint(halves[:, 7:12, 13:19]))
    assert original(cut) == view(scene, Window(10, 20, 20, 40))
    assert original(inner) == view(scene, Window(14, 26, 10, 12))
    assert original(scene) is scene


def test_a_resampled_scene_says_what_it_takes_to_decode(tmp_path: Path) -> None:
    """45 x 70 pixels in blocks of 16 x 16: a part can be read alone, at any scale; a photograph is decoded whole."""
    raster, photo = (open_scene(write(tmp_path / name)) for name in ("a.tif", "a.png"))
    for scale, nbytes in ((1 / 3, 3 * 45 * 70), (3, 3 * 135 * 210)):
        seen = Resolution(scale).seen(raster)
        assert seen.windowed and not Resolution(scale).seen(photo).windowed
        assert seen.file_pixels == 45 * 70 and SceneReader(seen, (1, 2, 3)).nbytes == nbytes


def test_a_small_picture_of_a_resampled_scene_shows_all_of_it(tmp_path: Path) -> None:
    """Left half 40, right half 200; from the file or from what is held."""
    pixels = np.where(np.arange(64) < 32, 40, 200).astype(np.uint8)[None, None].repeat(48, axis=1)
    seen = Resolution(0.5).seen(open_scene(write_tiff(tmp_path / "a.tif", pixels)))
    with SceneReader(seen, (1,)) as reader:
        previews = [reader.preview(8)]
        reader.hold()
        previews.append(reader.preview(8))
    for preview in previews:
        assert preview.shape == (1, 6, 8)
        assert (preview[:, :, :4] == 40).all() and (preview[:, :, 4:] == 200).all()


def test_overviews_of_a_file_are_not_taken_for_its_pixels(tmp_path: Path) -> None:
    """Overviews of nothing but 255: what is seen is made from the pixels themselves."""
    path = write_tiff(tmp_path / "a.tif", noise())
    seen = Resolution(0.5).seen(open_scene(path))
    before = read_window(seen, seen.window, (1,))
    with rasterio.open(path, "r+") as target:
        target.write(np.full_like(noise(), 255))
        target.build_overviews([2], rasterio.enums.Resampling.nearest)
    with rasterio.open(path, "r+") as target:
        target.write(noise())
        assert target.overviews(1) == [2]
    np.testing.assert_array_equal(read_window(seen, seen.window, (1,)), before)

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import read_window
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene, SceneError, view
from detect.imagery.windows import Window, reflect
from detect.samples.pixel_cache import PixelSource


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    paths = {name: tmp_path_factory.mktemp("files") / f"a.{name}" for name in ("jpg", "png", "tif")}
    for path in paths.values():
        Image.fromarray(pixels).save(path)
    return paths


@pytest.mark.parametrize("name", ["jpg", "png", "tif"])
@pytest.mark.parametrize("budget", [1 << 20, 0])
@given(data=st.data())
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_reads_what_the_file_says(files, name: str, budget: int, data: st.DataObject) -> None:
    """Kept in memory, spilled to a file (a budget of nothing) or read by window; of whole images and of parts.

    Resampled ones are kept beside one another: parts of one image are seen each by itself.
    """
    scene: Scene = open_scene(files[name])
    source = PixelSource((3, 1), budget)
    row, col = data.draw(st.integers(0, 39)), data.draw(st.integers(0, 29))
    part = view(scene, Window(row, col, data.draw(st.integers(1, 40 - row)), data.draw(st.integers(1, 30 - col))))
    seen = [Resolution(data.draw(st.sampled_from([0.4, 1.0, 1.7]))).resampled(each) for each in (scene, part)]
    inner = view(seen[1], Window(0, 0, *(-(-side // 2) for side in seen[1].shape)))
    for each in (scene, part, *seen, inner, scene):
        at = Window(
            *(data.draw(st.integers(-50, 50)) for _ in range(2)), *(data.draw(st.integers(1, 60)) for _ in range(2))
        )
        found = source.read(each, at)
        np.testing.assert_array_equal(found, read_window(each, at, (3, 1)))
        found[:] = 0  # what is handed out is a copy: the next read sees the file's pixels again


def test_photographs_are_decoded_once_up_to_the_budget(files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bands of 40 x 30 bytes are 2400: the first fits into 3000, the second is spilled."""
    source = PixelSource((1, 2), 3000)
    scenes = [open_scene(files["jpg"]), open_scene(files["png"])]
    source.preload(scenes)
    assert source.resident == 2400
    wanted = [read_window(scene, scene.window, (1, 2)) for scene in scenes]
    monkeypatch.setattr("detect.samples.pixel_cache.SceneReader", lambda *_: pytest.fail("read again"))
    for scene, pixels in zip(scenes, wanted, strict=True):
        np.testing.assert_array_equal(source.read(scene, scene.window), pixels)


@pytest.mark.parametrize("name", ["jpg", "png", "bmp"])
@pytest.mark.parametrize("budget", [1 << 30, 0])
def test_a_photograph_is_in_memory_once_while_it_is_decoded(tmp_path: Path, name: str, budget: int) -> None:
    """Of 700 x 900 pixels and three bands, 1.89 MB: neither kept nor spilled ones are there in a second order too."""
    pixels = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a.{name}")
    scene, source = open_scene(tmp_path / f"a.{name}"), PixelSource((1, 2, 3), budget)
    source.preload([open_scene(tmp_path / f"a.{name}")])  # imports are not counted
    source = PixelSource((1, 2, 3), budget)
    tracemalloc.start()
    try:
        source.preload([scene])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    valid = pixels.size // 3
    assert peak < pixels.nbytes + 2 * valid + 500_000
    if name != "jpg":
        np.testing.assert_array_equal(source.read(scene, scene.window), pixels.transpose(2, 0, 1))


def test_a_damaged_photograph_is_found_before_training(files, tmp_path: Path) -> None:
    data = files["jpg"].read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(SceneError, match=r"cut\.jpg: damaged"):
        PixelSource((1,), 1 << 30).preload([open_scene(tmp_path / "cut.jpg")])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("budget", [1 << 20, 0])
@given(data=st.data())
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_valid_pixels_come_with_the_pixels(
    tmp_path_factory: pytest.TempPathFactory, name: str, budget: int, data: st.DataObject
) -> None:
    """Of windows inside and beyond whole images and parts, mirrored as the pixels are; the mask counts as memory."""
    path = tmp_path_factory.getbasetemp() / "masked" / name
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(0).integers(1, 256, (40, 30, 4), dtype=np.uint8)
    pixels[5:20, 12:, 3] = 0
    Image.fromarray(pixels).save(path)
    scene, source = open_scene(path), PixelSource((1, 2, 3), budget)
    row, col = data.draw(st.integers(0, 39)), data.draw(st.integers(0, 29))
    part = view(scene, Window(row, col, data.draw(st.integers(1, 40 - row)), data.draw(st.integers(1, 30 - col))))
    whole = pixels[..., 3] > 0
    for each in (scene, part):
        at = Window(
            *(data.draw(st.integers(-50, 50)) for _ in range(2)), *(data.draw(st.integers(1, 60)) for _ in range(2))
        )
        found, valid = source.read_valid(each, at)
        rows = each.origin[0] + reflect(at.row, at.row_stop, each.shape[0])
        cols = each.origin[1] + reflect(at.col, at.col_stop, each.shape[1])
        np.testing.assert_array_equal(valid, whole[rows][:, cols])
        np.testing.assert_array_equal(found[:, valid], np.moveaxis(pixels[rows][:, cols, :3], -1, 0)[:, valid])
    assert source.resident == (40 * 30 * 4 if name == "a.png" and budget else 0)

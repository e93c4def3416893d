"""Deflated TIFFs are read in strips, each checked: the same pixels however high a strip is, in little memory aside."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import rasterio

from detect.imagery import checked_reading
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.reading import SceneReader
from detect.imagery.windows import Window

SIDE, BLOCK = 1024, 64


@pytest.fixture(scope="module")
def deflated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """Return a TIFF of four bands of bytes whose values of a pixel stand side by side, and its pixels."""
    pixels = np.random.default_rng(0).integers(0, 9, (4, SIDE, SIDE), dtype=np.uint8)
    path = tmp_path_factory.mktemp("deflated") / "a.tif"
    profile = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "interleave": "pixel"}
    with rasterio.open(
        path, "w", driver="GTiff", dtype="uint8", count=4, height=SIDE, width=SIDE, photometric="MINISBLACK", **profile
    ) as target:
        target.write(pixels)
    return path, pixels


@pytest.mark.parametrize("strip_bytes", [1, 3 * BLOCK * SIDE * 4, 1 << 24])
@pytest.mark.parametrize("bands", [[1, 2, 3, 4], [2, 4]])
def test_pixels_are_the_same_in_strips_of_any_height(
    deflated: tuple[Path, np.ndarray], strip_bytes: int, bands: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of blocks, three (2 in the last strip of 14 that are touched), and the whole window at once."""
    monkeypatch.setattr(checked_reading, "STRIP_BYTES", strip_bytes)
    monkeypatch.setattr(checked_reading, "ASIDE_BYTES", strip_bytes)
    path, pixels = deflated
    with SceneReader(open_scene(path), bands) as reader:
        found = reader.read(Window(70, 33, 850, 900))
        assert not reader.damaged
    np.testing.assert_array_equal(found, pixels[[band - 1 for band in bands], 70:920, 33:933])


def test_bands_that_were_not_asked_for_take_two_strips_of_memory(deflated: tuple[Path, np.ndarray]) -> None:
    """All four bands are 4 MiB; aside lie a strip of 1 MiB, the one before it, and what its sums take."""
    path, pixels = deflated
    scene = open_scene(path)
    with SceneReader(scene, [1, 2, 3]) as reader:
        into = np.empty((3, SIDE, SIDE), np.uint8)
        tracemalloc.start()
        try:
            reader.read_valid(scene.window, into)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    np.testing.assert_array_equal(into, pixels[:3])
    assert peak < 3 << 20

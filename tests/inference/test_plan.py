"""What `max_memory` leaves: tiles, photographs, maps; and images that are too large to be decoded whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image
from torch import nn

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import Scene, SceneError
from detect.inference.engine import Engine
from detect.inference.plan import layer_bytes, make_plan
from detect.inference.run import count_scene
from detect.inference.runtimes.torch_runtime import TorchRuntime
from tests.engines import assert_same_objects, coarse, disc_net, lively

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
MIB = 1 << 20


def test_a_tile_takes_five_eighths_of_the_budget_at_most_and_shrinks_with_it() -> None:
    """At 100 bytes a pixel those of 512 MiB are 3.4 megapixels, of 64 MiB 0.42; there are none of more than 20."""
    areas = []
    for mib in (16, 64, 128, 512, 1024, 8192):
        plan = make_plan(mib * MIB, 100.0, 64, 16)
        assert plan.area * 100 <= mib * MIB * 5 / 8
        assert (plan.photograph, plan.stitched) == (mib * MIB // 4, mib * MIB // 32)
        height, width = plan.tiling((30000, 20000)).tile_hw
        assert plan.area * 0.5 < height * width <= plan.area * 1.1
        areas.append(plan.area)
    assert areas[0] == 16 * MIB * 5 // 800 and areas == sorted(areas) and len(set(areas)) == 6
    assert areas[-1] == make_plan(64 << 30, 100.0, 64, 16).area


def test_a_budget_too_small_is_refused_with_the_one_that_does() -> None:
    """A halo of 176 and 4 cells of 16 are tiles of 416 pixels; 1,000 bytes a pixel are 5/8 of 265 MiB."""
    with pytest.raises(ValueError, match=r"max_memory=100MiB.* 416 .* 265MiB"):
        make_plan(100 * MIB, 1000.0, 176, 16)
    with pytest.raises(ValueError, match=" 265MiB"):
        make_plan(264 * MIB, 1000.0, 176, 16)
    assert make_plan(265 * MIB, 1000.0, 176, 16).tiling((5000, 5000)).core_hw[0] >= 16


def test_a_tile_that_the_user_asks_for_is_kept() -> None:
    plan = make_plan(1 * MIB, 1000.0, 64, 16, 500)
    assert (plan.tile, plan.area) == (500, 250_000) and max(plan.tiling((5000, 5000)).tile_hw) <= 500


def test_tiles_of_a_plan_begin_where_the_deepest_features_do() -> None:
    """Cores of a map of stride 8 are multiples of 64, by default, and with a tile that the user asks for (500).

    A halo of 64 and one step of 64 are tiles of 192: at 1,000 bytes a pixel 5/8 of 57 MiB. Four cells of 8 would do
    with 160.
    """
    for tile in (None, 500):
        plan = make_plan(256 * MIB, 1000.0, 128, 8, tile, align=64)
        for shape in ((5000, 7777), (300, 20), (64, 64)):
            grid = plan.tiling(shape)
            assert grid.stride == 8 and not any(side % 64 for side in grid.core_hw)
            assert tile is None or max(grid.tile_hw) <= 500
    with pytest.raises(ValueError, match=r" 192 .* 57MiB"):
        make_plan(56 * MIB, 1000.0, 64, 8, align=64)
    assert make_plan(57 * MIB, 1000.0, 64, 8, align=64).tiling((900, 900)).core_hw == (64, 64)
    make_plan(56 * MIB, 1000.0, 64, 8).tiling((900, 900))


def test_small_scenes_share_a_batch_of_no_more_pixels_than_the_largest_tile() -> None:
    """5/8 MiB at 2 bytes a pixel are 327,680 pixels, 80 tiles of 64 x 64 for scenes of 50 x 60; at most 64."""
    plan = make_plan(MIB, 2.0, 0, 16)
    assert plan.batch(plan.tiling((50, 60))) == 64
    assert plan.batch(plan.tiling((50, 70))) == 40
    assert plan.batch(plan.tiling((500, 500))) == 1


def test_a_map_too_large_for_memory_goes_to_a_nameless_file(tmp_path: Path) -> None:
    """1 MiB leaves 32 KiB: 3 classes of 4 bytes in 50 x 50 cells are 30,000 bytes, in 60 x 50 36,000."""
    plan = make_plan(MIB, 2.0, 0, 16, folder=tmp_path)
    small, large = (plan.stitcher(plan.tiling((16 * rows, 800)), 3)._map for rows in (50, 60))
    assert isinstance(large, np.memmap) and not isinstance(small, np.memmap)
    assert not list(tmp_path.iterdir())


def test_the_largest_layer_is_measured() -> None:
    """3 bands in, 8 out at half the side: 4 (3 + 8 / 4) = 20 bytes a pixel; then 8 in, 32 out: 40."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 32, 1), nn.Conv2d(32, 2, 1, 2))
    assert layer_bytes(net, 3) == pytest.approx(40)
    assert layer_bytes(net[:1], 3, 64) == pytest.approx(20)
    assert not any(module._forward_hooks for module in net.modules())


def scene(nbytes: int, block: int) -> Scene:
    return Scene(Path("big.jpg"), (1, nbytes), "uint8", 1, block_pixels=block)


def test_a_photograph_too_large_gets_a_message_with_what_to_do() -> None:
    """1 GiB leaves 256 MiB; 300 MiB need 4 * 300 = 1200. A raster is decoded by a block, and another beside it."""
    plan = make_plan(1 << 30, 100.0, 64, 16)
    message = r"big\.jpg: .*whole.* 300 MiB.* 256 MiB.*gdal_translate -co TILED=YES.*max_memory=1200MiB"
    with pytest.raises(SceneError, match=message):
        plan.check(scene(300 * MIB, 300 * MIB), 300 * MIB)
    make_plan(1200 * MIB, 100.0, 64, 16).check(scene(300 * MIB, 300 * MIB), 300 * MIB)
    plan.check(scene(4000 * MIB, 128 * MIB), 4000 * MIB)
    with pytest.raises(SceneError, match=r"in large pieces.* 300 MiB.*max_memory=1200MiB"):
        plan.check(scene(4000 * MIB, 150 * MIB), 4000 * MIB)


def write_tiff(path: Path, pixels: np.ndarray, **profile: object) -> Path:
    height, width, bands = pixels.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=bands, height=height, width=width, dtype="uint8", **profile
    ) as target:
        target.write(np.moveaxis(pixels, 2, 0))
    return path


def test_rasters_larger_than_the_budget_are_counted_as_if_there_were_no_bound(tmp_path: Path) -> None:
    """1100 x 1000 pixels of 3 bands are 3.1 MiB; 2 MiB of memory leave 512 KiB for a photograph, 256 KiB for a map.

    So PNG and JPEG are refused, and strips of nearly the whole too; tiles and strips of 16 rows are read by window.
    The map of 275 x 250 cells and 2 outputs is 550,000 bytes and goes to a file, which is decoded strip by strip.
    """
    net, card = disc_net()
    runtime = TorchRuntime(net, torch.device("cpu"))
    pixels = coarse(1100, 1000, seed=3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    tiff = {
        "tiled": write_tiff(tmp_path / "tiled.tif", pixels, tiled=True, blockxsize=128, blockysize=64, compress="lzw"),
        "striped": write_tiff(tmp_path / "striped.tif", pixels, blockysize=16, compress="deflate"),
        "planes": write_tiff(tmp_path / "planes.tif", pixels, blockysize=48, interleave="band"),
    }
    write_tiff(tmp_path / "whole.tif", pixels, blockysize=1088)
    roomy = Engine.of(card, runtime, make_plan(1 << 30, 10.0, 4, 4, None, tmp_path))
    tight = Engine.of(card, runtime, make_plan(2 * MIB, 10.0, 4, 4, None, tmp_path))
    wanted = count_scene(open_scene(tmp_path / "a.png"), roomy)
    assert len(wanted.detections) > 300 and not isinstance(wanted.logits, np.memmap)
    for name in ("a.png", "a.jpg", "whole.tif"):
        with pytest.raises(SceneError, match=r"gdal_translate -co TILED=YES.*max_memory=13MiB"):
            count_scene(open_scene(tmp_path / name), tight)
    for path in tiff.values():
        found = count_scene(open_scene(path), tight)
        assert isinstance(found.logits, np.memmap) and found.cells < found.logits[0].size
        assert_same_objects(found.detections, wanted.detections)
        np.testing.assert_allclose(found.heatmap, wanted.heatmap, rtol=0, atol=1e-6)
        assert found.preview.shape == wanted.preview.shape
        assert np.abs(found.preview.astype(int) - wanted.preview).max() <= 1


def test_a_scene_of_one_tile_counts_the_same_as_tiff_and_png(tmp_path: Path) -> None:
    net, card = lively()
    pixels = coarse(300, 420)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    write_tiff(tmp_path / "a.tif", pixels, tiled=True, blockxsize=64, blockysize=64)
    assert card.halo is not None
    model = Engine.of(card, TorchRuntime(net, torch.device("cpu")), make_plan(1 << 30, 200.0, card.halo, 16))
    png, tiff = (count_scene(open_scene(tmp_path / name), model) for name in ("a.png", "a.tif"))
    np.testing.assert_array_equal(png.logits, tiff.logits)


def test_a_map_that_no_empty_disk_could_hold_is_the_images_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stride of 16 and 2 channels: 32,000 x 16,000 pixels are 2,000 x 1,000 cells of 8 bytes, 16 MB."""
    plan = make_plan(64 * MIB, 100.0, 64, 16, folder=tmp_path / "later")
    scene = Scene(tmp_path / "wide.tif", (16_000, 32_000), "uint8", 3)
    for total, fits in ((16_000_000, True), (15_999_999, False), (0, True)):
        monkeypatch.setattr("detect.inference.plan.disk_bytes", lambda _, total=total: total)
        if fits:
            plan.check_map(scene, 2)
            continue
        with pytest.raises(SceneError, match=r"wide\.tif.* 15 MiB.*runtime\.scratch"):
            plan.check_map(scene, 2)


def test_a_photograph_is_one_tile_where_the_memory_allows_it() -> None:
    """160 bytes a pixel and 6 GiB: 3,328 x 4,992 and 160 on each side are 19.4 megapixels, 17 % more than 16.6.

    2 GiB are three tiles of 1,664 columns and the halo: 3,648 x 1,984 each, 31 % more.
    """
    one, three = (make_plan(gib << 30, 160.0, 160, 16).tiling((3328, 4992)) for gib in (6, 2))
    assert (len(one), one.tile_hw) == (1, (3648, 5312))
    assert (len(three), three.tile_hw) == (3, (3648, 1984))


def test_processes_that_share_the_memory_have_the_same_tiles() -> None:
    """Of 64 MiB a quarter is for photographs; of four processes each reads a quarter of that ahead."""
    alone = replace(make_plan(64 << 20, 100.0, 32, 16), workers=8)
    shared = alone.shared(4)
    assert shared.tiling((900, 700)) == alone.tiling((900, 700)) and shared.photograph == alone.photograph
    assert (shared.read_ahead, shared.stitched, shared.workers) == (4 << 20, alone.stitched // 4, 2)
    assert alone.shared(1) is alone

"""The laws of the design that hold whatever the data: 1 and 2 of the grid, 3 of stitching, 5 of dense evaluation."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from detect.imagery.reading import read_window
from detect.imagery.scenes import Scene, open_scene
from detect.imagery.windows import Tiling, Window
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.stitching import Runtime, Stitcher, make_tiling, map_scene
from detect.nets.receptive import receptive_halo
from tests.laws.nets import cut, one_pass, plain, random_net, run


@st.composite
def grids(draw: st.DrawFn) -> Tiling:
    stride = draw(st.integers(1, 7))
    shape = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    sides = st.integers(1, 6).map(lambda cells: cells * stride)
    return Tiling(shape, draw(sides | st.tuples(sides, sides)), stride * draw(st.integers(0, 4)), stride)


def memory_scene(image: np.ndarray) -> Scene:
    return Scene(Path("memory"), image.shape[1:], str(image.dtype), len(image))


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def assert_same_map(found: np.ndarray, wanted: np.ndarray, share: float = 1e-4) -> None:
    """Law 3's bound: 1e-4 of the map's spread."""
    spread = np.ptp(wanted)
    assert found.shape == wanted.shape and np.isfinite(wanted).all() and spread > 1e-3
    assert np.abs(found - wanted).max() <= share * spread


@given(grid=grids())
@settings(deadline=None)
def test_law_1_cores_cover_every_pixel_once_and_lie_in_the_scene(grid: Tiling) -> None:
    pixels, cells = np.zeros(grid.shape, int), np.zeros(grid.map_shape, int)
    for core in grid:
        assert core.inside(grid.shape)
        pixels[core.row : core.row_stop, core.col : core.col_stop] += 1
        own = grid.cells(core)
        assert own.inside(grid.map_shape)
        cells[own.row : own.row_stop, own.col : own.col_stop] += 1
    assert (pixels == 1).all() and (cells == 1).all()
    assert len(list(grid)) == len(grid)


@given(grid=grids())
@settings(deadline=None)
def test_law_1_a_tile_holds_its_core_and_halo_and_lies_on_the_net_grid(grid: Tiling) -> None:
    """All tiles have one size; those of cores that are cut at the scene's edge hang over it."""
    for core in grid:
        tile = grid.tile(core)
        assert (core.row - tile.row, core.col - tile.col) == (grid.halo, grid.halo)
        assert min(tile.row_stop - core.row_stop, tile.col_stop - core.col_stop) >= grid.halo
        assert (tile.height, tile.width) == grid.tile_hw
        assert not any(side % grid.stride for side in (tile.row, tile.col, tile.height, tile.width))


@pytest.mark.parametrize("to_file_pixels", [False, True])
@given(grid=grids(), order=st.randoms(use_true_random=False), seed=st.integers(0, 99))
@settings(deadline=None)
def test_law_2_an_identity_net_gives_the_image_back_in_any_order(
    to_file_pixels: bool, grid: Tiling, order: Random, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """At a stride s the identity keeps every s-th pixel, the first of each cell; the file of a map has no name."""
    folder = tmp_path_factory.getbasetemp() / "maps"
    folder.mkdir(exist_ok=True)
    image = noise(seed, 2, *grid.shape).astype(np.float32)
    stitcher = Stitcher(grid, 2, folder if to_file_pixels else None)
    cores = list(grid)
    order.shuffle(cores)
    for core in cores:
        stitcher.put(core, cut(image, grid.tile(core))[:, :: grid.stride, :: grid.stride])
    found = stitcher.finished()
    assert isinstance(found, np.memmap) is to_file_pixels and not list(folder.iterdir())
    np.testing.assert_array_equal(found, image[:, :: grid.stride, :: grid.stride])


@given(grid=grids(), seed=st.integers(0, 99))
@settings(deadline=None)
def test_law_2_cells_at_the_edge_see_the_mirrored_image(grid: Tiling, seed: int) -> None:
    """A net that sums each cell's pixels: cells that hang over the scene take numpy's `reflect` padding."""
    image = noise(seed, 1, *grid.shape).astype(np.float32)

    def sums(tiles: np.ndarray) -> np.ndarray:
        rows, cols = (side // grid.stride for side in tiles.shape[2:])
        return tiles.reshape(len(tiles), 1, rows, grid.stride, cols, grid.stride).sum(axis=(3, 5))

    rows, cols = grid.map_shape
    whole = cut(image, Window(0, 0, rows * grid.stride, cols * grid.stride))
    found = map_scene(memory_scene(image), (1,), sums, grid, read=lambda window: cut(image, window))
    np.testing.assert_array_equal(found, sums(whole[None])[0])


NETS = {
    "lite0": ("tf_efficientnet_lite0", 2, None, (131, 167), (50, 96, 160)),
    "lite0, odd patch": ("tf_efficientnet_lite0", 3, None, (95, 33), (40, 80)),
    "lite0, dilated": ("tf_efficientnet_lite0", 2, 5, (70, 60), (64,)),
    "resnet18": ("resnet18", 2, None, (113, 150), (32, 100)),
    "test_resnet": ("test_resnet", 3, None, (203, 77), (16, 60, 130, 190)),
}
"""Backbone, cells a patch, stages, shape of the scene, sides of the tiles without their halos."""


@pytest.mark.parametrize("name", NETS)
def test_law_3_the_stitched_map_is_the_map_of_one_pass(name: str) -> None:
    backbone, cells, stages, shape, rooms = NETS[name]
    net, card = random_net(backbone, cells, 5, stages)
    assert card.halo is not None
    image = noise(6, 3, *shape)
    whole = one_pass(net, image, card.halo, 16)
    assert whole.shape == (3, -(-shape[0] // 16), -(-shape[1] // 16))
    for room in rooms:
        grid = make_tiling(shape, 2 * card.halo + room, card.halo, 16)
        assert len(grid) > 1
        found = map_scene(memory_scene(image), (1, 2, 3), plain(net), grid, read=lambda at: cut(image, at))
        assert_same_map(found, whole)


def test_law_3_holds_for_files_and_the_runtime(tmp_path: Path) -> None:
    image = noise(1, 100, 148, 3)
    Image.fromarray(image).save(tmp_path / "a.png")
    net, card = random_net("test_resnet", 2, 3)
    assert card.halo is not None
    whole = one_pass(net, np.moveaxis(image, 2, 0), card.halo, 16)
    grid = make_tiling((100, 148), 2 * card.halo + 48, card.halo, 16)
    runtime = TorchRuntime(net, torch.device("cpu"))
    assert_same_map(map_scene(open_scene(tmp_path / "a.png"), (1, 2, 3), runtime, grid), whole)


@given(data=st.data(), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=25)
def test_law_3_a_tile_at_any_position_gives_its_part_of_the_map(data: st.DataObject, seed: int) -> None:
    net, card = random_net("test_resnet", 2, 11)
    assert card.halo is not None
    image = noise(seed, 3, data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150)))
    whole = one_pass(net, image, card.halo, 16)
    row, col = (data.draw(st.integers(0, side - 1)) for side in whole.shape[1:])
    height, width = (data.draw(st.integers(1, side - at)) for side, at in zip(whole.shape[1:], (row, col), strict=True))
    window = Window(16 * row, 16 * col, 16 * height, 16 * width).grown(card.halo)
    edge = card.halo // 16
    part = run(net, cut(image, window))[:, edge : edge + height, edge : edge + width]
    assert np.abs(part - whole[:, row : row + height, col : col + width]).max() <= 1e-4 * max(1.0, np.ptp(whole))


def planted(*strides: int) -> nn.Sequential:
    """Convolutions of 3 x 3 ones, with the padding that centres them."""
    layers = [nn.Conv2d(1, 1, 3, stride, padding=1, bias=False) for stride in strides]
    for layer in layers:
        nn.init.ones_(layer.weight)
    return nn.Sequential(*layers)


@pytest.mark.parametrize(("strides", "halo"), [((2, 2), 4), ((2, 2, 1), 8), ((4, 1, 1), 12)])
def test_law_3_fails_with_a_halo_one_stride_too_small(strides: tuple[int, ...], halo: int) -> None:
    """Cell j of strides (2, 2) sees pixels 4j - 3 to 4j + 3: 3 beyond its own, a halo of 4.

    A third convolution, of stride 1, adds a cell on either side, 4j - 7 to 4j + 7: a halo of 8. Strides (4, 1, 1):
    cell j sees cells j - 2 to j + 2 of the first layer, and so pixels 4j - 9 to 4j + 9: a halo of 12. All weights and
    pixels are positive, so that every pixel that is missed lowers the sum.
    """
    net = planted(*strides)
    assert receptive_halo(net, 4, 1) == halo
    image = noise(0, 1, 45, 30).astype(np.float32) + 1
    whole = one_pass(net, image, halo, 4)

    def stitched(context: int) -> np.ndarray:
        grid = Tiling((45, 30), 12, context, 4)
        return map_scene(memory_scene(image), (1,), plain(net), grid, read=lambda at: cut(image, at))

    assert_same_map(stitched(halo), whole)
    assert_same_map(stitched(halo + 4), whole)
    assert (stitched(halo - 4) < whole - 1).any()


@pytest.mark.parametrize(
    ("backbone", "cells", "openvino"),
    [
        ("tf_efficientnet_lite0", 2, False),
        ("test_resnet", 1, False),
        ("test_resnet", 3, False),
        ("test_resnet", 4, False),
        ("test_resnet", 3, True),
    ],
)
def test_law_5_dense_evaluation_equals_sliding(tmp_path: Path, backbone: str, cells: int, openvino: bool) -> None:
    """Window by window: the patch around each cell, with a halo of context, cut from the file and classified.

    Dense in OpenVINO and sliding in torch are within 1e-3 of each other, an arithmetic of another order.
    """
    Image.fromarray(noise(2, 75, 90, 3)).save(tmp_path / "a.png")
    scene = open_scene(tmp_path / "a.png")
    net, card = random_net(backbone, cells, 4)
    assert card.halo is not None
    runtime: Runtime = TorchRuntime(net, torch.device("cpu"))
    if openvino:
        runtime = OpenVinoRuntime(net, 3, 16, "uint8", "32")
    dense = map_scene(scene, card.bands, runtime, make_tiling(scene.shape, 2 * card.halo + 48, card.halo, 16))
    assert dense.shape == (3, 5, 6)
    slid = np.empty_like(dense)
    for i, j in np.ndindex(5, 6):
        patch = Window(16 * (i - cells // 2), 16 * (j - cells // 2), 16 * cells, 16 * cells)
        assert (patch.col + patch.width / 2, patch.row + patch.height / 2) == (
            card.cell_offset + 16 * j,
            card.cell_offset + 16 * i,
        )
        pixels = torch.from_numpy(read_window(scene, patch.grown(card.halo), card.bands))[None]
        with torch.inference_mode():
            slid[:, i, j] = net.classify(pixels)[0].numpy()
    assert card.cell_offset == net.map_offset
    assert_same_map(slid, dense, 1e-3 if openvino else 1e-4)

"""Law 3: the stitched map equals the one-pass map of the whole image, for any tile size and position."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.windows import Tiling, Window
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.stitching import make_tiling
from detect.nets.heads.grid import GridDetector
from detect.nets.receptive import receptive_halo
from tests.engines import coarse
from tests.grids import lively_grid
from tests.laws.nets import cut, one_pass, plain, random_net, run
from tests.laws.planted import stitched_map
from tests.laws.tilings import assert_same_map, memory_scene, noise
from tests.maps import map_tiles

NETS = {
    "lite0": ("tf_efficientnet_lite0", 2, None, (131, 167), (80, 160)),
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
        found = map_tiles(memory_scene(image), (1, 2, 3), plain(net), grid, read=lambda at: cut(image, at))
        assert_same_map(found, whole)


def test_law_3_holds_for_files_and_the_runtime(tmp_path: Path) -> None:
    image = noise(1, 100, 148, 3)
    Image.fromarray(image).save(tmp_path / "a.png")
    net, card = random_net("test_resnet", 2, 3)
    assert card.halo is not None
    whole = one_pass(net, np.moveaxis(image, 2, 0), card.halo, 16)
    grid = make_tiling((100, 148), 2 * card.halo + 48, card.halo, 16)
    runtime = TorchRuntime(net, torch.device("cpu"))
    assert_same_map(map_tiles(open_scene(tmp_path / "a.png"), (1, 2, 3), runtime, grid), whole)


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


def convolutions(*strides: int) -> nn.Sequential:
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
    net = convolutions(*strides)
    assert receptive_halo(net, 4, 1) == halo
    image = noise(0, 1, 45, 30).astype(np.float32) + 1
    whole = one_pass(net, image, halo, 4)

    def stitched(context: int) -> np.ndarray:
        grid = Tiling((45, 30), 12, context, 4)
        return map_tiles(memory_scene(image), (1,), plain(net), grid, read=lambda at: cut(image, at))

    assert_same_map(stitched(halo), whole)
    assert_same_map(stitched(halo + 4), whole)
    assert (stitched(halo - 4) < whole - 1).any()


def one_pass_of_grid_head(net: GridDetector, image: np.ndarray, halo: int) -> np.ndarray:
    """The map of a whole image in one pass, mirrored at its edges up to where the deepest features end."""
    align, stride = net.align, net.stride
    sides = [-(-side // align) * align for side in image.shape[1:]]
    cells = [-(-side // stride) for side in image.shape[1:]]
    edge = halo // stride
    return run(net, cut(image, Window(0, 0, *sides).grown(halo)))[:, edge : edge + cells[0], edge : edge + cells[1]]


@pytest.mark.parametrize(
    ("deepest", "slots", "size", "shape"),
    [(8, 1, None, (107, 173)), (16, 2, 24.0, (113, 97)), (32, 1, 24.0, (70, 97))],
)
def test_law_3_the_stitched_map_of_a_grid_head_is_that_of_one_pass(
    deepest: int, slots: int, size: float | None, shape: tuple[int, int]
) -> None:
    """For tiles from one step of the deepest features (of 32 pixels) to all in one, and scenes of no round size."""
    net, card = lively_grid(size, deepest, slots)
    assert card.halo is not None and card.halo % deepest == 0
    image = np.moveaxis(coarse(*shape, seed=1), 2, 0)
    whole = one_pass_of_grid_head(net, image, card.halo)
    assert whole.shape == (5 * slots + 2, -(-shape[0] // 8), -(-shape[1] // 8))
    for room in (32, 48, 71, 96, 1000):
        grid = make_tiling(shape, 2 * card.halo + room, card.halo, 8, align=card.align)
        found = stitched_map(plain(net), image, grid)
        np.testing.assert_allclose(found, whole, rtol=0, atol=1e-4 * max(1.0, np.ptp(whole)))


def test_law_3_fails_with_tiles_that_begin_between_the_deepest_cells() -> None:
    """Cores of 24 pixels are whole cells of 8, but begin at 24, where no feature of stride 16 begins."""
    net, card = lively_grid(24.0, 16)
    assert card.halo is not None
    shape = (75, 133)
    image = np.moveaxis(coarse(*shape, seed=1), 2, 0)
    whole = one_pass_of_grid_head(net, image, card.halo)
    good, bad = (stitched_map(plain(net), image, Tiling(shape, core, card.halo, 8)) for core in (48, 24))
    np.testing.assert_allclose(good, whole, rtol=0, atol=1e-4 * np.ptp(whole))
    assert np.abs(bad - whole).max() > 1e-2

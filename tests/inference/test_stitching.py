from pathlib import Path

import numpy as np
import pytest

from detect.imagery import Grid, Scene, Window
from detect.inference import Stitcher, map_scene, tile_grid

GRID = Grid((20, 25), 16, 8, 8)
"""Cores of 16 at (0, 0), (0, 16), (16, 0), (16, 16); the first one's tile is 4 x 4 cells, 2 x 2 of them its own."""


def test_only_the_core_is_kept() -> None:
    stitcher = Stitcher(GRID, 1)
    for core in GRID:
        tile = np.full(
            (1, *(side // 8 for side in (GRID.tile(core).height, GRID.tile(core).width))), np.nan, np.float32
        )
        tile[:, 1:-1, 1:-1] = core.row + core.col
        stitcher.put(core, tile)
    wanted = [[0, 0, 16, 16], [0, 0, 16, 16], [16, 16, 32, 32]]
    assert stitcher.finished().tolist() == [wanted]


def test_windows_that_are_no_core_and_cores_put_twice() -> None:
    stitcher = Stitcher(GRID, 1)
    stitcher.put(Window(0, 0, 16, 16), np.zeros((1, 4, 4), np.float32))
    for core in (Window(0, 0, 16, 16), Window(0, 8, 16, 16), Window(16, 16, 16, 16)):
        with pytest.raises(ValueError, match="is not a core of the grid, or was put before"):
            stitcher.put(core, np.zeros((1, 4, 4), np.float32))


@pytest.mark.parametrize("shape", [(1, 4, 5), (1, 2, 2), (2, 4, 4)])
def test_maps_of_another_size(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must give a map of \(1, 4, 4\), got"):
        Stitcher(GRID, 1).put(Window(0, 0, 16, 16), np.zeros(shape, np.float32))


def test_a_map_is_not_given_before_it_is_finished() -> None:
    stitcher = Stitcher(GRID, 1)
    stitcher.put(Window(0, 0, 16, 16), np.zeros((1, 4, 4), np.float32))
    with pytest.raises(ValueError, match=r"3 cores are missing from the map, such as Window.row=0, col=16"):
        stitcher.finished()


@pytest.mark.parametrize(
    ("shape", "tile", "halo", "stride", "core"),
    [
        ((5000, 9000), 1024, 176, 16, 672),  # 1024 - 352 = 672 = 42 * 16
        ((5000, 9000), 1000, 176, 16, 640),  # 648 is 40.5 cells
        ((500, 900), 368, 176, 16, 16),
        ((50, 90), 1024, 176, 16, 96),  # of a small scene no more than its longer side, 90, in whole cells
    ],
)
def test_cores_fill_the_tile_between_its_halos(
    shape: tuple[int, int], tile: int, halo: int, stride: int, core: int
) -> None:
    grid = tile_grid(shape, tile, halo, stride)
    assert (grid.core, grid.halo, grid.stride) == (core, halo, stride)
    sides = [side for each in grid for side in (grid.tile(each).height, grid.tile(each).width)]
    assert max(sides) <= tile


def test_a_tile_without_room_for_a_core() -> None:
    with pytest.raises(ValueError, match="tile must be 368 or more with a halo of 176 and a stride of 16, got 367"):
        tile_grid((100, 100), 367, 176, 16)


def test_progress_adds_up_to_the_scene() -> None:
    done: list[int] = []
    scene = Scene(Path("none"), (20, 25), "uint8", 1)
    found = map_scene(
        scene,
        (1,),
        lambda tile: tile[:, ::8, ::8],
        GRID,
        done.append,
        lambda at: np.zeros((1, at.height, at.width), np.float32),
    )
    assert found.shape == (1, 3, 4) and sum(done) == 20 * 25 and len(done) == 4

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detect.imagery.reading import SceneReader
from detect.imagery.scenes import Scene
from detect.imagery.windows import Tiling, Window
from detect.inference.run import stitched
from detect.inference.stitching import Stitcher, make_tiling
from detect.inference.tiles import Source
from detect.inference.unfinished import Stitched
from tests.maps import tiled_engine

TILING = Tiling((20, 25), 16, 8, 8)
"""Cores of 16 at (0, 0), (0, 16), (16, 0), (16, 16); the first one's tile is 4 x 4 cells, 2 x 2 of them its own."""


def test_only_the_core_is_kept() -> None:
    stitcher = Stitcher(TILING, 1)
    for core in TILING:
        tile = np.full(
            (1, *(side // 8 for side in (TILING.tile(core).height, TILING.tile(core).width))), np.nan, np.float32
        )
        tile[:, 1:-1, 1:-1] = core.row + core.col
        stitcher.put(core, tile)
    wanted = [[0, 0, 16, 16], [0, 0, 16, 16], [16, 16, 32, 32]]
    assert stitcher.finished().tolist() == [wanted]


def test_windows_that_are_no_core_and_cores_put_twice() -> None:
    stitcher = Stitcher(TILING, 1)
    stitcher.put(Window(0, 0, 16, 16), np.zeros((1, 4, 4), np.float32))
    for core in (Window(0, 0, 16, 16), Window(0, 8, 16, 16), Window(16, 16, 16, 16)):
        with pytest.raises(ValueError, match=rf"row={core.row}, col={core.col}, .*not a core"):
            stitcher.put(core, np.zeros((1, 4, 4), np.float32))


@pytest.mark.parametrize("shape", [(1, 4, 5), (1, 2, 2), (2, 4, 4)])
def test_maps_of_another_size(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"map of \(1, 4, 4\), got"):
        Stitcher(TILING, 1).put(Window(0, 0, 16, 16), np.zeros(shape, np.float32))


def test_a_map_is_not_given_before_it_is_finished() -> None:
    stitcher = Stitcher(TILING, 1)
    stitcher.put(Window(0, 0, 16, 16), np.zeros((1, 4, 4), np.float32))
    with pytest.raises(ValueError, match=r"3 cores .*row=0, col=16"):
        stitcher.finished()


@pytest.mark.parametrize(
    ("shape", "tile", "core"),
    [
        ((50, 90), 1024, (64, 128)),  # a scene of one tile: the next multiples of 64, so that few sizes are compiled
        ((65, 672), 1024, (128, 672)),  # 704 would be 1056 with the halo: 672 is what fits
        ((65, 673), 1024, (80, 352)),  # a pixel more: two tiles of ceil(673 / 2 / 16) = 22 cells
        ((500, 900), 368, (16, 16)),  # 368 - 2 * 176
    ],
)
def test_cores_by_hand_for_a_halo_of_176_and_a_stride_of_16(
    shape: tuple[int, int], tile: int, core: tuple[int, int]
) -> None:
    grid = make_tiling(shape, tile, 176, 16)
    assert (grid.core_hw, grid.halo, grid.stride) == (core, 176, 16)


@given(
    shape=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    stride=st.sampled_from([1, 4, 7, 16]),
    cells=st.tuples(st.integers(0, 12), st.integers(1, 60)),
    narrow=st.integers(1, 9),
    times=st.sampled_from([1, 1, 2, 4]),
)
@settings(deadline=None)
def test_tiles_keep_their_bounds_and_cost_no_more_than_those_of_whole_cores(
    shape: tuple[int, int], stride: int, cells: tuple[int, int], narrow: int, times: int
) -> None:
    """A tile has at most `side` pixels a side, and at most `area`, and begins on a multiple of `align`.

    The rule to beat fills cores to the bound from the top left on, so that those at the far edges are mostly void.
    Only a scene of a single tile may cost more: its sides are rounded up to 64 pixels.
    """
    align = times * stride
    halo, room = align * cells[0], align * cells[1]
    side = room + 2 * halo + align - 1
    grid = make_tiling(shape, side, halo, stride, align=None if times == 1 else align)
    assert max(grid.tile_hw) <= side and grid.stride == stride
    for core in grid:
        tile = grid.tile(core)
        assert not any(place % align for place in (tile.row, tile.col, tile.height, tile.width))
    assert {(grid.tile(core).height, grid.tile(core).width) for core in grid} == {grid.tile_hw}
    filled = Tiling(shape, room, halo, stride)
    if len(grid) > 1:
        assert len(grid) * np.prod(grid.tile_hw) <= len(filled) * np.prod(filled.tile_hw)
    area = (2 * halo + align * max(1, cells[1] // narrow)) ** 2
    assert np.prod(make_tiling(shape, side, halo, stride, area, align).tile_hw) <= area


def test_a_tile_without_room_for_a_core() -> None:
    with pytest.raises(ValueError, match=r"tile .*368 .*176 .*16, got 367"):
        make_tiling((100, 100), 367, 176, 16)
    with pytest.raises(ValueError, match=r"tile .*320 .*128 .*64, got 319"):
        make_tiling((100, 100), 319, 128, 8, align=64)
    with pytest.raises(ValueError, match=r"halo .*32.*got 40"):
        make_tiling((100, 100), 1000, 40, 8, align=32)


def test_progress_adds_up_to_the_scene() -> None:
    """The pixels of each core that are in the scene, tile by tile."""
    done, begun = [], []

    class Noted:
        def expect(self, images: int, pixels: int) -> None:
            raise AssertionError

        def start(self, name: str) -> None:
            begun.append(name)

        def advance(self, pixels: int) -> None:
            done.append(pixels)

    def blank(scene: Scene, bands: Sequence[int]) -> SceneReader:
        return SceneReader(scene, bands, np.zeros((1, *scene.shape), np.uint8))

    source = Source("a", Scene(Path("none"), (20, 25), "uint8", 1), blank)
    engine = tiled_engine((1,), lambda tiles: tiles[:, :, ::8, ::8].astype(np.float32), TILING)
    (found,) = stitched([[source]], engine, Noted(), None)
    assert isinstance(found, Stitched) and found.logits.shape == (1, 3, 4) and found.preview is None
    assert begun == ["a"] and done == [16 * 16, 16 * 9, 4 * 16, 4 * 9] and sum(done) == 20 * 25

"""Law 1: a tiling's cores cover every pixel once; every window stays in its scene."""

import numpy as np
from hypothesis import given, settings

from detect.imagery.windows import Tiling
from tests.laws.tilings import tilings


@given(tiling=tilings())
@settings(deadline=None)
def test_law_1_cores_cover_every_pixel_once_and_lie_in_the_scene(tiling: Tiling) -> None:
    pixels, cells = np.zeros(tiling.shape, int), np.zeros(tiling.map_shape, int)
    for core in tiling:
        assert core.inside(tiling.shape)
        pixels[core.row : core.row_stop, core.col : core.col_stop] += 1
        own = tiling.cells(core)
        assert own.inside(tiling.map_shape)
        cells[own.row : own.row_stop, own.col : own.col_stop] += 1
    assert (pixels == 1).all() and (cells == 1).all()
    assert len(list(tiling)) == len(tiling)


@given(tiling=tilings())
@settings(deadline=None)
def test_law_1_a_tile_holds_its_core_and_halo_and_lies_on_the_net_grid(tiling: Tiling) -> None:
    """All tiles have one size; those of cores that are cut at the scene's edge hang over it."""
    for core in tiling:
        tile = tiling.tile(core)
        assert (core.row - tile.row, core.col - tile.col) == (tiling.halo, tiling.halo)
        assert min(tile.row_stop - core.row_stop, tile.col_stop - core.col_stop) >= tiling.halo
        assert (tile.height, tile.width) == tiling.tile_hw
        assert not any(side % tiling.stride for side in (tile.row, tile.col, tile.height, tile.width))

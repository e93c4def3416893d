"""Cells near valid pixels: those that every tile which has them in its core sees a valid pixel of."""

import numpy as np
import pytest

from detect.imagery.validity.gathered import ValidPixels
from detect.imagery.windows import Tiling, Window
from detect.inference.decoding.geometry import CellGeometry


@pytest.mark.parametrize("offset", [0.0, 1.5])
def test_a_cell_near_a_valid_pixel_is_in_no_tile_without_one(offset: float) -> None:
    """Whatever the tiles and wherever the border: of a tile without a valid pixel there is no map to look at."""
    stride, halo, shape = 4, 8, (64, 64)
    for border in range(8, 40):
        valid = np.zeros(shape, bool)
        valid[:border] = True
        gathered = ValidPixels(shape, 1 << 20, None, "a scene")
        gathered.put(Window(0, 0, *shape), valid)
        near = CellGeometry(stride, offset, shape, gathered, halo).near_cells(Window(0, 0, 16, 16))
        assert near is not None and near[: border // stride].all() and not near.all()
        for core_px in (4, 8, 16, 24):
            tiling = Tiling(shape, core_px, halo, stride)
            for core in tiling:
                if not valid[max(0, core.row - halo) : core.row + core_px + halo].any():
                    cells = tiling.cells(core)
                    assert not near[cells.row : cells.row_stop, cells.col : cells.col_stop].any(), (border, core)

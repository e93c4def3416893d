"""Stitching: the cores of tiles put together into the one map that the whole image would have given."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from detect.imagery import Grid, Scene, Window, read_window

Runtime = Callable[[NDArray[np.generic]], NDArray[np.float32]]
"""Maps a tile (bands, H, W) to (K, H / stride, W / stride)."""


class Stitcher:
    """Collects the maps of tiles, in any order, into the map of the scene.

    Args:
        grid: the tiles.
        channels: K of the maps.
    """

    def __init__(self, grid: Grid, channels: int) -> None:
        self.grid = grid
        self._map = np.empty((channels, *grid.map_shape), np.float32)
        self._missing = set(grid)

    def put(self, core: Window, tile_map: NDArray[np.float32]) -> None:
        """Keep the core of a tile's map and drop its halo.

        Args:
            core: one of the grid's windows.
            tile_map: (K, h, w) of `grid.tile(core)`.

        Raises:
            ValueError: not a core of the grid or put before, or a map of another size than the tile's.
        """
        if core not in self._missing:
            raise ValueError(f"{core} is not a core of the grid, or was put before")
        cells, halo = self.grid.cells(core), self.grid.halo // self.grid.stride
        wanted = (len(self._map), cells.height + 2 * halo, cells.width + 2 * halo)
        if tile_map.shape != wanted:
            raise ValueError(f"the tile of {core} must give a map of {wanted}, got {tile_map.shape}")
        kept = tile_map[:, halo : halo + cells.height, halo : halo + cells.width]
        self._map[:, cells.row : cells.row_stop, cells.col : cells.col_stop] = kept
        self._missing.remove(core)

    def finished(self) -> NDArray[np.float32]:
        """Give the map (K, h, w).

        Raises:
            ValueError: cores are missing.
        """
        if self._missing:
            raise ValueError(f"{len(self._missing)} cores are missing from the map, such as {min(self._missing)}")
        return self._map


def tile_grid(shape: tuple[int, int], tile: int, halo: int, stride: int) -> Grid:
    """Lay tiles of at most `tile` pixels, halo included, over a scene.

    Args:
        shape: (height, width) of the scene.
        tile: greatest side of a tile in pixels; of a small scene the tiles are smaller.
        halo: context on every side in pixels.
        stride: the net's pixels per cell.

    Raises:
        ValueError: the tile leaves no room for a core between its halos.
    """
    core = (tile - 2 * halo) // stride * stride
    if core < stride:
        raise ValueError(
            f"tile must be {2 * halo + stride} or more with a halo of {halo} and a stride of {stride}, got {tile}"
        )
    return Grid(shape, min(core, -(-max(shape) // stride) * stride), halo, stride)


def map_scene(
    scene: Scene,
    bands: Sequence[int],
    runtime: Runtime,
    grid: Grid,
    advance: Callable[[int], None] = lambda pixels: None,
    read: Callable[[Window], NDArray[np.generic]] | None = None,
) -> NDArray[np.float32]:
    """Run a network over a scene, tile by tile, and stitch.

    Args:
        scene: the pixels.
        bands: band numbers from 1.
        runtime: maps a tile.
        grid: the tiles.
        advance: told the pixels of every core done.
        read: gives the pixels of a window, instead of reading them from the scene.

    Returns:
        (K, h, w) float32; for a halo of the receptive field and more, the map of the whole scene in one pass.
    """
    stitcher: Stitcher | None = None
    for core in grid:
        window = grid.tile(core)
        tile_map = runtime(read_window(scene, window, bands) if read is None else read(window))
        stitcher = stitcher or Stitcher(grid, len(tile_map))
        stitcher.put(core, tile_map)
        advance(core.height * core.width)
    assert stitcher is not None
    return stitcher.finished()

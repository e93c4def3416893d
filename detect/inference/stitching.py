"""Stitching: the cores of tiles put together into the one map that the whole image would have given."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detect.imagery.scratch import release, scratch_array
from detect.imagery.windows import Tiling, Window

Runtime = Callable[[NDArray[np.generic]], NDArray[np.float32]]
"""Maps a batch of tiles (B, bands, H, W) to (B, K, H / stride, W / stride)."""


SINGLE_TILE_STEP = 64
"""Sides of the core of a scene of one tile are a multiple of this many pixels: few sizes to compile a network for."""


class Stitcher:
    """Collects the maps of tiles, in any order, into the map of the scene.

    In a file, a cell's channels lie side by side, so that a few cells are a few pages however many channels there are.

    Args:
        tiling: the tiles.
        channels: K of the maps.
        folder: for a nameless file with the map; None keeps the map in memory.
        name: of the scene, for the error.

    Raises:
        NoRoomError: the folder has no room for the map.
    """

    def __init__(self, tiling: Tiling, channels: int, folder: Path | None = None, name: str = "a scene") -> None:
        self.tiling = tiling
        self._map: NDArray[np.float32]
        if folder is None:
            self._map = np.empty((channels, *tiling.map_shape), np.float32)
        else:
            cells = scratch_array((*tiling.map_shape, channels), np.float32, folder, f"the map of {name}")
            self._map = cells.transpose(2, 0, 1)
        self._missing = set(tiling)

    def put(self, core: Window, tile_map: NDArray[np.float32]) -> None:
        """Write the core of a tile's map into the scene's, without the halo.

        Args:
            core: one of the tiling's windows.
            tile_map: (K, h, w) of `tiling.tile(core)`.

        Raises:
            ValueError: not a core of the tiling or put before, or a map of another size than the tile's.
        """
        self.put_kept(core, kept_cells(self.tiling, core, tile_map, len(self._map)))

    def put_kept(self, core: Window, kept: NDArray[np.float32] | None) -> None:
        """Write the `kept_cells` of a core, or zeros where no pixel is valid; what these are is not looked at.

        Raises:
            ValueError: not a core of the tiling or put before, or cells of another number than the core's.
        """
        if core not in self._missing:
            raise ValueError(f"{core} is not a core of the tiling, or was put before")
        cells = self.tiling.cells(core)
        wanted = len(self._map), cells.height, cells.width
        if kept is not None and kept.shape != wanted:
            raise ValueError(f"the core {core} must have a map of {wanted}, got {kept.shape}")
        self._map[:, cells.row : cells.row_stop, cells.col : cells.col_stop] = 0 if kept is None else kept
        release(self._map)
        self._missing.remove(core)

    def leave_out(self, core: Window) -> None:
        """Write zeros for a core of which no pixel is valid; what they are is not looked at.

        Raises:
            ValueError: not a core of the tiling, or put before.
        """
        self.put_kept(core, None)

    def finished(self) -> NDArray[np.float32]:
        """Return the scene's map (K, h, w).

        Raises:
            ValueError: cores are missing.
        """
        if self._missing:
            raise ValueError(f"{len(self._missing)} cores are missing from the map, such as {min(self._missing)}")
        return self._map


def kept_cells(
    tiling: Tiling, core: Window, tile_map: NDArray[np.float32], channels: int | None = None
) -> NDArray[np.float32]:
    """Return the part (K, cells.height, cells.width) of a tile's map (K, h, w) that is its core's.

    Args:
        tiling: the tiles.
        core: one of its windows.
        tile_map: (K, h, w) of `tiling.tile(core)`.
        channels: K; None takes any.

    Raises:
        ValueError: a map of another size than the tile's.
    """
    cells, halo = tiling.cells(core), tiling.halo // tiling.stride
    wanted = len(tile_map) if channels is None else channels, *(side // tiling.stride for side in tiling.tile_hw)
    if tile_map.shape != wanted:
        raise ValueError(f"the tile of {core} must have a map of {wanted}, got {tile_map.shape}")
    return tile_map[:, halo : halo + cells.height, halo : halo + cells.width]


def make_tiling(
    shape: tuple[int, int], tile: int, halo: int, stride: int, area: int | None = None, align: int | None = None
) -> Tiling:
    """Return tiles, halo included, that cover a scene: all of one size, and with the least pixels in all.

    Args:
        shape: (height, width) of the scene in pixels.
        tile: greatest side of a tile in pixels; of a small scene the tiles are smaller.
        halo: context on every side in pixels.
        stride: the net's pixels per cell.
        area: most pixels of a tile, `tile` squared by default.
        align: tiles begin and end on multiples of it, in pixels; the stride by default.

    Raises:
        ValueError: the tile leaves no room for a core between its halos, or the halo is no multiple of `align`.
    """
    align = align or stride
    if halo % align:
        raise ValueError(f"halo must be a multiple of {align}, on which tiles begin, got {halo}")
    most = (tile - 2 * halo) // align * align
    if most < align:
        raise ValueError(
            f"tile must be {2 * halo + align} or more with a halo of {halo} and a stride of {align}, got {tile}"
        )

    area = tile * tile if area is None else area
    step = -(-SINGLE_TILE_STEP // align) * align
    single = (min(most, -(-shape[0] // step) * step), min(most, -(-shape[1] // step) * step))
    if single[0] >= shape[0] and single[1] >= shape[1] and _pixels(single, halo) <= area:
        return Tiling(shape, single, halo, stride)
    rows, cols = (_cores(length, most, max(align, int(area**0.5) - 2 * halo), align) for length in shape)
    sizes = [(row, col) for row in rows for col in cols if _pixels((row, col), halo) <= area]
    if not sizes:
        return Tiling(shape, (min(rows), min(cols)), halo, stride)

    def cost(core: tuple[int, int]) -> tuple[int, int]:
        tiles = -(-shape[0] // core[0]) * -(-shape[1] // core[1])
        return tiles * _pixels(core, halo), tiles

    return Tiling(shape, min(sizes, key=cost), halo, stride)


def _cores(length: int, most: int, usual: int, stride: int) -> list[int]:
    """Return the sides of cores that divide a length evenly, from the fewest cores to one more than usual.

    They are found by side, of which there are at most `most / stride`, and not by number, which grows with the length.
    """
    fewest, usually = -(-length // most), -(-length // min(most, usual)) + 1
    cells = -(-length // stride)
    sides = range(-(-cells // fewest), -(-cells // usually) - 1, -1)
    return [side * stride for side in sides if -(-cells // -(-cells // side)) == side]


def _pixels(core: tuple[int, int], halo: int) -> int:
    return (core[0] + 2 * halo) * (core[1] + 2 * halo)

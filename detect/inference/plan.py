"""The plan of a run: what `max_memory` leaves for tiles, photographs and maps."""

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from detect.imagery.scenes import Scene, SceneError
from detect.imagery.scratch import disk_bytes
from detect.imagery.validity.gathered import ValidPixels
from detect.imagery.windows import Tiling
from detect.inference.stitching import Stitcher, make_tiling

logger = logging.getLogger(__name__)

MAX_TILE_SIDE = 8192
"""Greatest side in pixels of a tile by default."""


MAX_TILE_AREA = 20_000_000
"""Most pixels of a tile by default: with a halo of 160, tiles of 7 megapixels have 31 % more pixels than a photograph
of 4,992 x 3,328, of 10 megapixels 24 %, and one of 19, which is all of it, 17 %: that is beyond its edges."""


BYTES_PER_DECODED_CELL = 160
"""What finding the objects takes per cell of the strip of a map that is looked at: a few planes, whatever its channels.
"""


BYTES_PER_HEAT_VALUE = 16
"""What making probabilities takes per channel of a cell: the channel, its exponential, and copies of both."""


MAPS_HELD = 3
"""Copies of a batch's map beside the network's layers: as it leaves the network, the one before, and the stitched ones.
"""


NETWORK_SHARE = 0.625
"""Share of the memory for the network's layers and the tiles that wait for it."""


MAX_BATCH_TILES = 64
"""Greatest number of tiles in a batch."""


@dataclass(frozen=True)
class Plan:
    """Tiles, and bounds of the memory that a run takes; none of them changes a count.

    Attributes:
        tile: greatest side of a tile in pixels, halo included.
        area: most pixels of a tile.
        halo: context on every side in pixels.
        stride: the net's pixels per cell.
        align: tiles begin and end on multiples of it, in pixels.
        photograph: most bytes of an image that must be decoded whole, and of all that are read at a time but one.
        stitched: most bytes of a map that is kept in memory; a larger one goes to a file.
        folder: for such a file; None for the system's folder of temporary files.
    """

    tile: int
    area: int
    halo: int
    stride: int
    photograph: int
    stitched: int
    folder: Path | None = None
    align: int | None = None
    workers: int = 1
    sharing: int = 1

    def tiling(self, shape: tuple[int, int]) -> Tiling:
        """Return the tiles that cover a scene of (height, width) resampled pixels."""
        return make_tiling(shape, self.tile, self.halo, self.stride, self.area, self.align)

    def batch(self, tiling: Tiling) -> int:
        """Return how many tiles of a tiling make a batch: as many as have the pixels of the largest tile."""
        height, width = tiling.tile_hw
        return int(np.clip(self.area // (height * width), 1, MAX_BATCH_TILES))

    @property
    def read_ahead(self) -> int:
        """Most bytes of what is read at a time, but one image."""
        return self.photograph // self.sharing

    def tile_bytes(self, scene: Scene, bands: Sequence[int], as_floats: bool) -> int:
        """Return the bytes of a tile of a scene as it waits for the network, with which of its pixels are valid.

        Args:
            scene: at the network's resolution.
            bands: that are read.
            as_floats: whether its values are changed, and are float32 then.
        """
        height, width = self.tiling(scene.shape).tile_hw
        size = np.dtype(np.float32 if as_floats else scene.dtype).itemsize
        return height * width * (len(bands) * size + scene.masked)

    def readers(self, batch: int) -> int:
        """Return how many threads may read tiles of one image at once, with a batch of some bytes each."""
        return max(1, min(self.workers, self.read_ahead // max(batch, 1) - 2))

    def shared(self, processes: int) -> "Plan":
        """Return the plan of one of several processes that share the host's memory and cores; its tiles are the same.

        An image is refused by its size as without others: of such a one each process reads one at a time.
        """
        if processes == 1:
            return self
        workers = max(1, self.workers // processes)
        return replace(self, stitched=self.stitched // processes, workers=workers, sharing=self.sharing * processes)

    def stitcher(self, tiling: Tiling, channels: int, name: str = "a scene") -> Stitcher:
        """Make a stitcher whose map is in memory, or in a file where it is too large for that.

        Raises:
            NoRoomError: the folder has no room for the map of the scene, which it names.
        """
        size = 4 * channels * tiling.map_shape[0] * tiling.map_shape[1]
        folder = self.folder or Path(tempfile.gettempdir())
        return Stitcher(tiling, channels, folder if size > self.stitched else None, name)

    def valid_pixels(self, scene: Scene, name: str = "a scene") -> ValidPixels | None:
        """Return what gathers the valid pixels of a scene, None where all are; like a map, it may be in a file.

        Raises:
            NoRoomError: the folder has no room for it.
        """
        return ValidPixels(scene.shape, self.stitched, self.folder, name) if scene.masked else None

    def check_map(self, scene: Scene, channels: int) -> None:
        """Check that the map of an image could lie on the disk, were it empty: of a size that a file only claims, not.

        Raises:
            SceneError: it could not.
        """
        size = 4 * channels * -(-scene.shape[0] // self.stride) * -(-scene.shape[1] // self.stride)
        folder = self.folder or Path(tempfile.gettempdir())
        if size > self.stitched and 0 < disk_bytes(folder) < size:
            raise SceneError(
                f"{scene.path}: its map takes {size >> 20} MiB, more than the whole disk of {folder} has; cut the "
                "image into parts, or name a larger disk: runtime.scratch=DIR"
            )

    def rows(self, width: int) -> int:
        """Return in how many rows of a map of `width` cells objects may be looked for at once."""
        return max(1, self.stitched // 2 // self.workers // (BYTES_PER_DECODED_CELL * width))

    def cells(self, channels: int) -> int:
        """Return of how many cells of a map the probabilities may be made at once."""
        return max(1, self.stitched // 2 // self.workers // (BYTES_PER_HEAT_VALUE * channels))

    def check(self, scene: Scene, nbytes: int) -> None:
        """Check that an image can be decoded.

        Raises:
            SceneError: it must be decoded whole, and is too large for that.
        """
        least = 2 * nbytes * scene.block_pixels // scene.file_pixels if scene.windowed else nbytes
        if least > self.photograph:
            part = "in large pieces" if scene.windowed else "whole"
            raise SceneError(
                f"{scene.path}: its format is decoded {part}, into {least >> 20} MiB, and max_memory leaves "
                f"{self.photograph >> 20} MiB for that; convert it to a tiled GeoTIFF (gdal_translate -co TILED=YES "
                f"in out.tif), or set max_memory={-(-4 * least >> 20)}MiB or more"
            )


def make_plan(
    budget: int,
    bytes_per_pixel: float,
    halo: int,
    stride: int,
    tile: int | None = None,
    folder: Path | None = None,
    align: int | None = None,
) -> Plan:
    """Make the plan for a memory budget.

    Five eighths are for the network's layers and the tiles that wait for it, which sets the tile; a quarter for a
    decoded photograph; the rest for the map (if it is larger than a 32nd, it goes to a file) and what is made from it.

    Args:
        budget: bytes above the interpreter and the weights.
        bytes_per_pixel: that layers and waiting tiles take per pixel of a tile.
        halo: context on every side in pixels.
        stride: the net's pixels per cell.
        tile: side of a tile in pixels that the user asks for.
        folder: for maps too large for memory.
        align: tiles begin and end on multiples of it, in pixels; the stride by default.

    Raises:
        ValueError: the budget is too small for the smallest sensible tile, or the tile for its halo.
    """
    least = 2 * halo + max(4 * stride, align or stride)
    area = min(int(NETWORK_SHARE * budget / bytes_per_pixel), MAX_TILE_AREA)
    if tile is not None:
        make_tiling((1, 1), tile, halo, stride, align=align)
        if tile * tile * bytes_per_pixel > NETWORK_SHARE * budget:
            logger.warning(
                "tile=%d takes about %d MiB, more than max_memory", tile, tile * tile * bytes_per_pixel / 2**20
            )
        area = tile * tile
    else:
        if area < least * least:
            needed = int(bytes_per_pixel * least * least / NETWORK_SHARE)
            raise ValueError(
                f"max_memory={budget >> 20}MiB is too small for this network, whose tiles need {least} pixels; "
                f"set {-(-needed >> 20)}MiB or more"
            )
        tile = MAX_TILE_SIDE // stride * stride
    return Plan(tile, area, halo, stride, budget // 4, budget // 32, folder, align)


def map_bytes(channels: int, stride: int, views: int = 1) -> float:
    """Return the bytes per pixel of a tile that its maps take, beside those in the network.

    Args:
        channels: K of the maps.
        stride: the net's pixels per cell.
        views: of each tile; their maps are kept until they are combined.
    """
    return (MAPS_HELD + (views + 1 if views > 1 else 0)) * 4 * channels / stride**2


def layer_bytes(net: nn.Module, bands: int, side: int = 256) -> float:
    """Measure the largest sum of a layer's input and output in float32 bytes per pixel of a tile.

    Args:
        net: maps (1, bands, side, side) pixels.
        bands: number of input bands.
        side: of the tile that it is measured on, in pixels.
    """
    most = 0

    def note(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        nonlocal most
        tensors = [each for each in (*inputs, output) if isinstance(each, torch.Tensor)]
        most = max(most, sum(each.numel() * 4 for each in tensors))

    hooks = [module.register_forward_hook(note) for module in net.modules() if not list(module.children())]
    training = net.training
    net.eval()
    try:
        with torch.inference_mode():
            net(torch.zeros((1, bands, side, side), device=next(net.parameters()).device))
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    return most / (side * side)

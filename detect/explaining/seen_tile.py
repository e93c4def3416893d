"""The pixels that a network is shown to be asked about them: a tile with all that its cell sees, and no more."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detect.imagery.scenes import SceneError
from detect.imagery.windows import Window
from detect.inference.tiles import Source
from detect.nets.heads.specs import WholeHead
from detect.nets.net_spec import NetSpec


@dataclass(frozen=True, eq=False)
class SeenTile:
    """A part of a scene as a network sees it.

    Attributes:
        window: in resampled pixels of the scene; it may reach beyond its edges, where the scene is mirrored.
        pixels: (1, bands, H, W) float32.
    """

    window: Window
    pixels: Tensor

    def within(self, values: NDArray[np.float32], shown: Window) -> NDArray[np.float32]:
        """Return the values (H, W) of the tile's pixels on another window, 0 where the tile has none."""
        canvas = np.zeros((shown.height, shown.width), np.float32)
        top, left = max(self.window.row, shown.row), max(self.window.col, shown.col)
        bottom, right = min(self.window.row_stop, shown.row_stop), min(self.window.col_stop, shown.col_stop)
        if top < bottom and left < right:
            own = values[
                top - self.window.row : bottom - self.window.row, left - self.window.col : right - self.window.col
            ]
            canvas[top - shown.row : bottom - shown.row, left - shown.col : right - shown.col] = own
        return canvas


def tile_about(spec: NetSpec, xy: tuple[float, float], halo: int) -> Window:
    """Return the tile of the cells about a place, with a halo of context; of a whole scene, the scene.

    Args:
        spec: of the network.
        xy: the place, in resampled pixels of the scene.
        halo: of context in pixels, a multiple of the alignment.
    """
    if isinstance(spec.head, WholeHead):
        return Window(0, 0, spec.head.side, spec.head.side)
    col, row = (math.floor(at / spec.align) * spec.align for at in xy)
    return Window(row, col, spec.align, spec.align).grown(halo)


def tile_over(spec: NetSpec, window: Window, halo: int) -> Window:
    """Return the tile of all cells that a window touches, with a halo of context; of a whole scene, the scene."""
    if isinstance(spec.head, WholeHead):
        return Window(0, 0, spec.head.side, spec.head.side)
    top, left = (math.floor(at / spec.align) * spec.align for at in (window.row, window.col))
    bottom, right = (math.ceil(at / spec.align) * spec.align for at in (window.row_stop, window.col_stop))
    return Window(top, left, bottom - top, right - left).grown(halo)


def read_tile(source: Source, bands: tuple[int, ...], window: Window, device: torch.device) -> SeenTile:
    """Read a tile, and nothing of the image beside it.

    Raises:
        SceneError: the file is damaged, or its pixels are not finite.
    """
    with source.open(source.scene, bands) as reader:
        pixels = source.seen(*reader.read_valid(window))
    tile = torch.from_numpy(np.array(pixels, np.float32))[None].to(device)
    if not bool(torch.isfinite(tile).all()):
        raise SceneError(f"{source.scene.path}: pixels of {window} are not finite")
    return SeenTile(window, tile)


def map_of(net: nn.Module, tile: SeenTile) -> NDArray[np.float32]:
    """Return the map (K, h, w) of a tile.

    Raises:
        SceneError: the network's outputs are not finite.
    """
    with torch.no_grad():
        made = net(tile.pixels)[0].float().cpu().numpy()
    if not np.isfinite(made).all():
        raise SceneError("the network's outputs are not finite: pixels hold a huge value that means no data")
    return np.asarray(made, np.float32)

"""Test-time augmentation: maps of a tile mirrored and turned, turned back and combined."""

import numpy as np
from numpy.typing import NDArray

from detect.inference.decoding.blocks import blocks
from detect.inference.decoding.decoder import Decoder
from detect.inference.decoding.geometry import Turn
from detect.inference.stitching import Runtime

VIEWS: dict[str, tuple[Turn, ...]] = {
    "none": ((False, False, False),),
    "flips": tuple((False, rows, cols) for rows in (False, True) for cols in (False, True)),
    "d4": tuple((swap, rows, cols) for swap in (False, True) for rows in (False, True) for cols in (False, True)),
}
"""The views of each `tta`: the tile alone, its 4 mirrorings, its 8 mirrorings and quarter turns."""

SCALES = "scales"
"""The word of `tta` that asks for other sizes too, alone or after a `+`."""

COMBINATIONS = ("mean", "vote")


class Views:
    """A runtime that maps several views of every tile and combines their maps.

    Tiles begin and end on multiples of the strides, so a mirrored tile is aligned as in the mirrored
    scene, and the combined map is stitched as exactly as a single view's. Where cell c of the map describes
    pixel position `stride * c` (`on_corner`), mirroring moves it to the other side of the cell; the map is moved back
    by one cell, for which the halo must be one cell wider.

    Args:
        runtime: maps a batch of tiles.
        decoder: of the network's head.
        tta: `none`, `flips` or `d4`.
        combine: `mean` averages the views' posteriors; `vote` counts for how many views a class is the likeliest.
        on_corner: whether cells describe the corner of their pixels instead of the middle.

    Raises:
        ValueError: unknown `tta` or `combine`.
    """

    def __init__(self, runtime: Runtime, decoder: Decoder, tta: str, combine: str, on_corner: bool = False) -> None:
        check_views(tta, combine)
        self.runtime = runtime
        self.decoder = decoder
        self.views = VIEWS[tta]
        self.combine = combine
        self.on_corner = on_corner

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map a batch (B, bands, H, W) to the combined maps (B, K, h, w)."""
        if len(self.views) == 1:
            return self._map_of_view(pixels, self.views[0])
        first = self._map_of_view(pixels, self.views[0])
        maps = np.empty((len(self.views), *first.shape), np.float32)
        maps[0] = first
        for number, turn in enumerate(self.views[1:], start=1):
            maps[number] = self._map_of_view(pixels, turn)
        combined = np.empty_like(first)
        for rows, cols in blocks(first.shape[1] * maps.shape[0] * maps.shape[1], first.shape[2:]):
            combined[..., rows, cols] = self.decoder.combined(maps[..., rows, cols], self.combine)
        return combined

    def _map_of_view(self, pixels: NDArray[np.generic], turn: Turn) -> NDArray[np.float32]:
        swap, rows, cols = turn
        shown = np.swapaxes(pixels, 2, 3) if swap else pixels
        flipped = tuple(axis for axis, wanted in ((2, rows), (3, cols)) if wanted)
        found = np.flip(self.runtime(np.ascontiguousarray(np.flip(shown, flipped))), flipped)
        if self.on_corner:
            found = np.roll(found, 1, flipped) if flipped else found
        return self.decoder.turned_back(np.swapaxes(found, 2, 3) if swap else found, turn)


def turns_and_scales(tta: str) -> tuple[str, bool]:
    """Return the views of every tile that a `tta` names, and whether it names other sizes of the image."""
    turns, _, more = tta.partition("+")
    return ("none", True) if tta == SCALES else (turns, more == SCALES)


def check_views(tta: str, combine: str) -> None:
    """Check that views and their combination are known.

    Raises:
        ValueError: one is not.
    """
    if tta not in VIEWS:
        raise ValueError(f"tta must be one of {', '.join(VIEWS)}, got {tta}")
    if combine not in COMBINATIONS:
        raise ValueError(f"tta_combine must be one of {', '.join(COMBINATIONS)}, got {combine}")

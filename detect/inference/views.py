"""Test-time augmentation: a tile seen mirrored and turned, the views' maps laid back and combined."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from detect.inference.stitching import Runtime

Turn = tuple[bool, bool, bool]
"""Transpose, then flip rows, then flip columns."""

VIEWS: dict[str, tuple[Turn, ...]] = {
    "none": ((False, False, False),),
    "flips": tuple((False, rows, cols) for rows in (False, True) for cols in (False, True)),
    "d4": tuple((swap, rows, cols) for swap in (False, True) for rows in (False, True) for cols in (False, True)),
}
"""The views of each `tta`: the tile alone, its 4 mirrorings, its 8 mirrorings and quarter turns."""

COMBINE = ("mean", "vote")


class Views:
    """A runtime that shows the network several views of every tile and combines their posteriors.

    Tiles begin and end on multiples of the stride, so a mirrored tile has the alignment that it has in the mirrored
    scene, and the combined map is stitched as exactly as a single view's. Where cell c of the map stands for the
    pixel position `stride * c` (`on_corner`), mirroring moves it to the other side of the cell; the map is moved back
    by one cell, for which the halo must be one cell wider.

    Args:
        runtime: maps a batch of tiles to logits, background first or no background at all.
        tta: `none`, `flips` or `d4`.
        combine: `mean` averages the views' posteriors; `vote` gives each class its share of the views, where the
            mean posterior counts as one more view, so that it breaks ties and tells the middle of an object.
        on_corner: whether cells stand for the corner of their pixels instead of the middle.

    Raises:
        ValueError: unknown `tta` or `combine`.
    """

    def __init__(self, runtime: Runtime, tta: str, combine: str = "mean", on_corner: bool = False) -> None:
        check_views(tta, combine)
        self.runtime = runtime
        self.views = VIEWS[tta]
        self.combine: Callable[[NDArray[np.float32]], NDArray[np.float32]] = _mean if combine == "mean" else _vote
        self.on_corner = on_corner

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        """Map a batch (B, bands, H, W) to the logarithms (B, K, h, w) of the combined posteriors."""
        maps = [self._seen(pixels, turn) for turn in self.views]
        return maps[0] if len(maps) == 1 else self.combine(np.stack(maps))

    def _seen(self, pixels: NDArray[np.generic], turn: Turn) -> NDArray[np.float32]:
        swap, rows, cols = turn
        shown = np.swapaxes(pixels, 2, 3) if swap else pixels
        flipped = tuple(axis for axis, wanted in ((2, rows), (3, cols)) if wanted)
        found = np.flip(self.runtime(np.ascontiguousarray(np.flip(shown, flipped))), flipped)
        if self.on_corner:
            found = np.roll(found, 1, flipped) if flipped else found
        return np.swapaxes(found, 2, 3) if swap else found


def check_views(tta: str, combine: str) -> None:
    """See that views and their combination are known.

    Raises:
        ValueError: one is not.
    """
    if tta not in VIEWS:
        raise ValueError(f"tta must be one of {', '.join(VIEWS)}, got {tta}")
    if combine not in COMBINE:
        raise ValueError(f"tta_combine must be one of {', '.join(COMBINE)}, got {combine}")


def _mean(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average the posteriors of (V, B, K, h, w) logits; give logarithms."""
    mean = logsumexp(log_softmax(logits, axis=2), axis=0) - np.log(len(logits))
    return np.asarray(mean, np.float32)


def _vote(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Count the views for which a class is the likeliest; the mean posterior is one more view."""
    likeliest = logits.argmax(axis=2)[:, :, None] == np.arange(logits.shape[2])[None, None, :, None, None]
    mean = np.exp(_mean(logits))
    share = (likeliest.sum(axis=0) + mean) / (len(logits) + 1)
    return np.asarray(np.log(np.maximum(share, np.finfo(np.float32).tiny)), np.float32)

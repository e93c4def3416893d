"""Objects of bare patches, cut out of their ground and pasted onto empty patches."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from detect.samples.pasting.collage import GAIN
from detect.samples.pasting.cutouts import CutOut
from detect.samples.pasting.grabcut import cut_object
from detect.samples.pasting.object_cutouts import ObjectCutouts

OBJECT_SHARE = 0.55
"""Approximate side of the object in a bare patch, relative to the patch's."""


MAX_GROUNDS_TRIED = 5
"""Empty patches tried to find one with enough contrast to the object."""


GROUND_SEED = 0x7A9
"""Makes the draws independent of other augmentation with the same seed."""


Pixels = NDArray[Any]


class PasteOnOtherGround:
    """Pastes the objects of some bare patches onto empty patches (Dwibedi et al., Cut, Paste and Learn, 2017).

    So a class that was photographed on one kind of ground is not recognised by that ground. The empty patch is mirrored
    and turned by quarters; the object of photographs (uint8, 1 or 3 bands) is brightened by `GAIN`. A patch does not
    change if its object cannot be cut out, or has too little contrast with `MAX_GROUNDS_TRIED` empty patches.

    Args:
        share: share of the patches, of those with an object that can be cut out, that change, in [0, 1].
        side: of the patches in pixels.
        read: returns the pixels (C, side, side) of a file.
        objects: the files of each output of the network that is not the background.
        empty: the files of the background.

    Attributes:
        object_cutouts: cuts the objects out.
    """

    def __init__(
        self,
        share: float,
        side: int,
        read: Callable[[Path], Pixels],
        objects: Mapping[int, Sequence[Path]],
        empty: Sequence[Path],
    ) -> None:
        self.share, self.size, self.empty = share, OBJECT_SHARE * side, empty
        self._read = read
        self.object_cutouts = ObjectCutouts(self._cut_middle, objects)

    def __call__(self, path: Path, output: int, seed: int) -> Pixels:
        """Return the pixels (C, side, side) of a patch with an object, on its own ground or on another.

        Args:
            path: the patch's file.
            output: the patch's target output.
            seed: the same seed gives the same result.
        """
        pixels, rng = self._read(path), default_rng((seed, GROUND_SEED))
        cutout = self.object_cutouts(path, output) if rng.random() < self.share else None
        if cutout is None:
            return pixels
        col, row = np.rint(np.array(pixels.shape[:0:-1]) / 2 - cutout.xy).astype(int).tolist()
        gain = float(rng.uniform(*GAIN)) if pixels.dtype == np.uint8 and len(pixels) in (1, 3) else 1.0
        for _ in range(MAX_GROUNDS_TRIED):
            ground = _turned(self._read(self.empty[int(rng.integers(len(self.empty)))]), *rng.random(3) < 0.5)
            if cutout.contrasts_with(ground, (row, col)):
                return cutout.pasted_on(ground, (row, col), gain)
        return pixels

    def _cut_middle(self, path: Path) -> CutOut | None:
        """Return the object in the middle of a file, cut out and cropped to what it covers."""
        pixels = self._read(path)
        middle = np.array(pixels.shape[:0:-1]) / 2
        cut = cut_object(pixels, middle, np.array([self.size, self.size]))
        return None if cut is None else cut.cropped()


def _turned(pixels: Pixels, swap: bool, rows: bool, cols: bool) -> Pixels:
    """Return pixels (C, H, W) with rows and columns exchanged, then each mirrored."""
    pixels = pixels.transpose(0, 2, 1) if swap else pixels
    return pixels[:, :: -1 if rows else 1, :: -1 if cols else 1]

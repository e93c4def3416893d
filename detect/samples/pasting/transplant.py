"""Transplants: what stands in the middle of a bare patch, cut out of its ground and laid onto an empty patch."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from detect.samples.pasting.collage import GAIN
from detect.samples.pasting.cutouts import CutOut, cut_object
from detect.samples.pasting.pieces import ObjectCutouts

SIZE = 0.55
"""Side of the object in a bare patch, about, as a part of the patch's: some ground is around it."""


TRIES = 5
"""Empty patches looked at for one that the object shows on."""


SALT = 0x7A9
"""Keeps the draws apart from those of other augmentation with the same seed."""


Pixels = NDArray[Any]


class PasteOnOtherGround:
    """Lays the objects of some bare patches onto empty patches (Dwibedi et al., Cut, Paste and Learn, 2017).

    So that a class that was photographed on one kind of ground is not told by it. The empty patch is mirrored and
    turned by quarters; the object of photographs (uint8, 1 or 3 bands) is brightened by `GAIN`. An object that cannot
    be told from its ground, or that shows on none of `TRIES` empty patches, stays where it is.

    Args:
        share: how often a patch with an object that can be cut out moves.
        side: of the patches in pixels.
        read: gives the pixels (C, side, side) of a file.
        objects: the files of each output of the network that is not the background.
        empty: the files of the background.

    Attributes:
        pieces: the objects that can be cut out.
    """

    def __init__(
        self,
        share: float,
        side: int,
        read: Callable[[Path], Pixels],
        objects: Mapping[int, Sequence[Path]],
        empty: Sequence[Path],
    ) -> None:
        self.share, self.size, self.empty = share, SIZE * side, empty
        self._read = read
        self._cut: dict[Path, CutOut | None] = {}
        self.pieces = ObjectCutouts(self._middle, objects)

    def __call__(self, path: Path, output: int, seed: int) -> Pixels:
        """Give the pixels of a patch with an object, on its own ground or on other.

        Args:
            path: its file.
            output: the network's output that it should raise.
            seed: the same seed gives the same result.
        """
        pixels, rng = self._read(path), default_rng((seed, SALT))
        piece = self.pieces(path, output) if rng.random() < self.share else None
        if piece is None:
            return pixels
        col, row = np.rint(np.array(pixels.shape[:0:-1]) / 2 - piece.xy).astype(int).tolist()
        gain = float(rng.uniform(*GAIN)) if pixels.dtype == np.uint8 and len(pixels) in (1, 3) else 1.0
        for _ in range(TRIES):
            ground = _turned(self._read(self.empty[int(rng.integers(len(self.empty)))]), *rng.random(3) < 0.5)
            if piece.shows_on(ground, (row, col)):
                return piece.laid_on(ground, (row, col), gain)
        return pixels

    def _middle(self, path: Path) -> CutOut | None:
        """Cut out what stands in the middle of a file, once in each process, without the ground around it."""
        if path not in self._cut:
            pixels = self._read(path)
            middle = np.array(pixels.shape[:0:-1]) / 2
            cut = cut_object(pixels, middle, np.array([self.size, self.size]))
            self._cut[path] = None if cut is None else cut.cropped()
        return self._cut[path]


def _turned(pixels: Pixels, swap: bool, rows: bool, cols: bool) -> Pixels:
    pixels = pixels.transpose(0, 2, 1) if swap else pixels
    return pixels[:, :: -1 if rows else 1, :: -1 if cols else 1]

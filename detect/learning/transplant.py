"""Transplants: what stands in the middle of a bare patch, cut out of its ground and laid onto an empty patch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from detect.learning.cutouts import CutOut, difference
from detect.learning.superimpose import GAIN

SIZE = 0.55
"""Side of the object in a bare patch, about, as a part of the patch's: some ground is around it."""

TRIES = 5
"""Empty patches looked at for one that the object shows on."""

SAMPLE = 40
"""Patches of a class, at most, that tell how many can be cut out, and how large its objects are."""

PIECE = 0.4
"""Part of its class's median area that a cut-out must have: what is smaller is a piece of an object."""

SALT = 0x7A9
"""Keeps the draws apart from those of other augmentation with the same seed."""

CORE, LIKELY, FAR = 0.1, 0.5, 0.9
"""Distances from the middle in sizes: up to the first it is object, to the second likely, beyond the third never."""

ROUNDS = 4
"""Rounds of GrabCut."""

DETAIL = 52
"""Pixels across an object, at most, in which it is told from its ground; larger ones are reduced for that."""

RIM = 1.2
"""Standard deviation of the soft rim, in those pixels."""

Pixels = NDArray[Any]


class Transplant:
    """Lays the objects of some bare patches onto empty patches (Dwibedi et al., Cut, Paste and Learn, 2017).

    So that a class that was photographed on one kind of ground is not told by it. The empty patch is mirrored and
    turned by quarters; the object of photographs (uint8, 1 or 3 bands) is brightened by `GAIN`. An object that cannot
    be told from its ground, or that shows on none of `TRIES` empty patches, stays where it is: `rates` says how many.

    Args:
        share: how often a patch with an object that can be cut out moves.
        side: of the patches in pixels.
        read: gives the pixels (C, side, side) of a file.
        objects: the files of each output of the network that is not the background.
        empty: the files of the background.
        seed: draws up to `SAMPLE` files of each class that are cut out at once.

    Attributes:
        rates: share of the sampled patches of each output that can be cut out.
    """

    def __init__(
        self,
        share: float,
        side: int,
        read: Callable[[Path], Pixels],
        objects: Mapping[int, Sequence[Path]],
        empty: Sequence[Path],
        seed: int,
    ) -> None:
        self.share, self.size, self.empty = share, SIZE * side, empty
        self._read = read
        self._cut: dict[Path, tuple[CutOut, tuple[int, int]] | None] = {}
        self._least: dict[int, float] = {}
        self.rates: dict[int, float] = {}
        for output, paths in objects.items():
            tried = [paths[i] for i in default_rng((seed, SALT)).permutation(len(paths))[:SAMPLE]]
            areas = [area(cut[0]) for path in tried if (cut := self._piece(path)) is not None]
            self._least[output] = PIECE * float(np.median(areas)) if areas else 0.0
            self.rates[output] = sum(each >= self._least[output] for each in areas) / max(len(tried), 1)

    def __call__(self, path: Path, output: int, seed: int) -> Pixels:
        """Give the pixels of a patch with an object, on its own ground or on other.

        Args:
            path: its file.
            output: the network's output that it should raise.
            seed: the same seed gives the same result.
        """
        pixels, rng = self._read(path), default_rng((seed, SALT))
        found = self._piece(path) if rng.random() < self.share else None
        if found is None or area(found[0]) < self._least[output]:
            return pixels
        piece, place = found
        gain = float(rng.uniform(*GAIN)) if pixels.dtype == np.uint8 and len(pixels) in (1, 3) else 1.0
        for _ in range(TRIES):
            ground = _turned(self._read(self.empty[int(rng.integers(len(self.empty)))]), *rng.random(3) < 0.5)
            if piece.shows_on(ground, place):
                return piece.laid_on(ground, place, gain)
        return pixels

    def _piece(self, path: Path) -> tuple[CutOut, tuple[int, int]] | None:
        """Cut out a file's object, once in each process, without the ground around it; and its (row, column)."""
        if path not in self._cut:
            cut = cut_middle(self._read(path), self.size)
            self._cut[path] = None if cut is None else _cropped(cut)
        return self._cut[path]


def cut_middle(pixels: Pixels, size: float) -> CutOut | None:
    """Cut out what stands in the middle of a patch, by its colours (GrabCut: Rother, Kolmogorov and Blake 2004).

    Args:
        pixels: (C, H, W); the first three bands, or the first where there are fewer, tell it from its ground.
        size: its side in pixels, about.

    Returns:
        A piece of the patch's height and width; None where only the very middle differs from the ground, or everything
        does, and where pixels are not finite.
    """
    if not np.isfinite(pixels).all():
        return None
    high, wide = pixels.shape[1:]
    factor = min(1.0, DETAIL / size)
    image = cv2.resize(_eight_bits(pixels), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    rows, cols = (np.arange(side) - (side - 1) / 2 for side in image.shape[:2])
    away = np.hypot(rows[:, None], cols[None, :]) / (size * factor)
    mask = np.select(
        [away <= CORE, away <= LIKELY, away <= FAR],
        [cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_PR_BGD],
        default=cv2.GC_BGD,
    ).astype(np.uint8)
    if (away <= FAR).all() or not (away <= CORE).any():
        return None
    cv2.setRNGSeed(0)
    cv2.grabCut(image, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    object_ = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, parts = cv2.connectedComponents(object_)
    whole = (parts == parts[np.unravel_index(away.argmin(), away.shape)]) & (object_ > 0)
    if whole.sum() < 2 * (away <= CORE).sum():
        return None
    soft = cv2.GaussianBlur(cv2.dilate(whole.astype(np.float32), np.ones((3, 3), np.uint8)), (0, 0), RIM)
    cover = np.clip(cv2.resize(soft, (wide, high), interpolation=cv2.INTER_LINEAR), 0, 1).astype(np.float32)
    if not (cover == 0).any():
        return None
    ground = np.median(pixels[:, cover == 0], axis=1)[:, None, None]
    middle, sides = np.array([wide / 2, high / 2]), np.array([size, size])
    return CutOut(pixels, cover, middle, sides, difference(pixels, ground, cover))


def area(cut: CutOut) -> float:
    """Give how many pixels a piece covers."""
    return float(cut.cover.sum())


def _cropped(cut: CutOut) -> tuple[CutOut, tuple[int, int]]:
    """Leave out the rows and columns of a piece that cover nothing; the second is the (row, column) of what is left."""
    rows, cols = (np.flatnonzero(cut.cover.any(axis=axis)) for axis in (1, 0))
    row, col = int(rows[0]), int(cols[0])
    own = slice(row, int(rows[-1]) + 1), slice(col, int(cols[-1]) + 1)
    piece = replace(cut, pixels=cut.pixels[:, *own].copy(), cover=cut.cover[own].copy(), xy=cut.xy - (col, row))
    return piece, (row, col)


def _eight_bits(pixels: Pixels) -> NDArray[np.uint8]:
    """Give (H, W, 3) of a patch (C, H, W); of another dtype, all but 1 % at either end of each band is stretched."""
    shown = pixels[:3] if len(pixels) >= 3 else pixels[:1].repeat(3, axis=0)
    if shown.dtype != np.uint8:
        low, high = np.percentile(shown.astype(np.float64), (1, 99), axis=(1, 2), keepdims=True)
        shown = np.rint(np.clip((shown - low) / np.maximum(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(shown, 0, -1))


def _turned(pixels: Pixels, swap: bool, rows: bool, cols: bool) -> Pixels:
    pixels = pixels.transpose(0, 2, 1) if swap else pixels
    return pixels[:, :: -1 if rows else 1, :: -1 if cols else 1]

"""Whether an exported network gives the maps that the network itself gives."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detect.nets.card import ModelCard

MOST_DIFFERENCE = 1e-4
"""Greatest difference of a map's values in float32; a multiple of the largest value where that is beyond 1."""

COMPARED_TILES = ((1, 192, 128), (2, 96, 320))
"""Number, height and width in pixels, before they are rounded up, of the random tiles on which networks are compared.
"""

LEAST_CELLS = 2
"""Multiples of the alignment that each side of a compared tile has at least."""

Run = Callable[[NDArray[np.generic]], NDArray[np.float32]]
"""Maps raw pixels (B, bands, H, W) to (B, K, h, w) with an exported file."""


@dataclass(frozen=True)
class Parity:
    """How far an exported network's maps are from the network's, over all compared tiles.

    Attributes:
        difference: the largest of two values.
        largest: magnitude of the network's values.
        shapes: of the tiles.
    """

    difference: float
    largest: float
    shapes: tuple[tuple[int, ...], ...]

    @property
    def bound(self) -> float:
        """The greatest difference that is none."""
        return MOST_DIFFERENCE * max(1.0, self.largest)

    def __str__(self) -> str:
        sizes = " and ".join("x".join(map(str, shape)) for shape in self.shapes)
        return f"maps of {sizes} pixels differ by {self.difference:.1e} at most, of values up to {self.largest:.3g}"


def random_tiles(net: nn.Module, card: ModelCard) -> Iterator[NDArray[np.generic]]:
    """Yield tiles of noise with the mean and the spread of the normalisation, in the images' dtype.

    Args:
        net: with the normalisation.
        card: bands, dtype and alignment.
    """
    rng = np.random.default_rng(0)
    offset, scale = (np.asarray(getattr(net, name).cpu()) for name in ("offset", "scale"))
    kind = np.dtype(card.dtype)
    bounds = np.iinfo(kind) if kind.kind in "iu" else np.finfo(kind)
    for number, *sides in COMPARED_TILES:
        height, width = (max(LEAST_CELLS, -(-side // card.align)) * card.align for side in sides)
        noise = offset + scale * rng.standard_normal((number, len(card.bands), height, width))
        yield noise.clip(float(bounds.min), float(bounds.max)).astype(kind)


def compared(net: nn.Module, run: Run, card: ModelCard, input_dtype: str) -> Parity:
    """Return how far an exported network is from the network itself, in torch on the CPU.

    Raises:
        ValueError: it gives maps of another shape.
    """
    differences, sizes, shapes = [], [], []
    for tile in random_tiles(net, card):
        with torch.inference_mode():
            wanted = np.asarray(net(torch.from_numpy(tile).float()))
        found = run(tile.astype(input_dtype))
        if found.shape != wanted.shape:
            raise ValueError(f"the exported network gives maps of {found.shape}, the network {wanted.shape}")
        differences.append(float(np.abs(found - wanted).max()))
        sizes.append(float(np.abs(wanted).max()))
        shapes.append(tile.shape)
    worst = max(differences) if np.isfinite(differences).all() else float("inf")
    return Parity(worst, max(sizes), tuple(shapes))


def check_parity(parity: Parity) -> None:
    """Check that an exported network is the network.

    Raises:
        ValueError: it is not.
    """
    if not parity.difference <= parity.bound:
        raise ValueError(
            f"the exported network is not the network: {parity}, and {parity.bound:.1e} is allowed; nothing was "
            "written, try another format"
        )

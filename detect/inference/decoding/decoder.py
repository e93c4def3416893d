"""What a stitched map means: one decoder for each head."""

from typing import Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from detect.inference.decoding.geometry import CellGeometry, Turn
from detect.inference.decoding.grid import GridDecoder
from detect.inference.decoding.patch import PatchDecoder
from detect.inference.decoding.whole import WholeDecoder
from detect.labels.detections import Detections
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead
from detect.nets.net_spec import NetSpec


class Decoder(Protocol):
    """Reads the maps of networks with one head.

    Attributes:
        channels: K of the maps.
    """

    channels: int

    def heat(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of every class in each cell: (K, h, w) to (C, h, w) in [0, 1]."""

    def detections(
        self,
        logits: NDArray[np.float32],
        geometry: CellGeometry,
        *,
        separation: float,
        threshold: float,
        rows: int | None = None,
    ) -> Detections:
        """Find the objects; `separation` is a radius in pixels, or for boxes an IoU."""

    def sureness(self, logits: NDArray[np.float32], geometry: CellGeometry) -> float | None:
        """Return how sure it is that a scene is of some class that it knows, in [0, 1]; None where that is not told."""

    def turned_back(self, maps: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
        """Map the channels of a mirrored tile's output (B, K, h, w) back to the tile's orientation."""

    def combined(self, maps: NDArray[np.float32], how: str) -> NDArray[np.float32]:
        """Combine the maps (V, B, K, h, w) of several views by `mean` or `vote`."""


def decoder_of(spec: NetSpec) -> Decoder:
    """Return the decoder of a network's head; its scores are the network's, whatever a card makes of them."""
    match spec.head:
        case PatchHead():
            return PatchDecoder(spec)
        case GridHead():
            return GridDecoder(spec, spec.head)
        case WholeHead():
            return WholeDecoder(spec, spec.head)
        case _:
            assert_never(spec.head)

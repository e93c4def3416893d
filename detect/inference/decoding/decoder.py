"""What a stitched map means: one decoder for each family of networks."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detect.inference.decoding.geometry import CellGeometry, Turn
from detect.inference.decoding.grid import GridDecoder
from detect.inference.decoding.patch import PatchDecoder
from detect.labels.detections import Detections
from detect.nets.card import ModelCard


class Decoder(Protocol):
    """Reads the maps of one family of networks."""

    def heat(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the probability of every class in each cell: (K, h, w) to (C, h, w) in [0, 1]."""

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

    def turned_back(self, maps: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
        """Make what a mirrored tile's maps (B, K, h, w) say right, once their cells lie where they belong."""

    def combined(self, maps: NDArray[np.float32], how: str) -> NDArray[np.float32]:
        """Combine the maps (V, B, K, h, w) of several views by `mean` or `vote`."""


def decoder_of(card: ModelCard) -> Decoder:
    """Give the decoder of a model's family."""
    return PatchDecoder(card) if card.grid is None else GridDecoder(card)


def separation_of(card: ModelCard) -> float:
    """Give the IoU, or the radius in pixels, that parts a model's detections."""
    if card.boxes:
        assert card.nms_iou is not None
        return card.nms_iou
    return card.radius

"""What a stitched map means: one decoder for each family of networks."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from detect.inference.decoding import CellGeometry, decode_patches, posteriors
from detect.inference.grid_map import combined_grids, decode_grid, grid_heat, turned_channels
from detect.labels.detections import Detections
from detect.nets.modelfile import ModelCard

Turn = tuple[bool, bool, bool]
"""Transpose, then flip rows, then flip columns."""


class Decoder(Protocol):
    """Reads the maps of one family of networks."""

    def heat(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the probability of every class in each cell: (K, h, w) to (C, h, w) in [0, 1]."""

    def detections(
        self,
        logits: NDArray[np.float32],
        geometry: CellGeometry,
        *,
        suppression: float,
        threshold: float,
        rows: int | None = None,
    ) -> Detections:
        """Find the objects; `suppression` is a radius in pixels, or for boxes an IoU."""

    def laid_back(self, maps: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
        """Make what a mirrored tile's maps (B, K, h, w) say right, once their cells lie where they belong."""

    def combined(self, maps: NDArray[np.float32], how: str) -> NDArray[np.float32]:
        """Combine the maps (V, B, K, h, w) of several views by `mean` or `vote`."""


def decoder_of(card: ModelCard) -> Decoder:
    """Give the decoder of a model's family."""
    return PatchDecoder(card) if card.grid is None else GridDecoder(card)


def suppression_of(card: ModelCard) -> float:
    """Give the IoU, or the radius in pixels, that parts a model's detections."""
    if card.boxes:
        assert card.nms_iou is not None
        return card.nms_iou
    return card.radius


class PatchDecoder:
    """Maps of a patch classifier: logits of the background and the classes."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def heat(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the posteriors of the classes."""
        return posteriors(logits)

    def detections(
        self,
        logits: NDArray[np.float32],
        geometry: CellGeometry,
        *,
        suppression: float,
        threshold: float,
        rows: int | None = None,
    ) -> Detections:
        """Find points; see `decode_patches`."""
        return decode_patches(logits, self.card, geometry, radius=suppression, threshold=threshold, rows=rows)

    def laid_back(self, maps: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
        """Logits of classes know no direction."""
        return maps

    def combined(self, maps: NDArray[np.float32], how: str) -> NDArray[np.float32]:
        """Give the logarithms of the mean posteriors, or of the shares of votes.

        In a vote, a view is for its likeliest class, and the mean posterior is one more voice, so that it breaks ties
        and tells the middle of an object.
        """
        mean = logsumexp(log_softmax(maps, axis=2), axis=0) - np.log(len(maps))
        if how == "mean":
            return np.asarray(mean, np.float32)
        likeliest = maps.argmax(axis=2)[:, :, None] == np.arange(maps.shape[2])[None, None, :, None, None]
        share = (likeliest.sum(axis=0) + np.exp(mean)) / (len(maps) + 1)
        return np.asarray(np.log(np.maximum(share, np.finfo(np.float32).tiny)), np.float32)


class GridDecoder:
    """Maps of a grid head: slots of objectness, offsets and sizes, then class logits."""

    def __init__(self, card: ModelCard) -> None:
        assert card.grid is not None
        self.card = card
        self.slots = card.grid.slots

    def heat(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the probability of an object of each class; see `grid_heat`."""
        return grid_heat(logits, self.slots)

    def detections(
        self,
        logits: NDArray[np.float32],
        geometry: CellGeometry,
        *,
        suppression: float,
        threshold: float,
        rows: int | None = None,
    ) -> Detections:
        """Find boxes or points; see `decode_grid`."""
        return decode_grid(logits, self.card, geometry, suppression=suppression, threshold=threshold, rows=rows)

    def laid_back(self, maps: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
        """Turn offsets and sizes back; see `turned_channels`."""
        return turned_channels(maps, self.slots, turn)

    def combined(self, maps: NDArray[np.float32], how: str) -> NDArray[np.float32]:
        """Combine objectness, offsets, sizes and classes; see `combined_grids`."""
        return combined_grids(maps, self.slots, how)

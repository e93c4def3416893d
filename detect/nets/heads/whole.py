"""The classifier of whole scenes: features of a square, an average over all of it, a linear layer."""

import torch
from torch import Tensor, nn

from detect.nets.backbones import Backbone
from detect.nets.heads.familiarity import Familiarity
from detect.nets.heads.normalised import Normalised


class WholeClassifier(Normalised):
    """Features, their mean over a whole scene, and a linear layer; on an image, one cell for each square of it.

    A square is seen alone: of a map, no cell depends on another square, so that tiles of whole squares are exact
    without a halo.

    Args:
        backbone: the features.
        outputs: number of outputs K: the background (first, where there is one) and the patterns.
        side: of a scene in pixels.
        dropout: share of a scene's features dropped while training.
        known: number of training scenes whose features it keeps; 0 for none.

    Attributes:
        familiarity: what tells how near a scene is to those of the training; None where none are kept.

    Raises:
        ValueError: a side below the features' stride, or no output.
    """

    def __init__(self, backbone: Backbone, outputs: int, side: int, dropout: float = 0.0, known: int = 0) -> None:
        super().__init__()
        if side < backbone.stride:
            raise ValueError(f"net.side must be net.stride={backbone.stride} or more, got {side}")
        if outputs < 1:
            raise ValueError(f"a classifier of scenes needs an output or more, got {outputs}")
        self.backbone = backbone
        self.side = self.stride = side
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(backbone.channels, outputs)
        self.familiarity = Familiarity(known, backbone.channels) if known else None
        self.set_normalisation(backbone.offset, backbone.scale)

    @torch.no_grad()
    def divide_logits(self, temperature: float) -> None:
        """Divide the logits by a temperature, for good, so that probabilities are as sure as they are right.

        The order of classes does not change (Guo et al., On Calibration of Modern Neural Networks, 2017).

        Raises:
            ValueError: it is not above 0.
        """
        if not temperature > 0:
            raise ValueError(f"a temperature must be above 0, got {temperature}")
        self.head.weight.div_(temperature)
        self.head.bias.div_(temperature)

    def features(self, pixels: Tensor) -> Tensor:
        """Return the features of scenes: raw pixels (B, bands, side, side), any real dtype, to (B, C)."""
        return self.backbone(self.normalised(pixels)).mean(dim=(2, 3))

    def classify(self, pixels: Tensor) -> Tensor:
        """Classify scenes: raw pixels (B, bands, side, side), any real dtype, to logits (B, K).

        A network that keeps features of its training has one more channel, the last: the `Familiarity`.
        """
        features = self.features(pixels)
        logits = self.head(self.dropout(features))
        if self.familiarity is None:
            return logits
        return torch.cat([logits, self.familiarity(features)[:, None].to(logits.dtype)], dim=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map raw pixels (B, bands, H, W), H and W multiples of the side, to a cell a square of what `classify` gives.

        Returns:
            (B, K, H / side, W / side), with one more channel where `familiarity` is.
        """
        number, bands, height, width = pixels.shape
        rows, cols, side = height // self.side, width // self.side, self.side
        squares = pixels.reshape(number, bands, rows, side, cols, side).permute(0, 2, 4, 1, 3, 5)
        logits = self.classify(squares.reshape(number * rows * cols, bands, side, side))
        return logits.reshape(number, rows, cols, -1).permute(0, 3, 1, 2)

    def extra_repr(self) -> str:
        """Return the side, by which two networks of the same layers differ."""
        return f"side={self.side}"

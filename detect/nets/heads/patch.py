"""The patch classifier: one network that classifies labelled squares and, run densely, maps whole images."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detect.nets.backbones import Backbone
from detect.nets.heads.normalised import Normalised

NOT_COUNTED = -1
"""Instead of an output's number: a cell of which it is not known, or not told, what it holds."""


def patch_centre(stride: int, cells: int) -> float:
    """Return the pixel position, along both axes, of the centre of the patch of `cells` cells that cell 0 describes."""
    return (cells % 2) * stride / 2


class PatchClassifier(Normalised):
    """Features, an average over the patch's cells, a linear layer; run on an image, the same as a convolution.

    The average and the linear layer commute, so the dense form applies the linear layer to every cell and averages
    windows of cells after it (Sermanet et al., OverFeat, 2014; Long et al., Fully Convolutional Networks, 2015).

    Args:
        backbone: the features.
        outputs: number of outputs K: the background (first, where there is one) and the classes.
        patch_size: side in pixels of the patch that an output describes, a multiple of the backbone's stride.
        dropout: share of a patch's features dropped while training; of all patches of an image the same ones.

    Raises:
        ValueError: a patch size that is no positive multiple of the stride, or fewer than two outputs.
    """

    def __init__(self, backbone: Backbone, outputs: int, patch_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        if patch_size < 1 or patch_size % backbone.stride:
            raise ValueError(
                f"patch_size must be a positive multiple of the stride {backbone.stride}, got {patch_size}"
            )
        if outputs < 2:
            raise ValueError(f"a classifier needs two outputs or more, got {outputs}; is there a background class?")
        self.backbone = backbone
        self.stride = backbone.stride
        self.patch_size = patch_size
        self.cells = patch_size // backbone.stride
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(backbone.channels, outputs, kernel_size=1)
        self.set_normalisation(backbone.offset, backbone.scale)

    def expect_background(self, share: float) -> None:
        """Set the head's bias so that new weights give the background, the first output, its share of what is learned.

        Training does not begin with thousands of objects then (Lin et al., RetinaNet, 2017).

        Args:
            share: in (0, 1).
        """
        assert self.head.bias is not None
        classes = self.head.out_channels - 1
        with torch.no_grad():
            self.head.bias.zero_()
            self.head.bias[0] = math.log(classes * share / (1 - share))

    @property
    def map_offset(self) -> float:
        """Pixel position, along both axes, of the centre of the patch that map cell 0 describes."""
        return patch_centre(self.stride, self.cells)

    def features(self, pixels: Tensor) -> Tensor:
        """Map raw pixels (B, bands, H, W), any real dtype, to features (B, F, H / stride, W / stride)."""
        return self.backbone(self.normalised(pixels))

    def classify(self, pixels: Tensor) -> Tensor:
        """Classify patches in the middle of their context.

        Args:
            pixels: (B, bands, S, S) raw pixels, S = patch_size + 2 * margin, the margin a multiple of the stride.

        Returns:
            (B, K) logits; only the patch's own cells are averaged; the margin is context of the receptive field.
        """
        features = self.features(pixels)
        margin = (features.shape[-1] - self.cells) // 2
        own = features[:, :, margin : margin + self.cells, margin : margin + self.cells]
        return self.head(self.dropout(own.mean(dim=(2, 3), keepdim=True))).flatten(1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map an image or tile to the logits of the patch around every cell.

        Args:
            pixels: (B, bands, H, W) raw pixels, H and W multiples of the stride.

        Returns:
            (B, K, H / stride, W / stride) logits. Cell c describes the patch of cells c - cells // 2 and on, whose
            centre lies at pixel `map_offset + stride * c`. The patch or the receptive field of cells near
            the tile's edge is padded with zeros: add a halo (`receptive_halo`) and drop it.
        """
        cells = self.head(self.dropout(self.features(pixels)))
        height, width = cells.shape[-2:]
        averaged = F.avg_pool2d(cells, self.cells, stride=1, padding=self.cells // 2)
        return averaged[:, :, :height, :width]

"""The grid head: for every cell the presence of an object's centre, its place, its size and its class."""

import math

import torch
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from detect.nets.backbones import Pyramid
from detect.nets.heads.normalised import Normalised
from detect.nets.heads.specs import GridHead

CHANNELS_PER_SLOT = 5
"""Channels of a slot: objectness, x and y from the cell's middle, logarithms of width and height."""


MAX_CENTRE_OFFSET = 1.5
"""Greatest distance, in cells along each axis, of a centre from its cell's middle."""


INITIAL_OBJECTNESS = 0.01
"""Objectness of an untrained net in every cell, so that training does not begin with thousands of objects."""


class GridDetector(Normalised):
    """A feature pyramid on a timm backbone and a small convolutional head on its finest level.

    As in YOLO (Redmon et al. 2016) a cell predicts the objects with their centre in it, S x S x (B * 5 + C), but
    fully convolutional on an image of any size; the pyramid is that of Lin et al. 2017; no anchors, one finest level.

    The map's channels are, for each of B slots: objectness as log odds, x and y of the centre from the cell's middle in
    cells (within `MAX_CENTRE_OFFSET`), and the logarithms of width and height over `object_size`; then C class logits.

    Args:
        pyramid: the backbone's features.
        spec: the shape of the head.
        classes: number of classes C.
        dropout: share of the head's features dropped while training.
    """

    def __init__(self, pyramid: Pyramid, spec: GridHead, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError(f"a grid head needs a class or more, got {classes}")
        self.backbone = pyramid
        self.spec = spec
        self.stride = pyramid.strides[0]
        self.align = pyramid.strides[-1]
        self.classes = classes
        self.neck = FeaturePyramidNetwork(list(pyramid.channels), spec.width)
        self.tower = nn.Sequential(_block(spec.width), _block(spec.width), nn.Dropout2d(dropout))
        self.head = nn.Conv2d(spec.width, spec.slots * CHANNELS_PER_SLOT + classes, kernel_size=1)
        nn.init.normal_(self.head.weight, std=0.01)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            self.head.bias[: spec.slots * CHANNELS_PER_SLOT : CHANNELS_PER_SLOT] = math.log(
                INITIAL_OBJECTNESS / (1 - INITIAL_OBJECTNESS)
            )
        self.set_normalisation(pyramid.offset, pyramid.scale)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map raw pixels (B, bands, H, W), H and W multiples of `align`, to (B, K, H / stride, W / stride)."""
        levels = self.backbone(self.normalised(pixels))
        finest = self.neck({str(i): level for i, level in enumerate(levels)})["0"]
        raw = self.head(self.tower(finest))
        slots = self.spec.slots * CHANNELS_PER_SLOT
        parts = []
        for first in range(0, slots, CHANNELS_PER_SLOT):
            centre = MAX_CENTRE_OFFSET * torch.tanh(raw[:, first + 1 : first + 3])
            parts += [raw[:, first : first + 1], centre, raw[:, first + 3 : first + CHANNELS_PER_SLOT]]
        return torch.cat([*parts, raw[:, slots:]], dim=1)


def _block(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(width), nn.SiLU(inplace=True)
    )

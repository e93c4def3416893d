"""Nets and reads that the laws share, written without the code under test where that can be."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detect.imagery.windows import Window
from detect.inference.stitching import Runtime
from detect.nets.card import ModelCard
from detect.nets.heads.patch import PatchClassifier
from detect.nets.modelfile import build_net
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo
from tests.cards import patch_card


def random_net(name: str, cells: int, seed: int, stages: int | None = None) -> tuple[PatchClassifier, ModelCard]:
    """A patch classifier of stride 16 and `cells` cells a patch; its batch statistics and biases are random too, so
    that zeros at an edge are no fixed point of any layer."""
    torch.manual_seed(seed)
    spec = BackboneSpec(name, 16, stages)
    card = patch_card(spec, offset=(127.0,) * 3, scale=(128.0,) * 3, patch_size=16 * cells)
    net = build_net(card)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.5)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    nn.init.normal_(net.head.bias)
    card = replace(card, halo=receptive_halo(net, 16, 3))
    return net.eval(), card


def cut(image: NDArray[np.generic], window: Window) -> NDArray[np.generic]:
    """Read a window of an image (C, H, W) in memory; numpy mirrors what hangs over."""
    height, width = image.shape[1:]
    rows = (max(0, -window.row), max(0, window.row_stop - height))
    cols = (max(0, -window.col), max(0, window.col_stop - width))
    whole = np.pad(image, ((0, 0), rows, cols), mode="reflect")
    top, left = window.row + rows[0], window.col + cols[0]
    return whole[:, top : top + window.height, left : left + window.width]


def run(net: nn.Module, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """A tile (C, H, W) through a net."""
    with torch.inference_mode():
        return net(torch.from_numpy(np.ascontiguousarray(pixels))[None].float())[0].numpy()


def plain(net: nn.Module) -> Runtime:
    """A runtime that runs one tile of the batch after the other."""
    return lambda pixels: np.stack([run(net, tile) for tile in pixels])


def one_pass(net: nn.Module, image: NDArray[np.generic], halo: int, stride: int) -> NDArray[np.float32]:
    """The map of a whole image, mirrored at its edges, in one pass and without a grid."""
    cells = [-(-side // stride) for side in image.shape[1:]]
    whole = Window(0, 0, cells[0] * stride, cells[1] * stride).grown(halo)
    edge = halo // stride
    return run(net, cut(image, whole))[:, edge : edge + cells[0], edge : edge + cells[1]]

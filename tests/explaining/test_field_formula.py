"""The receptive field by the formula is that by the support of gradients, and the halo that of `receptive_halo`."""

import pytest
import torch
from torch import nn

from detect.explaining.field_formula import Field, fields_of
from detect.nets.backbones import build_backbone
from detect.nets.card import BackboneSpec
from detect.nets.receptive import receptive_halo
from tests.grids import lively_grid

BACKBONES = [
    ("test_resnet", 8),
    ("resnet18", 8),
    ("lenet5", 4),
    ("regnetx_002", 8),
    ("torchvision/alexnet", 8),
    ("convnext_atto", 8),
    ("mobilenetv2_100", 8),
    ("tf_efficientnet_lite0", 8),
    ("vgg11", 4),
    ("torchvision/googlenet", 8),
]


def open_net(name: str, stride: int) -> nn.Module:
    """A backbone in float64 through which every gradient passes: positive weights, and means for the greatest."""
    net = build_backbone(BackboneSpec(name, stride, bands=1)).double().eval()
    for place, layer in list(net.named_modules()):
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.MaxPool2d):
            net.set_submodule(place, nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding))
        elif isinstance(layer, nn.ReLU6 | nn.Hardtanh):
            net.set_submodule(place, nn.ReLU())
    return net


def supported(net: nn.Module, stride: int, side: int) -> tuple[list[int], list[int]]:
    """The first and last row, and column, at which a pixel moves the middle cell, from the cell's own first pixel."""
    torch.manual_seed(0)
    pixels = (0.5 + 0.5 * torch.rand(1, 1, side, side, dtype=torch.float64)).requires_grad_()
    cell = side // stride // 2
    (gradient,) = torch.autograd.grad(net(pixels)[0, :, cell, cell].sum(), pixels)
    found = [
        axis.nonzero().flatten() - cell * stride
        for axis in ((gradient[0, 0] != 0).any(1), (gradient[0, 0] != 0).any(0))
    ]
    return [int(each[0]) for each in found], [int(each[-1]) for each in found]


@pytest.mark.parametrize(("name", "stride"), BACKBONES, ids=[name for name, _ in BACKBONES])
def test_the_formula_is_the_support_of_the_gradient(name: str, stride: int) -> None:
    net = open_net(name, stride)
    _, field = fields_of(build_backbone(BackboneSpec(name, stride, bands=1)), 1, 64)
    side = 2 * (-(-int(max(field.size)) // (2 * stride)) + 2) * stride
    low, high = supported(net, stride, side)
    assert (low, high) == ([int(each) for each in field.low], [int(each) for each in field.high])


@pytest.mark.parametrize(("name", "stride"), [("test_resnet", 8), ("lenet5", 4), ("convnext_atto", 8)])
def test_the_halo_of_the_formula_is_the_one_that_prediction_measures(name: str, stride: int) -> None:
    net = build_backbone(BackboneSpec(name, stride, bands=1))
    assert fields_of(net, 1, 64)[1].halo(stride) == receptive_halo(net, stride, 1)


def test_the_halo_of_a_pyramid_is_that_of_its_card() -> None:
    """What an enlarged level sees differs by cell, so that the formula takes the most that any of them sees."""
    net, card = lively_grid(deepest=32)
    assert fields_of(net, 3, 64)[1].halo(card.align) == card.halo


def test_a_network_that_pools_everything_sees_everything() -> None:
    net = build_backbone(BackboneSpec("mobilenetv3_small_050", 8, bands=1))
    assert fields_of(net, 1, 64)[1].halo(8) is None


def test_two_convolutions_by_hand() -> None:
    """3 x 3 at a stride of 2, then 3 x 3 two apart: 3 + 2 * (5 - 1) = 11 pixels, the first 1 + 2 * 2 = 5 before."""
    net = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.Conv2d(1, 1, 3, padding=2, dilation=2))
    layers, field = fields_of(net, 1, 16)
    assert layers["0"] == Field((-1, -1), (1, 1), (2, 2)) and layers["0"].size == (3, 3)
    assert field == Field((-5, -5), (5, 5), (2, 2)) and field.size == (11, 11)
    assert field.reach == 5 and field.halo(2) == 6
    assert field.at((1, 3)) == (1, -3, 12, 8)  # columns 6 - 5 to 6 + 5, rows 2 - 5 to 2 + 5

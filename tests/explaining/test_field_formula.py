"""The receptive field by the formula is that by the support of gradients, and the halo that of `receptive_halo`."""

import pytest
from torch import nn

from detect.explaining.field_formula import Axis, fields_of
from detect.nets.backbones import build_backbone
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo
from tests.grids import lively_grid
from tools.check_fields import BACKBONES, compared

CHEAP = ("test_resnet", "lenet5", "regnetx_002", "tf_efficientnet_lite0")
"""The backbones that take least; `tools/check_fields.py` compares all ten."""


@pytest.mark.parametrize(("name", "stride"), [each for each in BACKBONES if each[0] in CHEAP])
def test_the_formula_is_the_support_of_the_gradient(name: str, stride: int) -> None:
    _, by_formula, by_gradients = compared(name, stride)
    assert by_formula == by_gradients


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
    assert layers["0"].rows == Axis((-1,), (1,), 2) and layers["0"].size == (3, 3)
    assert field.cols == Axis((-5,), (5,), 2) and field.size == (11, 11)
    assert field.halo(2) == 6  # 5 pixels beyond the cell's own, in whole cells of 2


def test_cells_that_were_enlarged_see_in_turn() -> None:
    """A mean over 2 pixels, enlarged by 2, and a kernel of 3: even cells see the pair before, odd ones that after."""
    net = nn.Sequential(nn.AvgPool2d(2), nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 3, padding=1))
    _, field = fields_of(net, 1, 16)
    assert field.rows == Axis((-2, 0), (1, 3), 1)
    assert field.size == (4, 4) and (field.rows.low, field.rows.high) == (-2, 2)
    assert field.halo(2) == 2  # of a block of both: pixels -2 to 3, 2 beyond it on either side

"""Padding by numbers gives what padding by the size of the input gives, of tiles on the alignment."""

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.pool2d_same import AvgPool2dSame, MaxPool2dSame
from torch import nn

from detect.inference.exports.fixed_padding import with_fixed_padding


@pytest.mark.parametrize("shape", [(2, 4, 16, 24), (1, 4, 8, 40)])
@pytest.mark.parametrize(
    "layer",
    [
        Conv2dSame(4, 6, 3, stride=2),
        Conv2dSame(4, 4, (5, 3), stride=(2, 1), groups=4, bias=False),
        Conv2dSame(4, 6, 3, stride=1, dilation=2),
        Conv2dSame(4, 6, 2, stride=4),
        MaxPool2dSame(3, 2),
        AvgPool2dSame(3, 2),
    ],
    ids=str,
)
def test_maps_are_the_same(layer: nn.Module, shape: tuple[int, ...]) -> None:
    net = nn.Sequential(layer, nn.ReLU())
    pixels = torch.randn(shape, generator=torch.Generator().manual_seed(0)) - 2  # zeros would win in a pool
    made = with_fixed_padding(net)
    torch.testing.assert_close(made(pixels), net(pixels), rtol=0, atol=0)
    assert isinstance(made[0], nn.Sequential) and net[0] is layer


class OtherSame(nn.Identity):
    """Pads itself in a way of its own."""


def test_an_unknown_layer_that_pads_itself_is_refused() -> None:
    with pytest.raises(RuntimeError, match="OtherSame pads itself"):
        with_fixed_padding(nn.Sequential(OtherSame()))

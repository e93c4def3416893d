"""An exported network that is another one is told."""

import numpy as np
import pytest
import torch
from torch import nn

from detect.inference.exports.parity import Parity, check_parity, compared, random_tiles
from detect.nets.net_spec import BackboneSpec
from tests.cards import card_of, grid_head


class Means(nn.Module):
    """Gives the mean of every square of 8 pixels, 16 bits wide at most."""

    offset, scale = torch.full((1, 3, 1, 1), 100.0), torch.full((1, 3, 1, 1), 400.0)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(pixels / 1000, 8)


CARD = card_of(grid_head(), BackboneSpec("test_resnet", 8), dtype="uint16")


def test_tiles_are_of_two_sizes_on_the_alignment_and_of_the_images_values() -> None:
    """Sides of 192 x 128 and 96 x 320 are multiples of 32; 3 sigma of 400 around 100 are cut at 0."""
    one, two = random_tiles(Means(), CARD)
    assert one.shape == (1, 3, 192, 128) and two.shape == (2, 3, 96, 320)
    assert one.dtype == np.uint16 and one.min() == 0 and one.max() > 1000


def test_a_difference_is_measured_and_bounded() -> None:
    """One cell of one tile is off by 0.001: ten times the bound of values below 1."""
    net = Means()

    def off(pixels: np.ndarray) -> np.ndarray:
        made = net(torch.from_numpy(pixels.astype(np.float32))).numpy().copy()
        made[-1, 1, 2, 3] += 1e-3
        return made

    parity = compared(net, off, CARD, "uint16")
    assert abs(parity.difference - 1e-3) < 1e-6 and parity.bound == 1e-4
    with pytest.raises(ValueError, match=r"1x3x192x128 and 2x3x96x320 pixels differ by 1.0e-03 .* 1.0e-04 is allowed"):
        check_parity(parity)
    check_parity(compared(net, lambda pixels: net(torch.from_numpy(pixels).float()).numpy(), CARD, "float32"))


def test_the_bound_grows_with_values_beyond_one_and_nan_is_no_value() -> None:
    check_parity(Parity(4e-4, 5.0, ()))
    with pytest.raises(ValueError, match="not the network"):
        check_parity(Parity(float("nan"), 5.0, ()))


def test_maps_of_another_shape_are_told() -> None:
    with pytest.raises(ValueError, match=r"maps of \(1, 3, 192, 128\), the network \(1, 3, 24, 16\)"):
        compared(Means(), lambda pixels: pixels.astype(np.float32), CARD, "uint16")

import math

import pytest
import torch
from torch import Tensor, nn

from detect.nets.backbones import build_pyramid
from detect.nets.heads.grid import MAX_CENTRE_OFFSET, GridDetector
from detect.nets.modelfile import build_net
from detect.nets.net_spec import BackboneSpec
from tests.cards import grid_head
from tests.grids import grid_card, lively_grid


@pytest.mark.parametrize(
    ("stride", "deepest", "slots", "classes", "bands"),
    [(8, 32, 1, 1, 3), (4, 16, 2, 3, 1), (16, 32, 1, 5, 4), (8, 8, 3, 2, 3)],
)
def test_a_map_has_a_cell_a_stride_and_five_numbers_a_slot_and_one_a_class(
    stride: int, deepest: int, slots: int, classes: int, bands: int
) -> None:
    """S x S x (B * 5 + C) of an image whose sides are any multiples of the deepest features' stride."""
    pyramid = build_pyramid(BackboneSpec("test_resnet", stride, bands=bands), deepest)
    net = GridDetector(pyramid, grid_head(deepest, 16, slots), classes).eval()
    assert (net.stride, net.align, net.classes) == (stride, deepest, classes)
    with torch.inference_mode():
        found = net(torch.zeros(2, bands, 2 * deepest, 3 * deepest, dtype=torch.uint8))
    assert found.shape == (2, 5 * slots + classes, 2 * deepest // stride, 3 * deepest // stride)


@pytest.mark.parametrize("slots", [1, 2])
def test_an_untrained_net_says_one_percent_everywhere(slots: int) -> None:
    """Training would begin with thousands of objects; log odds of 0.01 are log(1 / 99) = -4.6."""
    torch.manual_seed(0)
    net = build_net(grid_card(24.0, slots)).eval()
    with torch.inference_mode():
        found = net(torch.randint(0, 256, (2, 3, 96, 128)))
    there = found[:, : 5 * slots : 5].sigmoid()
    assert there.shape[1] == slots and (there - 0.01).abs().max() < 0.005
    assert (found[:, 5 * slots :]).abs().max() < 1  # no class is liked from the start
    assert (found[:, 3:5]).abs().max() < 1  # sizes begin near the typical object's


def test_only_the_centres_are_bounded_to_their_reach() -> None:
    """A head with biases of 100: centres at +- 1.5 cells, while objectness, sizes and classes are not touched."""
    net = build_net(grid_card(24.0, 2)).eval()
    assert isinstance(net, GridDetector)
    nn.init.zeros_(net.head.weight)
    signs = torch.tensor([1.0, -1.0] * 6)
    with torch.no_grad():
        net.head.bias.copy_(100 * signs)
        found = net(torch.zeros(1, 3, 32, 32))[0, :, 0, 0]
    wanted = 100 * signs
    for centre in (1, 2, 6, 7):
        wanted[centre] = MAX_CENTRE_OFFSET * signs[centre]
    torch.testing.assert_close(found, wanted)
    assert MAX_CENTRE_OFFSET == 1.5


def test_pixels_are_normalised_band_by_band() -> None:
    """(x - offset) / scale: the same image in other units gives the same map."""
    net, _ = lively_grid()
    with torch.inference_mode():
        pixels = torch.randint(0, 256, (1, 3, 64, 64)).float()
        wanted = net(pixels)
        offset, scale = (value.flatten().tolist() for value in (net.offset, net.scale))
        net.set_normalisation([10 * each + 7 for each in offset], [10 * each for each in scale])
        found = net(10 * pixels + 7)
        net.set_normalisation(offset, scale)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r"scale .*got \[1\.0, 0\.0, 1\.0\]"):
        net.set_normalisation([0.0] * 3, [1.0, 0.0, 1.0])


class Levels(nn.Module):
    """A backbone of known features: 1 in the deepest level's first cell, else 0."""

    channels, strides, offset, scale = (4, 4), (8, 16), (0.0,), (1.0,)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        sides = pixels.shape[2:]
        levels = [torch.zeros(len(pixels), 4, *(side // stride for side in sides)) for stride in self.strides]
        levels[1][:, :, 0, 0] = pixels.mean()
        return levels


def test_the_finest_level_hears_of_the_deepest() -> None:
    """Without a pyramid the finest level, zeros throughout, would say the same everywhere."""
    torch.manual_seed(0)
    net = GridDetector(Levels(), grid_head(16, 8), 1).eval()  # type: ignore[arg-type]
    nn.init.normal_(net.head.weight)
    with torch.inference_mode():
        dark, bright = (net(torch.full((1, 1, 128, 128), value)) for value in (0.0, 50.0))
    differs = (dark - bright).abs().amax(dim=(0, 1)) > 1e-4
    assert differs[:2, :2].any() and not differs[8:, 8:].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slots": 0}, r"net\.slots .*got 0"),
        ({"width": 4}, r"net\.width .*got 4"),
        ({"object_size": 0.0}, r"net\.object_size .*got 0\.0"),
        ({"object_size": math.nan}, r"net\.object_size .*got nan"),
    ],
)
def test_numbers_that_make_no_head(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid_head(**change)


def test_a_head_without_classes() -> None:
    with pytest.raises(ValueError, match=r"class.*got 0"):
        GridDetector(build_pyramid(BackboneSpec("test_resnet", 8), 8), grid_head(8), 0)

import pytest
import timm
import torch
from torch import Tensor, nn

from detect.nets.padding import maps_fit, pad_evenly


class Levels(nn.Module):
    """A chain of layers whose last output is the one level."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.chain = nn.Sequential(nn.Conv2d(3, 1, 1), *layers)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        return [self.chain(pixels)]


@pytest.mark.parametrize(
    ("layer", "stride", "before"),
    [
        (nn.Conv2d(1, 1, 3, stride=2), 2, 3),  # (8 - 3) // 2 + 1
        (nn.Conv2d(1, 1, 5, dilation=2, stride=4), 4, 2),  # 16 pixels: (16 - 9) // 4 + 1
        (nn.Conv2d(1, 1, (1, 3)), 1, 2),  # 4 pixels: 4 - 3 + 1
        (nn.MaxPool2d(3, 2), 2, 3),
        (nn.AvgPool2d(3, 1), 1, 2),  # 4 pixels: 4 - 3 + 1
    ],
)
def test_layers_that_lose_cells_give_one_a_stride_once_padded(layer: nn.Module, stride: int, before: int) -> None:
    """An image of 4 cells a side: d (k - 1) / 2 pixels more on either side make (4 s - 1) // s + 1 = 4 of them."""
    body = Levels(layer).eval()
    side = 4 * stride
    assert body(torch.zeros(1, 3, side, side))[0].shape[3] == before and not maps_fit(body, [stride])
    pad_evenly(body)
    assert maps_fit(body, [stride]) and body(torch.zeros(1, 3, side, side))[0].shape == (1, 1, 4, 4)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(1, 1, 3, stride=2, padding=1),
        nn.Conv2d(1, 1, 2, stride=2),
        nn.MaxPool2d(2),
        nn.AvgPool2d(1, stride=2),
        nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False),
        timm.layers.Conv2dSame(1, 1, 3, stride=2),
        timm.layers.create_pool2d("max", 3, 2, padding="same"),
    ],
)
def test_layers_that_fit_stay_as_they_are(layer: nn.Module) -> None:
    """Half of an even number of pixels: 3 wide with 1 on either side, 2 wide with none, or padded by themselves."""
    body = Levels(layer).eval()
    pixels = torch.rand(1, 3, 8, 8)
    before = body(pixels)[0]
    assert maps_fit(body, [2])
    pad_evenly(body)
    assert torch.equal(body(pixels)[0], before)


def test_pools_that_round_up_begin_half_a_window_earlier() -> None:
    """Eight pixels 0 to 7. Windows from 0, 2, 4 and, cut, 6 have maxima 2, 4, 6, 7; around 0, 2, 4, 6: 1, 3, 5, 7."""
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    row = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    assert pool(row)[0, 0, 0].tolist() == [2, 4, 6, 7]
    pad_evenly(pool)
    assert pool(row)[0, 0, 0].tolist() == [1, 3, 5, 7] and not pool.ceil_mode


def test_inside_the_image_a_layer_computes_what_it_did_on_shifted_pixels() -> None:
    """A window of 3 that began at pixel 2 j now begins at 2 j - 1: an image moved right by 1 gives the same cells."""
    layer = nn.Conv2d(1, 1, 3, stride=2)
    image = torch.rand(1, 1, 12, 12)
    weight, before = layer.weight.clone(), layer(image[..., 1:, 1:])
    pad_evenly(layer)
    torch.testing.assert_close(layer(image)[..., 1:, 1:], before)
    assert torch.equal(layer.weight, weight)


def test_pools_that_round_up_are_noticed_where_sizes_do_not_tell() -> None:
    """Eight pixels make four cells either way; two pixels wide, windows lie over their cells already."""
    assert not maps_fit(Levels(nn.MaxPool2d(3, 2, ceil_mode=True)), [2])
    assert maps_fit(Levels(nn.MaxPool2d(2, 2, ceil_mode=True)), [2])

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detect.nets.backbones import build_backbone
from detect.nets.heads.patch import PatchClassifier
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import effective_halo, receptive_halo


def conv(kernel: int | tuple[int, int], stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    sides = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    rows, cols = (dilation * (side - 1) // 2 for side in sides)
    return nn.Conv2d(1, 1, kernel, stride, (rows, cols), dilation)


class Padded(nn.Module):
    """A 3 x 3 convolution padded on one side alone: left, right, top, bottom."""

    def __init__(self, *pads: int) -> None:
        super().__init__()
        self.pads, self.layer = pads, nn.Conv2d(1, 1, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layer(F.pad(pixels, self.pads))


KNOWN = {
    "a pixel sees itself": ([conv(1)], 1, 0),
    "7 x 7 reaches 3": ([conv(7)], 1, 3),
    "3 + 2 + 1": ([conv(7), conv(5), conv(3)], 1, 6),
    "dilated by 4, 3 x 3 reaches 4": ([conv(3, dilation=4)], 1, 4),
    "along rows alone": ([conv((1, 9))], 1, 4),
    "along columns alone": ([conv((9, 1))], 1, 4),
    "activations and pooling pass it on": ([conv(3), nn.ReLU6(), nn.MaxPool2d(3, 1, 1), nn.Hardswish()], 1, 2),
    "2j - 1 to 2j + 1: 1 beyond the left, in cells of 2": ([conv(3, 2)], 2, 2),
    "4j - 3 to 4j + 3: 3 beyond the left, none beyond 4j + 3": ([conv(3, 2), conv(3, 2)], 4, 4),
    "a cell more on both sides, 4j - 7": ([conv(3, 2), conv(3, 2), conv(3)], 4, 8),
    "a kernel as large as its stride stays in its cell": ([nn.Conv2d(1, 1, 8, 8)], 8, 0),
    "left": ([Padded(2, 0, 1, 1)], 1, 2),
    "right": ([Padded(0, 2, 1, 1)], 1, 2),
    "top": ([Padded(1, 1, 2, 0)], 1, 2),
    "bottom": ([Padded(1, 1, 0, 2)], 1, 2),
    "gaps between, and more than the first strip of 256": ([conv(3, dilation=300)], 1, 300),
}


@pytest.mark.parametrize("name", KNOWN)
def test_fields_worked_out_by_hand(name: str) -> None:
    layers, stride, halo = KNOWN[name]
    assert receptive_halo(nn.Sequential(*layers), stride, 1) == halo


def test_weights_of_zero_count_as_the_field_is_that_of_the_architecture() -> None:
    layer = conv(5)
    nn.init.zeros_(layer.weight)
    assert receptive_halo(nn.Sequential(layer), 1, 1) == 2


@pytest.mark.parametrize(("cells", "more"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_a_patch_adds_half_its_cells(cells: int, more: int) -> None:
    """Cell c averages cells c - cells // 2 and on: that many more to the left, where an even patch reaches further."""
    backbone = build_backbone(BackboneSpec("test_resnet", 8))
    alone = receptive_halo(PatchClassifier(backbone, 2, 8), 8, 3)
    assert receptive_halo(PatchClassifier(backbone, 2, 8 * cells), 8, 3) == alone + 8 * more


class Deep(nn.Module):
    """Cells of 4 pixels that hear of the mean of the 16 pixels around, and of the cells beside them."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.layer = conv(kernel)

    def forward(self, pixels: Tensor) -> Tensor:
        fine = F.avg_pool2d(pixels, 4)
        return self.layer(fine + F.interpolate(F.avg_pool2d(pixels, 16), scale_factor=4))


@pytest.mark.parametrize(("kernel", "halo"), [(1, 0), (3, 16), (9, 16), (11, 32)])
def test_a_field_is_measured_from_where_tiles_may_begin(kernel: int, halo: int) -> None:
    """A tile that begins on a multiple of 16 holds all of each mean; a cell more to the side needs the next 16.

    9 cells across reach 4 cells of 4 pixels, which are 16; 11 reach 5, for which 16 more are needed.
    """
    net = Deep(kernel)
    assert receptive_halo(net, 4, 1, 16) == halo
    side = 2 * halo + 32
    tiles = [torch.rand(1, side, side, generator=torch.Generator().manual_seed(1))]
    enough, error = effective_halo(net.eval(), tiles, halo, 4, 1e-6, 16)
    assert enough % 16 == 0 and enough <= halo and error <= 1e-6


class Everywhere(nn.Module):
    """Every cell sees the mean of the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = conv(1)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.layer(pixels) + pixels.mean(dim=(2, 3), keepdim=True)


def test_global_pooling_has_no_halo() -> None:
    with pytest.raises(ValueError, match=r" 2048 .*tf_efficientnet_lite0"):
        receptive_halo(Everywhere(), 1, 1)
    with pytest.raises(ValueError, match=r" 2048 .*tf_efficientnet_lite0"):
        receptive_halo(build_backbone(BackboneSpec("test_efficientnet", 16)), 16, 3)


class Fixed(nn.Module):
    """Takes images of 224 pixels alone, as some transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = conv(1)

    def forward(self, pixels: Tensor) -> Tensor:
        if pixels.shape[-1] != 224:
            raise AssertionError(f"Input width {pixels.shape[-1]} doesn't match 224")
        return self.layer(pixels)


def test_a_network_for_images_of_one_size_cannot_run_on_tiles() -> None:
    with pytest.raises(ValueError, match=r"one size.*224"):
        receptive_halo(Fixed(), 1, 1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("bounded", [True, False])
def test_the_net_stays_as_it_was(training: bool, bounded: bool) -> None:
    """A measurement in training mode would fill the batch statistics with NaN."""
    net = nn.Sequential(conv(3) if bounded else Everywhere(), nn.BatchNorm2d(1)).train(training)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    try:
        receptive_halo(net, 1, 1)
    except ValueError:
        assert not bounded
    assert net.training is training and net[1].training is training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def weighted(kernel: int, weights: dict[tuple[int, int], float], stride: int = 1) -> nn.Sequential:
    """Cells of `stride` pixels, averaged, and a convolution of them with these weights around the middle, else zero."""
    layer = nn.Conv2d(1, 1, kernel, padding=kernel // 2, bias=False)
    nn.init.zeros_(layer.weight)
    for (row, col), weight in weights.items():
        layer.weight.data[0, 0, kernel // 2 + row, kernel // 2 + col] = weight
    return nn.Sequential(nn.AvgPool2d(stride), layer).eval()


NEAR = {(row, col): 1.0 for row in (-1, 0, 1) for col in (-1, 0, 1)}


@pytest.mark.parametrize(("kernel", "stride", "exact"), [(9, 1, 4), (7, 4, 12), (15, 8, 56)])
def test_the_effective_field_of_a_3_by_3_convolution_in_a_larger_one_is_a_cell(
    kernel: int, stride: int, exact: int
) -> None:
    """Zero weights count for the architecture, kernel // 2 cells, and not for the effect, 1 cell."""
    net = weighted(kernel, NEAR, stride)
    assert receptive_halo(net, stride, 1) == exact
    side = 2 * exact + 5 * stride
    tiles = [torch.rand(1, side, side, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    halo, error = effective_halo(net, tiles, exact, stride)
    assert halo == stride and error <= 1e-6  # the last digits of float32


def test_the_effective_field_is_a_multiple_of_where_tiles_begin() -> None:
    """One cell of 8 pixels is enough, and tiles begin on multiples of 16: 16, of 64 that the architecture reaches."""
    net = weighted(15, NEAR, 8)
    assert receptive_halo(net, 8, 1, 16) == 64
    tile = torch.rand(1, 160, 160, generator=torch.Generator().manual_seed(0))
    assert effective_halo(net, [tile], 64, 8, align=16)[0] == 16
    with pytest.raises(ValueError, match=r"tiles .*144 .*halo of 64"):
        effective_halo(net, [tile[:, :136, :136]], 64, 8, align=16)


@pytest.mark.parametrize(("tolerance", "cells", "wanted"), [(1e-3, 0, 1e-4), (2e-4, 0, 1e-4), (5e-5, 3, 0.0)])
def test_the_tolerance_is_a_part_of_the_largest_logit(tolerance: float, cells: int, wanted: float) -> None:
    """Weights of 1 in the middle and of 1e-4 three cells to the left, pixels of 5: logits of 5 (1 + 1e-4).

    Without three cells of halo those at the core's left edge miss 5e-4, a part of 1e-4 of the largest.
    """
    net = weighted(9, {(0, 0): 1.0, (0, -3): 1e-4})
    halo, error = effective_halo(net, [torch.full((1, 16, 16), 5.0)], 4, 1, tolerance)
    assert halo == cells and error == pytest.approx(wanted, abs=1e-6) and error <= tolerance


def test_one_tile_that_needs_more_context_counts_for_all() -> None:
    """Pixels that are zero but for a bright column left of the core, which the core sees two cells away."""
    net = weighted(9, {(0, 0): 1.0, (0, -2): 1.0})
    dark, bright = torch.zeros(1, 12, 12), torch.zeros(1, 12, 12)
    bright[:, :, 2] = 1.0
    assert effective_halo(net, [dark, bright], 4, 1)[0] == 2
    assert effective_halo(net, [dark], 4, 1)[0] == 0


def test_a_net_that_sees_its_own_cell_needs_no_context() -> None:
    assert effective_halo(weighted(9, {(0, 0): 1.0}), [torch.rand(1, 12, 12)], 4, 1) == (0, 0.0)


@pytest.mark.parametrize("tiles", [[], [torch.zeros(1, 8, 12)]])
def test_tiles_without_a_core_measure_nothing(tiles: list[Tensor]) -> None:
    with pytest.raises(ValueError, match=r"tiles .* 9 .*halo of 4"):
        effective_halo(weighted(9, NEAR), tiles, 4, 1)

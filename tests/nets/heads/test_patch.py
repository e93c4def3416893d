import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detect.nets.backbones import Backbone
from detect.nets.heads.patch import PatchClassifier

STRIDE = 4


class Means(nn.Module):
    """A backbone whose features are the means of the cells' pixels, so that every output can be worked out by hand."""

    channels, stride, offset, scale = 1, STRIDE, (10.0,), (2.0,)

    def forward(self, pixels: Tensor) -> Tensor:
        return F.avg_pool2d(pixels, STRIDE)


def classifier(cells: int, dropout: float = 0.0) -> PatchClassifier:
    """Outputs the mean of the patch's normalised pixels, and its negative plus 1."""
    backbone: Backbone = Means()  # type: ignore[assignment]
    net = PatchClassifier(backbone, 2, cells * STRIDE, dropout).eval()
    with torch.no_grad():
        net.head.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
        net.head.bias.copy_(torch.tensor([0.0, 1.0]))
    return net


def cells_of(values: list[list[float]]) -> Tensor:
    """An image whose cells have these means after normalisation: (x - 10) / 2."""
    return torch.tensor(values).repeat_interleave(STRIDE, 0).repeat_interleave(STRIDE, 1)[None, None] * 2 + 10


@pytest.mark.parametrize("margin", [0, 1, 2])
def test_a_patch_is_classified_by_its_own_cells_without_the_margin(margin: int) -> None:
    """Means 1, 2, 3, 6 are 3 on average, so the outputs are 3 and 1 - 3."""
    patch = F.pad(cells_of([[1, 2], [3, 6]]), (margin * STRIDE,) * 4, value=999)
    assert classifier(2).classify(patch).tolist() == [[3, -2]]


def test_the_dense_map_of_an_odd_patch_is_centred_on_its_cell() -> None:
    """Three cells wide: cell (1, 1) averages all nine, 0 to 8, to 4; its centre lies at 1 * 4 + 2 = 6 pixels."""
    net = classifier(3)
    dense = net(cells_of([[0, 1, 2], [3, 4, 5], [6, 7, 8]]))
    assert dense.shape == (1, 2, 3, 3)
    torch.testing.assert_close(dense[0, :, 1, 1], torch.tensor([4.0, -3.0]))
    assert net.map_offset + STRIDE * 1 == 6


def test_the_dense_map_of_an_even_patch_is_centred_on_the_corner_of_its_cell() -> None:
    """Two cells wide: cell (1, 1) averages cells (0, 0) to (1, 1), that is 0, 1, 3 and 4, to 2; the centre is at 4."""
    net = classifier(2)
    dense = net(cells_of([[0, 1, 2], [3, 4, 5], [6, 7, 8]]))
    assert dense.shape == (1, 2, 3, 3)
    torch.testing.assert_close(dense[0, 0, 1:, 1:], torch.tensor([[2.0, 3.0], [5.0, 6.0]]))
    assert net.map_offset + STRIDE * 1 == 4


@pytest.mark.parametrize(("cells", "offset"), [(1, 2.0), (2, 0.0), (3, 2.0), (4, 0.0)])
def test_where_the_map_begins(cells: int, offset: float) -> None:
    assert classifier(cells).map_offset == offset


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.uint16, torch.float64])
def test_pixels_may_be_of_any_real_type(dtype: torch.dtype) -> None:
    image = cells_of([[1, 2], [3, 6]])
    torch.testing.assert_close(classifier(1)(image.to(dtype)), classifier(1)(image))


def test_another_normalisation_takes_its_place() -> None:
    net = classifier(1)
    net.set_normalisation((12.0,), (4.0,))
    assert net.classify(torch.full((1, 1, 4, 4), 20.0)).tolist() == [[2, -1]]
    assert {"offset", "scale"} <= net.state_dict().keys()
    with pytest.raises(ValueError, match=r"scale .*got \[0\.0\]"):
        net.set_normalisation((0.0,), (0.0,))


def test_features_are_dropped_while_training_alone() -> None:
    """One feature of 2: dropped it leaves the bias of 0, kept at a rate of 1 / 2 it is doubled to 4."""
    net = classifier(1, dropout=0.5)
    patches = torch.full((64, 1, 4, 4), 14.0)
    assert set(net.classify(patches)[:, 0].tolist()) == {2}
    assert set(net.train().classify(patches)[:, 0].tolist()) == {0, 4}


@pytest.mark.parametrize(
    ("outputs", "size", "message"),
    [
        (2, 0, r"patch_size .*stride 4, got 0"),
        (2, 6, r"patch_size .*stride 4, got 6"),
        (1, 8, r"outputs .*got 1.*background"),
    ],
)
def test_numbers_that_make_no_classifier(outputs: int, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PatchClassifier(Means(), outputs, size)  # type: ignore[arg-type]


def test_dropout_drops_a_feature_of_all_patches_of_an_image_as_it_does_of_a_bare_patch() -> None:
    """The one feature, 3 in every cell, is 0 or 3 / (1 - 0.5) = 6 in a whole map, and in a bare patch, half the time.

    Dropped by cell before the average over 2 x 2 of them, 14 in 16 patches would be between the two.
    """
    net = classifier(2, dropout=0.5).train()
    flat = cells_of([[3.0] * 6] * 6).repeat(64, 1, 1, 1)
    torch.manual_seed(0)
    dense = net(flat)[:, 0, 1:, 1:].flatten(1)
    bare = net.classify(flat[:, :, : 2 * STRIDE, : 2 * STRIDE])[:, 0]
    assert (dense == dense[:, :1]).all()
    for first in (dense[:, 0], bare):
        assert set(first.tolist()) == {0.0, 6.0} and 16 < (first == 6).sum() < 48

"""Test-time augmentation: mirrored and turned tiles, turned back, combined, and stitched as exactly as single ones."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import Tensor, nn
from torch.nn import functional as F

from detect.imagery.scenes import Scene
from detect.inference.decoding.patch import PatchDecoder
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.stitching import Runtime, make_tiling
from detect.inference.views import Views, turns_and_scales
from tests.engines import disc_net
from tests.laws.nets import cut, random_net
from tests.maps import map_tiles

CPU = torch.device("cpu")
D4 = [(swap, rows, cols) for swap in (False, True) for rows in (False, True) for cols in (False, True)]


def views(runtime: Runtime, tta: str, combine: str = "mean", on_corner: bool = False) -> Views:
    """Views of a patch classifier's maps."""
    return Views(runtime, PatchDecoder(disc_net()[1]), tta, combine, on_corner)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def turned(pixels: np.ndarray, turn: tuple[bool, bool, bool]) -> np.ndarray:
    """Transpose, then mirror rows, then columns, of the last two axes."""
    swap, rows, cols = turn
    pixels = np.swapaxes(pixels, -1, -2) if swap else pixels
    pixels = pixels[..., ::-1, :] if rows else pixels
    return np.ascontiguousarray(pixels[..., ::-1] if cols else pixels)


class Mean(nn.Module):
    """Two logits from the mean of `cells` x `cells` cells of 4 pixels around each, or around its corner if even."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells
        self.layer = nn.Conv2d(1, 3, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        cells = self.layer(F.avg_pool2d(pixels.float() / 255, 4))
        height, width = cells.shape[-2:]
        return F.avg_pool2d(cells, self.cells, 1, self.cells // 2)[:, :, :height, :width]


@pytest.mark.parametrize("tta", ["flips", "d4"])
@pytest.mark.parametrize("cells", [1, 2, 3, 4])
def test_views_of_a_symmetric_net_agree_with_no_views(tta: str, cells: int) -> None:
    """Cells whose neighbourhood reaches over the edge are left out where it is around the corner."""
    torch.manual_seed(0)
    runtime = TorchRuntime(Mean(cells), CPU)
    tiles = noise(0, 2, 1, 40, 56)
    plain, combined = (views(runtime, name, on_corner=cells % 2 == 0)(tiles) for name in ("none", tta))
    edge = (cells + 1) // 2
    inner = np.s_[..., edge : 10 - edge, edge : 14 - edge]
    np.testing.assert_allclose(combined[inner], log_softmax(plain, axis=1)[inner], atol=1e-5)
    if cells == 2:
        wrong = views(runtime, tta, on_corner=False)(tiles)
        assert np.abs(wrong - combined)[inner].max() > 1e-3


@pytest.mark.parametrize("combine", ["mean", "vote"])
@pytest.mark.parametrize("cells", [2, 3])
def test_the_map_of_a_turned_image_is_the_turned_map(cells: int, combine: str) -> None:
    """For any net at all. Cell c of an even patch describes pixel 16 c, which mirroring moves to cell h - c."""
    net, card = random_net("test_resnet", cells, 5)
    runtime = views(TorchRuntime(net, CPU), "d4", combine, on_corner=cells == 2)
    assert (card.cell_offset == 0) is (cells == 2)
    tile = noise(1, 1, 3, 160, 208)
    whole = runtime(tile)
    plain = runtime.runtime(tile)
    for turn in D4[1:]:
        found = runtime(turned(tile, turn))
        wanted = turned(whole, turn)
        if cells == 2:
            axes = tuple(axis for axis, mirrored in ((2, turn[1]), (3, turn[2])) if mirrored)
            wanted = np.roll(wanted, 1, axes) if axes else wanted
        inner = np.s_[..., 1:-1, 1:-1]
        np.testing.assert_allclose(found[inner], wanted[inner], atol=1e-4)
        assert np.abs(runtime.runtime(turned(tile, turn)) - turned(plain, turn)).max() > 2e-3  # a single view does not


def stitched(runtime: Runtime, image: np.ndarray, tile: int, halo: int) -> np.ndarray:
    scene = Scene(Path("memory"), image.shape[1:], "uint8", len(image))
    grid = make_tiling(scene.shape, tile, halo, 16)
    return map_tiles(scene, (1, 2, 3), runtime, grid, read=lambda at: cut(image, at))


@pytest.mark.parametrize(("cells", "combine"), [(1, "mean"), (2, "mean"), (2, "vote")])
def test_law_3_stitched_views_are_the_views_of_one_pass(cells: int, combine: str) -> None:
    """Cores on multiples of the stride have the same alignment in a mirrored tile as in the mirrored scene.

    A cell that describes its corner is taken from the cell beside it in a mirrored view, so one more cell of halo is
    needed where the field reaches as far to the right as to the left.
    """
    net, card = random_net("test_resnet", cells, 7)
    assert card.halo is not None
    halo = card.halo + 16 * (cells == 2)
    image = noise(2, 3, 103, 118)
    for tta in ("flips", "d4"):
        runtime = views(TorchRuntime(net, CPU), tta, combine, on_corner=card.cell_offset == 0)
        whole = stitched(runtime, image, 5000, halo + 64)
        for room in (50, 80, 112):
            np.testing.assert_allclose(stitched(runtime, image, 2 * halo + room, halo), whole, rtol=0, atol=1e-4)


def test_a_vote_goes_to_the_class_that_most_views_find_likeliest() -> None:
    """Four views of one cell: 2, 1, 1, 1 likeliest by a little, where the mean is for 2, of which one view is sure.

    Class 1 has 3 of 4 views, and the mean posterior as a fifth, so (3 + p) / 5; the shares add up to 1.
    """
    rows = np.log(np.array([[0.02, 0.01, 0.97], [0.3, 0.4, 0.3], [0.3, 0.4, 0.3], [0.3, 0.4, 0.3]], np.float32))
    given = iter(rows)
    mean = np.exp(rows).mean(axis=0)
    assert mean.argmax() == 2

    def runtime(pixels: np.ndarray) -> np.ndarray:
        return next(given).reshape(1, 3, 1, 1)

    shares = np.exp(views(runtime, "flips", "vote")(np.zeros((1, 1, 16, 16), np.uint8)))[0, :, 0, 0]
    assert shares.argmax() == 1
    np.testing.assert_allclose(shares, [mean[0] / 5, (3 + mean[1]) / 5, (1 + mean[2]) / 5], rtol=1e-5)


def test_the_mean_is_that_of_posteriors_and_not_of_logits() -> None:
    """Four views, one of them sure to e^-60: (e^-60 + 3 / 2) / 4 of the ground, where mean logits would say e^-15."""
    rows = [np.array([0.0, 60.0], np.float32)] + [np.zeros(2, np.float32)] * 3
    given = iter(rows)
    found = views(lambda pixels: next(given).reshape(1, 2, 1, 1), "flips")(np.zeros((1, 1, 16, 16), np.uint8))
    np.testing.assert_allclose(np.exp(found[0, :, 0, 0]), [3 / 8, 5 / 8], rtol=1e-6)
    np.testing.assert_allclose(softmax(found, axis=1).sum(axis=1), 1, rtol=1e-6)


def test_every_view_is_shown_once() -> None:
    """A tile of 16 x 32 pixels with one bright corner: eight views show it in each corner of both shapes, once."""
    shown: list[tuple[int, ...]] = []

    def runtime(pixels: np.ndarray) -> np.ndarray:
        assert pixels.flags.c_contiguous
        shown.append((*pixels.shape[2:], *np.argwhere(pixels[0, 0])[0].tolist()))
        return np.zeros((1, 2, pixels.shape[2] // 16, pixels.shape[3] // 16), np.float32)

    tile = np.zeros((1, 1, 16, 32), np.uint8)
    tile[0, 0, 0, 0] = 1
    assert views(runtime, "d4")(tile).shape == (1, 2, 1, 2)
    corners = [(h, w, r, c) for h, w in ((16, 32), (32, 16)) for r in (0, h - 1) for c in (0, w - 1)]
    assert sorted(shown) == sorted(corners)


@pytest.mark.parametrize(
    ("tta", "combine", "message"),
    [("d8", "mean", r"tta .*none, flips, d4, got d8"), ("d4", "max", r"tta_combine .*mean, vote, got max")],
)
def test_unknown_views(tta: str, combine: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        views(lambda pixels: pixels, tta, combine)


def test_the_words_of_tta_are_views_of_tiles_and_sizes_of_images() -> None:
    words = ("none", "d4", "scales", "flips+scales")
    assert [turns_and_scales(word) for word in words] == [
        ("none", False),
        ("d4", False),
        ("none", True),
        ("flips", True),
    ]

import numpy as np
import pytest
import torch

from detect.explaining.aims import Aim
from detect.explaining.feature_maps import (
    cropped,
    features_of,
    last_features,
    layer_of,
    most_exciting,
    stage_ends,
    strongest_channels,
)
from detect.explaining.seen_tile import SeenTile
from detect.imagery.windows import Window
from tests.engines import lively
from tests.explaining.questions import CornerNet, corner_square, noise
from tests.grids import lively_grid


def tile(pixels: torch.Tensor) -> SeenTile:
    return SeenTile(Window(0, 0, *pixels.shape[2:]), pixels)


def test_every_stage_ends_with_a_map_of_its_stride() -> None:
    net, _ = lively_grid(deepest=32)
    pixels = torch.zeros(1, 3, 64, 64)
    sides = [features_of(net, name, pixels).shape[1] for name in stage_ends(net, pixels)]
    assert sides == sorted(sides, reverse=True) and 64 // sides[-1] == 32


def test_the_last_features_of_each_head_are_maps() -> None:
    for net, _ in (lively_grid(deepest=32), lively()):
        assert features_of(net, last_features(net), torch.zeros(1, 3, 64, 64)).ndim == 3


def test_the_channel_that_sees_bright_ground_speaks_for_a_bright_corner() -> None:
    """Of a network whose first channel alone is added up."""
    assert strongest_channels(CornerNet(), "features", Aim("a", 0, (0, 0)), corner_square(), 1) == [0]


def test_the_most_exciting_patches_are_the_brightest() -> None:
    """One tile of three has a white spot in a known cell, another a grey one; the channel is brightness above 128."""
    tiles = [torch.full((1, 3, 32, 32), 20.0) for _ in range(3)]
    tiles[1][:, :, 12:16, 20:24] = 250.0
    tiles[2][:, :, 24:28, 4:8] = 180.0
    given = [(name, tile(pixels)) for name, pixels in zip("abc", tiles, strict=True)]
    found = most_exciting(CornerNet(), "features", [0], given, 12, 2)[0]
    assert [each.image for each in found] == ["b", "c"]
    assert [each.activation for each in found] == pytest.approx([250 - 128, 180 - 128], abs=1e-3)
    assert found[0].pixels.shape == (3, 12, 12) and found[0].pixels[:, 4:8, 4:8].min() == 250.0


def test_features_are_cut_to_the_window() -> None:
    """A tile of 32 pixels from (8, 8) on, in cells of 4: the window of rows 12 to 20 is cells 1 to 3."""
    values = np.arange(64, dtype=np.float32).reshape(1, 8, 8)
    part = cropped(values, SeenTile(Window(8, 8, 32, 32), noise()), (12, 16, 8, 4))
    np.testing.assert_array_equal(part, values[:, 1:3, 2:3])


def test_a_layer_that_is_not_there_is_named_with_those_near() -> None:
    with pytest.raises(ValueError, match=r"layer=body\.features is none of the network's; near: features"):
        layer_of(CornerNet(), "body.features")
    with pytest.raises(ValueError, match="layer=head makes no map"):
        features_of(CornerNet(), "head", noise())

import numpy as np
import pytest
import torch
from torch import nn

from detect.inference import TorchRuntime, pick_device


def test_the_processor_can_always_be_named() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in {"cpu", "cuda", "mps"}


@pytest.mark.parametrize("name", ["abacus", "cuda:97"])
def test_a_device_that_is_not_there_is_an_error_with_a_way_out(name: str) -> None:
    with pytest.raises(ValueError, match=rf"runtime\.device={name} cannot be used here .*; take auto or cpu"):
        pick_device(name)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_a_tile_of_any_real_type_goes_through(dtype: str) -> None:
    """A 1 x 1 convolution that adds the bands: 3 + 4, and 1 for the bias."""
    net = nn.Conv2d(2, 1, 1)
    nn.init.ones_(net.weight)
    nn.init.ones_(net.bias)
    tile = np.stack([np.full((5, 4), 3), np.full((5, 4), 4)]).astype(dtype)
    found = TorchRuntime(net, torch.device("cpu"))(tile[:, :, ::-1])
    assert found.dtype == np.float32 and found.shape == (1, 5, 4) and (found == 8).all()


def test_the_net_is_run_as_it_was_trained_and_without_gradients() -> None:
    """In training mode batch normalisation would follow the tile, and so depend on it."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)).train()
    runtime = TorchRuntime(net, torch.device("cpu"))
    before = net[1].running_mean.clone()
    runtime(np.ones((1, 4, 4), np.uint8))
    assert not net.training and torch.equal(net[1].running_mean, before)

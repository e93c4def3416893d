"""Batch normalisation with the statistics of a new image."""

import numpy as np
import pytest
import torch
from torch import nn

from detect.inference.meeting.batch_norms import BatchNorms


def trained(layer: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """A layer that has measured a batch."""
    assert layer.num_batches_tracked is not None
    layer.num_batches_tracked.fill_(1)
    return layer


class Two(nn.Module):
    """Two normalisations, one after the other, the second of twice the first."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = trained(nn.BatchNorm2d(1)), trained(nn.BatchNorm2d(1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.second(2 * self.first(pixels))


def statistics(net: Two) -> list[float]:
    return [float(value) for layer in (net.first, net.second) for value in (layer.running_mean, layer.running_var)]


PIXELS = np.array([6, 10, 6, 10], np.uint8).reshape(1, 1, 2, 2)
"""Of mean 8 and variance 4."""


@pytest.mark.parametrize(
    ("share", "wanted"),
    [
        (1.0, [8, 4, 0, 4]),  # the first makes it of mean 0 and variance 1, and 2 ** 2 times that are 4
        (0.5, [4, 2.5, 4 / 2.5**0.5, 0.5 + 0.5 * 16 / 2.5]),  # (8 - 4) / sqrt(2.5) twice, and half of it
    ],
)
def test_the_statistics_by_hand(share: float, wanted: list[float]) -> None:
    """From means of 0 and variances of 1, each layer measured behind the ones before with their new statistics."""
    net = Two().eval()
    BatchNorms(net, share).meet(PIXELS)
    np.testing.assert_allclose(statistics(net), wanted, atol=1e-4)


def test_every_image_begins_from_the_training() -> None:
    net = Two().eval()
    norms = BatchNorms(net, 0.5)
    norms.meet(PIXELS)
    first = statistics(net)
    norms.meet(PIXELS + 100)
    assert statistics(net) != first
    norms.meet(PIXELS)
    assert statistics(net) == first
    norms.meet(PIXELS[:0])
    assert statistics(net) == [0, 1, 0, 1]


def test_a_network_on_other_light_computes_what_it_did_on_the_old() -> None:
    """Behind a layer without edges, the first normalisation takes out one gain, and any shift of each band."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), trained(nn.BatchNorm2d(4)), nn.ReLU(), nn.Conv2d(4, 2, 3), trained(nn.BatchNorm2d(2))
    ).eval()
    pixels = np.random.default_rng(0).integers(60, 200, (2, 3, 32, 32)).astype(np.float32)
    other = 0.4 * pixels + np.array([20, -10, 5], np.float32)[:, None, None]
    norms = BatchNorms(net, 1.0)
    maps = []
    for seen in (pixels, other):
        norms.meet(seen)
        with torch.inference_mode():
            maps.append(net(torch.from_numpy(seen)).numpy())
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-2)
    norms.forget()
    with torch.inference_mode():
        assert np.abs(net(torch.from_numpy(other)).numpy() - maps[0]).max() > 1


def test_a_network_without_batch_normalisation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"adapt=batchnorm.*no batch normalisation; leave batchnorm out"):
        BatchNorms(nn.Conv2d(1, 1, 1), 0.5)


def test_layers_with_the_statistics_of_a_pretraining_keep_them() -> None:
    """A backbone that was frozen while training has measured no batch of it; were all so, there is nothing to adapt."""
    net = Two().eval()
    assert net.first.num_batches_tracked is not None and net.second.num_batches_tracked is not None
    net.first.num_batches_tracked.fill_(0)
    BatchNorms(net, 1.0).meet(PIXELS)
    np.testing.assert_allclose(statistics(net), [0, 1, 16, 16], rtol=1e-4)  # of mean 8 and variance 4, twice
    net.second.num_batches_tracked.fill_(0)
    with pytest.raises(ValueError, match=r"adapt=batchnorm.*pretraining.*finetune\.freeze_bn.*leave batchnorm out"):
        BatchNorms(net, 1.0)

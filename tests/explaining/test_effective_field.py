import numpy as np
import pytest
import torch
from torch import nn

from detect.explaining.effective_field import SHARES, effective_field

BLANK, SCALE = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)


def test_a_mean_over_a_cell_is_seen_evenly() -> None:
    """Each of the cell's 8 x 8 pixels counts 1/64, so that a square of side s holds (s / 8) ** 2 of all."""
    found = effective_field(nn.AvgPool2d(8), BLANK, SCALE, 8, 32, 0)
    wanted = np.zeros((32, 32), np.float32)
    wanted[16:24, 16:24] = 1 / 64
    np.testing.assert_allclose(found.values, wanted, rtol=1e-6)
    assert found.centre == 20
    assert found.halves == (3.0, 4.0, 4.0)  # (6 / 8) ** 2 is over a half, (8 / 8) ** 2 the rest
    assert SHARES == (0.5, 0.95, 0.99)


def test_it_lies_within_the_theoretical_one_and_narrower() -> None:
    """Five kernels of 3 see 11 pixels; their weights of 1/9 make a bell of variance 5 * 2/3."""
    net = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(5)))
    for layer in net:
        nn.init.constant_(layer.weight, 1 / 9)
    found = effective_field(net, BLANK, SCALE, 1, 21, 0)
    rows, cols = np.nonzero(found.values)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (5, 15, 5, 15)
    spread = float((found.values.sum(axis=0) * (np.arange(21) - 10) ** 2).sum())
    assert spread == pytest.approx(5 * 2 / 3, rel=1e-4)
    assert found.halves[1] < 5.5

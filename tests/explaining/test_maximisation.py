import numpy as np
import torch
from torch import Tensor

from detect.explaining.maximisation import maximised

BLANK, SCALE = torch.full((1, 3, 1, 1), 127.0), torch.full((1, 3, 1, 1), 64.0)


def redness(pixels: Tensor) -> Tensor:
    """Red minus blue in the middle."""
    return (pixels[:, 0] - pixels[:, 2])[:, 12:20, 12:20].mean(dim=(1, 2)) / 64


def test_what_excites_a_look_for_red_is_red() -> None:
    made, first, last = maximised(redness, BLANK, SCALE, 32, 0, (0.0, 255.0))
    assert made.shape == (3, 32, 32) and made.min() >= 0 and made.max() <= 255
    assert last > first + 1
    inner = made[:, 12:20, 12:20].mean(axis=(1, 2))
    assert inner[0] > 200 and inner[2] < 55


def test_the_image_is_that_of_the_seed() -> None:
    first, second, other = (maximised(redness, BLANK, SCALE, 16, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_without_bounds_values_stay_near_those_of_the_normalisation() -> None:
    made, _, _ = maximised(redness, BLANK, SCALE, 16, 0)
    assert made.min() >= 127 - 2 * 64 and made.max() <= 127 + 2 * 64

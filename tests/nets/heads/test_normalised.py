"""Normalisation within a network."""

import pytest
import torch

from detect.nets.heads.normalised import Normalised


def test_pixels_are_normalised_band_by_band_and_the_numbers_go_with_the_weights() -> None:
    """Bands of 7 and 30: (7 - 5) / 2 = 1 and (30 - 10) / 4 = 5."""
    net = Normalised()
    net.set_normalisation((5, 10), (2, 4))
    pixels = torch.tensor([7, 30], dtype=torch.uint8).view(1, 2, 1, 1)
    found = net.normalised(pixels)
    assert found.dtype == torch.float32 and found.flatten().tolist() == [1, 5]
    assert list(net.state_dict()) == ["offset", "scale"]


def test_a_scale_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match=r"positive, got \[1, 0\]"):
        Normalised().set_normalisation((0, 0), (1, 0))

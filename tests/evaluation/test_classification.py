"""How bare patches are classified."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from detect.evaluation.classification import Showing, classification_of, classify
from tests.engines import disc_net

CPU = torch.device("cpu")


class Corner(nn.Module):
    """Is sure of class 1 by the pixel in the upper left corner."""

    def classify(self, pixels: torch.Tensor) -> torch.Tensor:
        corner = pixels[:, 0, 0, 0].float()
        return torch.stack([torch.zeros_like(corner), corner], dim=1)


class Patch(Dataset[tuple[torch.Tensor, int]]):
    """One patch whose upper left pixel is 8, all others 0."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        pixels = torch.zeros(1, 4, 4, dtype=torch.uint8)
        pixels[0, 0, 0] = 8
        return pixels, 1


@pytest.mark.parametrize(("tta", "sure"), [("none", 1.0), ("flips", 1 / 4), ("d4", 2 / 8)])
def test_patches_are_classified_in_all_views(tta: str, sure: float) -> None:
    """The pixel lies in the corner in one of 4 mirrorings, in two of 8 views; elsewhere both classes are as likely."""
    truth, probabilities = classify(Corner(), disc_net()[1], Patch(), Showing(CPU, 2, tta, "mean"))  # type: ignore[arg-type]
    wanted = sure / (1 + np.exp(-8)) + (1 - sure) / 2
    assert truth.tolist() == [1]
    assert probabilities[0] == pytest.approx([1 - wanted, wanted], abs=1e-6)


def test_views_of_patches_must_be_known() -> None:
    with pytest.raises(ValueError, match=r"tta .*d8"):
        classify(Corner(), disc_net()[1], Patch(), Showing(CPU, 2, "d8", "mean"))  # type: ignore[arg-type]


def test_a_network_that_finds_objects_classifies_no_patches() -> None:
    with pytest.raises(ValueError, match="net=patch"):
        classification_of(nn.Identity(), disc_net()[1], Patch(), Showing.plain(CPU, 2))

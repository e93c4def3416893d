"""What trains: the logger beside `metrics.csv`; how patches are classified."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from pytorch_lightning.loggers import TensorBoardLogger
from torch import nn
from torch.utils.data import Dataset

from detect.assembly.trainer import classify, metrics_logger
from tests.engines import disc_net


def test_metrics_alone_need_no_logger_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    assert metrics_logger("csv", tmp_path) is False
    with pytest.raises(ValueError, match=r"trainer\.logger must be csv or tensorboard, got wandb"):
        metrics_logger("wandb", tmp_path)


def test_tensorboard_that_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise ModuleNotFoundError("tensorboard")

    monkeypatch.setattr(TensorBoardLogger, "__init__", refuse)
    with pytest.raises(ValueError, match="needs the package tensorboard: pip install tensorboard"):
        metrics_logger("tensorboard", tmp_path)


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
    cfg = OmegaConf.create({"runtime": {"device": "cpu"}, "data": {"batch_size": 2}, "tta": tta, "tta_combine": "mean"})
    truth, probabilities = classify(Corner(), disc_net()[1], Patch(), cfg)  # type: ignore[arg-type]
    wanted = sure / (1 + np.exp(-8)) + (1 - sure) / 2
    assert truth.tolist() == [1]
    assert probabilities[0] == pytest.approx([1 - wanted, wanted], abs=1e-6)


def test_views_of_patches_must_be_known() -> None:
    cfg = OmegaConf.create({"runtime": {"device": "cpu"}, "data": {"batch_size": 2}, "tta": "d8"})
    with pytest.raises(ValueError, match="tta must be one of none, flips, d4, got d8"):
        classify(Corner(), disc_net()[1], Patch(), cfg)  # type: ignore[arg-type]

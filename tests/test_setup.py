"""What trains: the logger beside `metrics.csv`."""

from pathlib import Path

import pytest
from pytorch_lightning.loggers import TensorBoardLogger

from detect import setup


def test_metrics_alone_need_no_logger_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    assert setup.metrics_logger("csv", tmp_path) is False
    with pytest.raises(ValueError, match=r"trainer\.logger must be csv or tensorboard, got wandb"):
        setup.metrics_logger("wandb", tmp_path)


def test_tensorboard_that_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise ModuleNotFoundError("tensorboard")

    monkeypatch.setattr(TensorBoardLogger, "__init__", refuse)
    with pytest.raises(ValueError, match="needs the package tensorboard: pip install tensorboard"):
        setup.metrics_logger("tensorboard", tmp_path)

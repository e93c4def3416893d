"""The loggers beside `metrics.csv`."""

from pathlib import Path

import pytest

from detect.assembly.training.metrics_loggers import metrics_logger


def test_metrics_alone_need_no_logger(tmp_path: Path) -> None:
    assert metrics_logger("csv", tmp_path) is False


@pytest.mark.parametrize("name", ["TensorBoardLogger", "MLFlowLogger", "WandbLogger"])
def test_a_logger_that_is_not_installed_is_said(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError(name)

    setting = name.removesuffix("Logger").lower()
    monkeypatch.setattr(f"pytorch_lightning.loggers.{name}", missing)
    with pytest.raises(ValueError, match=rf"trainer\.logger={setting} .*pip install {setting}"):
        metrics_logger(setting, tmp_path)

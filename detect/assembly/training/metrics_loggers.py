"""Loggers of metrics beside the table that every run writes."""

from pathlib import Path
from typing import Any


def metrics_logger(name: str, folder: Path) -> Any:
    """Return what logs beside `metrics.csv`, which every run writes: nothing (`csv`), or one of Lightning's loggers.

    TensorBoard's files, and those of W&B, go into the run's folder; MLflow's too, unless MLFLOW_TRACKING_URI is set.

    Raises:
        ValueError: its package is not installed.
    """
    from pytorch_lightning import loggers

    try:
        match name:
            case "tensorboard":
                return loggers.TensorBoardLogger(folder, name="tensorboard", version="")
            case "mlflow":
                return loggers.MLFlowLogger("detect", run_name=folder.name, save_dir=str(folder / "mlruns"))
            case "wandb":
                return loggers.WandbLogger(name=folder.name, save_dir=folder, project="detect")
            case _:
                return False
    except ModuleNotFoundError as error:
        raise ValueError(f"trainer.logger={name} needs the package {name}: pip install {name}") from error

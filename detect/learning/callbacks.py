"""Callbacks of a training run: a table and log line an epoch, and averaged weights."""

import logging
import time
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl
from pytorch_lightning.callbacks import EMAWeightAveraging

from detect.imagery.files import replace_file

logger = logging.getLogger(__name__)


class EpochLog(pl.Callback):
    """Writes `metrics.csv`, a row an epoch, and logs a line with the speed and the time left.

    The whole file is written after every epoch; a resumed run keeps the rows before the epoch it resumes from.

    Args:
        path: the CSV file.
        samples: training samples an epoch.
        monitor: the metric that decides which epoch is kept.
    """

    def __init__(self, path: Path, samples: int, monitor: str) -> None:
        self.path = path
        self.samples = samples
        self.monitor = monitor
        self._started = 0.0
        self._first: tuple[int, float] | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()
        self._first = self._first or (trainer.current_epoch, self._started)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the row and log the line, in the first of several processes."""
        if not trainer.is_global_zero:
            return
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        epoch = trainer.current_epoch
        row = pd.DataFrame([{"epoch": epoch, **metrics}])
        if self.path.exists() and epoch > 0:
            before = pd.read_csv(self.path)
            row = pd.concat([before[before["epoch"] < epoch], row], ignore_index=True)
        with replace_file(self.path) as part:
            row.to_csv(part, index=False)
        self._log(trainer, metrics)

    def _log(self, trainer: pl.Trainer, metrics: dict[str, float]) -> None:
        """Write the log line of an epoch."""
        now = time.monotonic()
        assert self._first is not None
        done = trainer.current_epoch + 1 - self._first[0]
        left = (now - self._first[1]) / done * ((trainer.max_epochs or 0) - trainer.current_epoch - 1)
        shown = ("train/loss", "val/loss", "val/balanced_accuracy", "val/f1", "val/bias_percent")
        values = "  ".join(f"{name} {metrics[name]:.3f}" for name in shown if name in metrics)
        logger.info(
            "epoch %d/%s  %s  %.0f patches/s with validation, %s left",
            trainer.current_epoch + 1,
            trainer.max_epochs,
            values,
            self.samples / (now - self._started),
            f"{left / 60:.1f} min",
        )


class AveragedWeights(EMAWeightAveraging):
    """An exponential moving average of the weights, in place during the whole validation.

    Lightning's callback restores the trained weights before a module's `on_validation_epoch_end`, where scenes are
    counted, so that the epoch would be chosen by other weights than those that are kept.
    """

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do nothing, so that the average stays in place."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the trained weights; the checkpoint is written afterwards."""
        super().on_validation_epoch_end(trainer, pl_module)

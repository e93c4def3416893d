"""Callbacks of a training run: a table and log line an epoch, and averaged weights."""

import logging
import re
import time
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor

from detect.imagery.files import replace_file
from detect.learning.run_state import checked_state

logger = logging.getLogger(__name__)

MOST_CELLS = 1 << 22
"""Most numbers of the table of epochs that is read: some hundred thousand epochs."""

METRIC = re.compile(r"\w[\w/.-]{,99}")
"""Names of metrics, which are columns of a table."""


class EpochLog(pl.Callback):
    """Writes `metrics.csv`, a row an epoch, and logs a line with the speed and the time left.

    The whole file is written after every epoch. Its rows are part of the checkpoint, so that those of a resumed run are
    the same, digit by digit, whatever was left of the file.

    Args:
        path: the CSV file.
        samples: training samples an epoch.
    """

    def __init__(self, path: Path, samples: int) -> None:
        self.path = path
        self.samples = samples
        self._rows: list[dict[str, float]] = []
        self._started = 0.0
        self._first: tuple[int, float] | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the rows of the epochs that a resumed run has behind it."""
        if self._rows and trainer.is_global_zero:
            self._write()

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
        self._rows = [row for row in self._rows if row["epoch"] < epoch] + [{"epoch": epoch, **metrics}]
        self._write()
        self._log(trainer, metrics)

    def state_dict(self) -> dict[str, Any]:
        """Return the rows for a checkpoint."""
        return {"rows": self._rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the rows from a checkpoint, by value."""
        rows = checked_state(list[dict[str, int | float]], state_dict.get("rows"), "metrics")
        if not all("epoch" in row for row in rows):
            raise ValueError("metrics: a row has no epoch")
        names = {name for row in rows for name in row}
        if len(names) * len(rows) > MOST_CELLS:
            raise ValueError(f"metrics: {len(rows)} rows of {len(names)} columns, of {MOST_CELLS} numbers at most")
        odd = sorted(name for name in names if not METRIC.fullmatch(name))
        if odd:
            raise ValueError(f"metrics: {odd[0]!r:.100} is no name of a metric")
        self._rows = [dict(row) for row in rows]

    def _write(self) -> None:
        with replace_file(self.path) as part:
            pd.DataFrame(self._rows).to_csv(part, index=False)

    def _log(self, trainer: pl.Trainer, metrics: dict[str, float]) -> None:
        """Write the log line of an epoch."""
        now = time.monotonic()
        assert self._first is not None
        done = trainer.current_epoch + 1 - self._first[0]
        left = (now - self._first[1]) / done * ((trainer.max_epochs or 0) - trainer.current_epoch - 1)
        shown = ("train/loss", "val/loss", "val/balanced_accuracy", "val/f1", "val/bias_percent")
        values = "  ".join(f"{name} {metrics[name]:.3f}" for name in shown if name in metrics)
        logger.info(
            "epoch %d/%s  %s  %.0f samples/s with validation, %s left",
            trainer.current_epoch + 1,
            trainer.max_epochs,
            values,
            self.samples / (now - self._started),
            f"{left / 60:.1f} min",
        )


class ValidationCost(pl.Callback):
    """Says once where the scenes that are counted in a validation cost more than the epoch before it.

    Args:
        score_every: epochs from one count to the next.
    """

    def __init__(self, score_every: int) -> None:
        self.score_every = score_every
        self._started = self._learned = 0.0
        self._said = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note when the learning ended."""
        self._learned = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log what the validation costs, and how to count less often."""
        learning, counting = self._learned - self._started, time.monotonic() - self._learned
        epochs = trainer.max_epochs or 1
        if self._said or counting <= learning or self.score_every >= epochs or not trainer.is_global_zero:
            return
        self._said = True
        logger.info(
            "the validation took %.0f s, the epoch before it %.0f s: finetune.score_every=%d counts the scenes less "
            "often, so that it costs about as much as learning (it is %d)",
            counting,
            learning,
            min(epochs, self.score_every * max(2, round(counting / max(learning, 1e-3)))),
            self.score_every,
        )


class AveragedWeights(WeightAveraging):
    """An exponential moving average of the weights, in place during the whole validation.

    After n steps the decay is (1 + n) / (10 + n) where that is less, so that a short training does not keep the weights
    that it began with: without it, 700 steps at a decay of 0.998 leave a quarter of them.

    Lightning's callback restores the trained weights before a module's `on_validation_epoch_end`, where scenes are
    counted, so that the epoch would be chosen by other weights than those that are kept.

    Args:
        decay: of the average, in (0, 1).
    """

    def __init__(self, decay: float) -> None:
        super().__init__(avg_fn=partial(averaged, decay))

    def average(self) -> dict[str, Tensor]:
        """Return the averaged weights, by the names of the module's."""
        assert self._average_model is not None
        return self._average_model.module.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the number of the last step that was averaged, by value."""
        self._latest_update_step = checked_state(int, state_dict.get("latest_update_step"), "averaged weights")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Swap the average in."""
        super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do nothing: the average is in place, for others that change it in this hook."""

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do nothing, so that the average stays in place."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the trained weights; the checkpoint is written afterwards."""
        super().on_validation_epoch_end(trainer, pl_module)


def averaged(decay: float, average: Tensor, value: Tensor, steps: Tensor) -> Tensor:
    """Return an average with a value added to it, by a decay that begins small.

    Args:
        decay: the greatest.
        average: of the steps before.
        value: to be added.
        steps: how many were averaged, 1 or more; it stays on its device, as a look at it would wait for a GPU.
    """
    kept = ((1 + steps) / (10 + steps)).clamp(max=decay)
    return kept * average + (1 - kept) * value


class StepLimit(pl.Callback):
    """Ends a training after a number of steps, and the last epoch, which may be cut short, with a validation.

    Lightning's own `max_steps` begins a resumed run with the epoch that was done (2.6).

    Args:
        steps: greatest number of steps.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_batch_end(self, trainer: pl.Trainer, *given: Any) -> None:
        """Stop after the last step."""
        if trainer.global_step >= self.steps:
            trainer.should_stop = True


def planned_steps(trainer: pl.Trainer) -> int:
    """Return the steps of a whole training, as its epochs and a limit say."""
    limits = [each.steps for each in trainer.callbacks if isinstance(each, StepLimit)]  # type: ignore[attr-defined]
    return max(1, int(min([trainer.estimated_stepping_batches, *limits])))

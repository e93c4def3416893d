"""When a training's state is written, and when it ends before its last epoch: both go on after a kill as if without."""

import logging
import math
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytorch_lightning as pl
import torch
from pydantic import Field
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, Timer
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from detect.learning.callbacks import AveragedWeights
from detect.learning.interpolation import InterpolatedWeights
from detect.learning.run_file import AFRESH, RunFile, RunFileError, read_run_facts, read_run_tensors, write_run_file
from detect.learning.run_state import Number, checked_state, same_tensors

logger = logging.getLogger(__name__)

Finite = Annotated[float, Field(allow_inf_nan=False)]
NO_SCORE = -sys.float_info.max
"""Stands for a score that is not finite: any other is better."""

LONGEST = 1e9
"""Most seconds of a training: thirty years."""


@dataclass(frozen=True)
class Best:
    """The epoch, from 0, whose weights a file holds, and its score."""

    epoch: Number
    score: Finite


class Checkpoints(Checkpoint):
    """Writes the state after every epoch, and the weights of the best one, each whole or not at all.

    The best epoch's file comes first: a run that is killed between the two repeats the epoch, and finds it there. Where
    they lie is this run's affair; the files name no path.

    Args:
        last: the file of the state.
        best: the file of the best weights.
        monitor: the score by which an epoch is the best; the first of equal ones stays. None takes the last.
        file: reads and writes the state.
    """

    def __init__(self, last: Path, best: Path, monitor: str | None, file: RunFile) -> None:
        self.last = last
        self.best = best
        self.monitor = monitor
        self.file = file
        self._found: Best | None = None
        self._scored = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Show the module to what reads and writes its state."""
        self.file.module = pl_module  # type: ignore[assignment]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Set the rates of the step to come by this run's schedule, which may be longer than that of the state."""
        for config in trainer.lr_scheduler_configs:
            scheduler = config.scheduler
            assert isinstance(scheduler, LambdaLR)
            groups = zip(scheduler.optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True)
            for group, rate, factor in groups:
                group["lr"] = rate * factor(scheduler.last_epoch)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the files of the epoch."""
        score: Tensor | float | None = float(trainer.current_epoch)
        if self.monitor is not None:
            score = trainer.callback_metrics.get(self.monitor)
        if score is not None and trainer.is_global_zero:
            value = float(score) if math.isfinite(score) else NO_SCORE
            if self._found is None or value > self._found.score:
                self._found = Best(trainer.current_epoch, value)
                write_run_file(self.best, {"state_dict": _kept_weights(trainer, pl_module)}, vars(self._found))
        trainer.save_checkpoint(self.last)

    def state_dict(self) -> dict[str, Any]:
        """Return whether there is a best epoch; which one it is, its file says."""
        return {"scored": self._found is not None}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore whether there is a best epoch."""
        self._scored = checked_state(bool, state_dict.get("scored"), "scored")

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Read which epoch was the best so far, and check that its weights are there and are those of this network."""
        if not self._scored:
            return
        if not self.best.exists():
            raise RunFileError(f"{self.best} is missing, the weights of the best epoch so far; {AFRESH}")
        self._found = read_best(self.best)
        read_best_weights(self.best, pl_module)


def read_best(path: Path) -> Best:
    """Read which epoch's weights a file holds.

    Raises:
        RunFileError: damaged.
    """
    try:
        return checked_state(Best, read_run_facts(path), "best")
    except RunFileError:
        raise
    except ValueError as error:
        raise RunFileError(f"{path} is damaged: {error}; {AFRESH}") from error


def read_best_weights(path: Path, module: pl.LightningModule) -> dict[str, Tensor]:
    """Read the weights of the best epoch.

    Raises:
        RunFileError: damaged, or of another network.
    """
    tensors = read_run_tensors(path).get("state_dict", {})
    try:
        return same_tensors(tensors, module.state_dict(), "state_dict")
    except ValueError as error:
        raise RunFileError(f"{path} does not fit this run: {error}; {AFRESH}") from error


def _kept_weights(trainer: pl.Trainer, module: pl.LightningModule) -> dict[str, Tensor]:
    """Return the weights that validation saw: interpolated or averaged ones where there are any."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    interpolated = [each.kept for each in callbacks if isinstance(each, InterpolatedWeights) and each.kept is not None]
    if interpolated:
        return interpolated[0]
    averages = [each for each in callbacks if isinstance(each, AveragedWeights)]
    return averages[0].average() if averages else module.state_dict()


@dataclass(frozen=True)
class Waited:
    """How long the score has not risen, the best so far, and whether the training was told to stop."""

    epochs: Number
    best: Finite | None
    stopped: bool


class Patience(EarlyStopping):
    """Ends a training whose score has not risen for some epochs; a resumed one ends at the same epoch.

    Args:
        monitor: the score.
        patience: epochs without a better one.
        anew: whether a state that had stopped waits once more, as the run was given more epochs or time.
    """

    def __init__(self, monitor: str, patience: int, *, anew: bool) -> None:
        super().__init__(monitor, mode="max", patience=patience, strict=False)
        self.anew = anew
        self.stopped = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop at once where the state was that of a training that had stopped."""
        if self.stopped and not self.anew:
            logger.info("this training had come to its end: no epoch is left")
            trainer.should_stop = True
        elif self.stopped:
            self.stopped = False
            if self.wait_count >= self.patience:
                logger.info("%d epochs without a better score had ended it: patience begins anew", self.wait_count)
                self.wait_count = 0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare the epoch's score, and note whether it was the last."""
        super().on_train_epoch_end(trainer, pl_module)
        if trainer.should_stop and not self.stopped:
            self.stopped = True
            waited = f"{self.wait_count} epochs without a better score (trainer.patience)"
            why = waited if self.wait_count >= self.patience else "its time or its steps are used up, or a score is NaN"
            logger.info("the training ends after epoch %d: %s", trainer.current_epoch + 1, why)

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        best = float(self.best_score)
        return {"epochs": self.wait_count, "best": best if math.isfinite(best) else None, "stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state by value."""
        state = checked_state(Waited, state_dict, "patience")
        self.wait_count, self.stopped = state.epochs, state.stopped
        if state.best is not None:
            self.best_score = torch.tensor(state.best)


class EndAfter(pl.Callback):
    """Ends a training after a number of epochs, those of earlier processes included.

    Args:
        epochs: the number, at most that for which the rates are planned.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.done = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop at once where the state has them all."""
        if self.done >= self.epochs:
            logger.info("this training had come to its end: no epoch is left")
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop after the last one."""
        self.done = trainer.current_epoch + 1
        if self.done >= self.epochs:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Return the number of whole epochs."""
        return {"done": self.done}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the number by value."""
        self.done = checked_state(int, state_dict.get("done"), "end")


@dataclass(frozen=True)
class Elapsed:
    """Seconds of training so far."""

    seconds: Annotated[Finite, Field(ge=0, le=LONGEST)]


class TimeLimit(Timer):
    """Ends a training after a time, that of earlier processes up to their last whole epoch included.

    Args:
        duration: DD:HH:MM:SS.
    """

    def __init__(self, duration: str | timedelta) -> None:
        super().__init__(duration=duration, interval="step")

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds so far."""
        return {"seconds": float(self.time_elapsed())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the seconds by value."""
        self._offset = checked_state(Elapsed, state_dict, "time limit").seconds  # type: ignore[assignment]

"""A short training of a fold: what it finds, epoch by epoch, in the scenes that it leaves out."""

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from detect.assembly.folds.learner import make_learner
from detect.assembly.settings.train_settings import TrainSettings
from detect.assembly.training.fitting import fit
from detect.assembly.training.material import TrainingMaterial, material_of_fold
from detect.assembly.training.trainer import short_trainer
from detect.evaluation.out_of_fold import FoldFound
from detect.evaluation.scene_validation import (
    TRAINING_TOLERANCE,
    Candidates,
    NothingFoundError,
    SceneValidator,
    curve_values,
    select,
)
from detect.learning.callbacks import EpochLog
from detect.nets.modelfile import Net
from detect.samples.loading import PatchData

FEWEST_EPOCHS = 2
"""Epochs of a short training, at least, where the whole one has as many."""


class FoundByEpoch(pl.Callback):
    """Counts the left-out scenes when the module asks, and keeps what was found by the number of the epoch.

    It does so in the second half of the epochs: counting whole scenes takes as long as learning, and no training whose
    rates fall to zero at its end is at its best before.

    Args:
        validator: finds objects in the left-out scenes.
    """

    def __init__(self, validator: SceneValidator) -> None:
        self.validator = validator
        self.found: dict[int, Candidates] = {}
        self._latest: Candidates | None = None
        self._early = False

    def __deepcopy__(self, memo: dict[int, Any]) -> "FoundByEpoch":
        """Return itself: a copy of a module (averaged weights) need not copy its photographs."""
        return self

    def __call__(self, net: Net) -> Mapping[str, float]:
        """Return the scores at the best choice for these scenes alone, for the log; none before half of the epochs."""
        if self._early:
            return {}
        self._latest = self.validator.candidates(net, TRAINING_TOLERANCE)
        try:
            return curve_values(select(self._latest, self.validator.truth, self.validator.settings))
        except NothingFoundError:
            return {"f1": 0.0}

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note whether half of the epochs are done."""
        self._early = 2 * (trainer.current_epoch + 1) < (trainer.max_epochs or 1)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep what was found in this epoch, if scenes were counted."""
        if self._latest is not None:
            self.found[trainer.current_epoch + 1] = self._latest
            self._latest = None


def train_fold(
    settings: TrainSettings, material: TrainingMaterial, left_out: frozenset[str], metrics: Path
) -> FoldFound:
    """Train on all scenes but those of a fold, and return what is found in these.

    Args:
        settings: of the short training.
        material: of the whole run.
        left_out: names of the scenes that the fold leaves out.
        metrics: the file of the table of epochs.
    """
    with _quiet():
        part = material_of_fold(settings, material, left_out)
        watched: list[FoundByEpoch] = []

        def watch(validator: SceneValidator) -> FoundByEpoch:
            watched.append(FoundByEpoch(validator))
            return watched[0]

        learner = make_learner(settings, part, watch)
        log = EpochLog(metrics, settings.data.sampling.samples)
        trainer = short_trainer(settings, metrics.parent, [log, *watched, *learner.callbacks])
        shared = settings.trainer.use_distributed_sampler
        data = PatchData(part.samples.epoch, part.samples.val, part.loading, shared=shared)
        fit(trainer, learner.module, data, None, kept="the folds that are done")
    return FoldFound(settings.trainer.max_epochs, watched[0].found)


def short_settings(settings: TrainSettings, folds: int) -> TrainSettings:
    """Return the settings of each of a run's short trainings: fewer epochs, counted as often in proportion.

    Limits of steps and time are shared out; nothing ends a short training because its score does not rise.

    Args:
        settings: of the run.
        folds: number of short trainings.
    """
    whole = settings.trainer
    epochs = min(whole.max_epochs, max(FEWEST_EPOCHS, round(settings.data.split.fold_epochs * whole.max_epochs)))
    share = epochs / whole.max_epochs
    trainer = replace(
        whole,
        max_epochs=epochs,
        min_epochs=None,
        min_steps=None,
        max_steps=whole.max_steps if whole.max_steps == -1 else max(1, math.ceil(share * whole.max_steps)),
        max_time=None if whole.max_time is None else part_of_time(whole.max_time, share / (1 + folds * share)),
    )
    every = max(1, round(settings.finetune.score_every * share))
    return replace(settings, trainer=trainer, finetune=replace(settings.finetune, score_every=every))


def part_of_time(duration: str, share: float) -> str:
    """Return a share of a time written as DD:HH:MM:SS, a second at least.

    Raises:
        ValueError: another text.
    """
    try:
        days, hours, minutes, seconds = map(int, duration.split(":"))
    except ValueError:
        raise ValueError(f"trainer.max_time must be DD:HH:MM:SS, such as 00:01:30:00, got {duration}") from None
    left = max(1, round(share * (((days * 24 + hours) * 60 + minutes) * 60 + seconds)))
    return f"{left // 86400:02d}:{left // 3600 % 24:02d}:{left // 60 % 60:02d}:{left % 60:02d}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the whole run says once from being said in every fold; warnings and epochs are told."""
    loggers = [logging.getLogger(f"detect.{room}") for room in ("assembly", "samples", "learning.module")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)

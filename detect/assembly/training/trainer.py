"""From settings to Lightning's trainer; each decision logged."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import CheckpointIO
from lightning_fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from pytorch_lightning.callbacks import Callback, RichProgressBar

from detect.assembly.folders import TrainingPaths
from detect.assembly.settings.train_settings import LearningSettings, TrainerSettings, TrainSettings
from detect.assembly.training.fitting import KeptSigterm
from detect.assembly.training.learned_scenes import devices_here
from detect.assembly.training.material import TrainingMaterial
from detect.assembly.training.metrics_loggers import metrics_logger
from detect.assembly.training.resuming import Resumed
from detect.learning.callbacks import AveragedWeights, EpochLog, StepLimit, ValidationCost
from detect.learning.checkpoints import Checkpoints, EndAfter, Patience, TimeLimit
from detect.learning.interpolation import InterpolatedWeights
from detect.learning.run_file import RunFile

logger = logging.getLogger(__name__)

for noisy in ("pytorch_lightning", "lightning", "lightning.pytorch"):
    logging.getLogger(noisy).setLevel(logging.ERROR)

NOT_LIGHTNINGS = (
    "patience",
    "max_time",
    "ema",
    "logger",
    "test",
    "overfit",
    "precision",
    "accelerator",
    "use_distributed_sampler",
)
"""Settings of `trainer` that are not handed to Lightning as they are."""


def precision(name: str, accelerator: str) -> str:
    """Return Lightning's precision: bf16 or fp16 mixed on CUDA, else 32 bits.

    On CPUs that compute in bf16 the gradients of convolutions by channel take 2.6 times as long in it, and a step 1.3
    times as long in all (`tools/bench_training.py trainer.precision=bf16-mixed`).
    """
    if name != "auto":
        return name
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return "32-true"


def make_trainer(
    settings: TrainSettings,
    paths: TrainingPaths,
    monitor: str | None,
    material: TrainingMaterial,
    more: Sequence[Callback],
    resumed: Resumed | None,
    labels: str,
) -> pl.Trainer:
    """Make Lightning's trainer.

    Args:
        settings: of the run.
        paths: its output folder.
        monitor: the metric by which the best epoch is chosen; None takes the last, and validates nothing.
        material: what is learned.
        more: callbacks beside the usual ones.
        resumed: from where it goes on; None where it begins.
        labels: the hash of what is labelled, for a later run.
    """
    file = RunFile(settings.config, [] if resumed is None else resumed.earlier, labels)
    longer = resumed is not None and resumed.longer
    number = sum(material.samples.outputs.values())
    samples = number if material.scenes is None else settings.data.sampling.samples
    patience = settings.trainer.patience * settings.finetune.score_every
    callbacks: list[Callback] = [
        Patience(monitor, patience, anew=longer) if monitor else EndAfter(settings.trainer.max_epochs),
        Checkpoints(paths.last_checkpoint, paths.best_checkpoint, monitor, file),
        EpochLog(paths.metrics, samples),
        *([ValidationCost(settings.finetune.score_every)] if material.scenes is not None and monitor else []),
        *more,
        *_limits(settings.trainer),
    ]
    interactive = sys.stderr.isatty()
    if interactive:
        callbacks.append(RichProgressBar(leave=False))
    made = _trainer(
        settings.trainer,
        strategy=strategy_of(settings),
        callbacks=callbacks,
        plugins=[file],
        **({"limit_val_batches": 0, "min_epochs": None} if monitor is None else {}),
        max_steps=-1,
        logger=metrics_logger(settings.trainer.logger, paths.folder),
        default_root_dir=paths.folder,
        enable_progress_bar=interactive,
    )
    logger.info("training on %s in %s", made.strategy.root_device, made.precision)
    if made.world_size > 1:
        size = material.loading.batch_size
        logger.info(
            "%d devices learn from batches of %d each, as one does from batches of %d",
            made.world_size,
            size,
            made.world_size * size,
        )
    return made


def strategy_of(settings: LearningSettings) -> str:
    """Return Lightning's strategy: one that expects layers without gradients where the head learns alone at first."""
    trainer = settings.trainer
    several = devices_here(trainer) > 1 or trainer.num_nodes > 1
    if settings.finetune.unfreeze_at and (trainer.strategy == "ddp" or (trainer.strategy == "auto" and several)):
        return "ddp_find_unused_parameters_true"
    return trainer.strategy


def end_after(made: pl.Trainer, epochs: int) -> None:
    """Make a trainer that has no score to watch end after a number of epochs."""
    for each in made.callbacks:  # type: ignore[attr-defined]
        if isinstance(each, EndAfter):
            each.epochs = epochs


def short_trainer(settings: TrainSettings, folder: Path, callbacks: Sequence[Callback]) -> pl.Trainer:
    """Make a trainer of a fold, which keeps no state; of the validation samples it takes one batch."""
    interactive = sys.stderr.isatty()
    return _trainer(
        settings.trainer,
        strategy=strategy_of(settings),
        callbacks=[*callbacks, *_limits(settings.trainer), *([RichProgressBar(leave=False)] if interactive else [])],
        max_steps=-1,
        logger=False,
        default_root_dir=folder,
        limit_val_batches=1,
        enable_progress_bar=interactive,
        enable_checkpointing=False,
    )


def _limits(settings: TrainerSettings) -> list[Callback]:
    """Return what averages weights, and what ends a training after a time or a number of steps, as far as is set."""
    made: list[Callback] = []
    if settings.ema is not None:
        made.append(AveragedWeights(decay=settings.ema))
    if settings.max_time is not None:
        made.append(TimeLimit(settings.max_time))
    if settings.max_steps != -1:
        made.append(StepLimit(settings.max_steps))
    return made


def weight_interpolation(settings: LearningSettings, material: TrainingMaterial) -> list[Callback]:
    """Return what keeps weights between the pretrained and the trained ones; nothing where the trained are kept."""
    share = settings.finetune.interpolate
    if share == 1:
        return []
    logger.info("the backbone that is kept is %.0f %% trained, and else pretrained, weights", 100 * share)
    return [InterpolatedWeights(share, material.samples.epoch, material.loading.batch_size)]


def tool_trainer(settings: LearningSettings, folder: Path | None, *more: Callback | CheckpointIO) -> pl.Trainer:
    """Make a trainer for a look at the training, which keeps and validates nothing, with more callbacks and plugins."""
    if settings.finetune.interpolate != 1:
        logger.info("finetune.interpolate is for weights that are kept: not used here")
    made = _trainer(
        settings.trainer,
        callbacks=[each for each in more if isinstance(each, Callback)],
        plugins=[each for each in more if isinstance(each, CheckpointIO)],
        logger=False,
        default_root_dir=folder,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_checkpointing=False,
    )
    logger.info("running on %s in %s", made.strategy.root_device, made.precision)
    return made


def _trainer(settings: TrainerSettings, **own: Any) -> pl.Trainer:
    """Make a trainer of the settings that Lightning knows, and those that this program sets itself."""
    given = {
        name: value for name, value in asdict(settings).items() if name not in NOT_LIGHTNINGS and value is not None
    }
    return pl.Trainer(
        **{
            **given,
            "accelerator": settings.accelerator,
            "precision": precision(settings.precision, settings.accelerator),
            "reload_dataloaders_every_n_epochs": 1,
            "use_distributed_sampler": False,
            "num_sanity_val_steps": 0,
            "enable_model_summary": False,
            "log_every_n_steps": 1,
            **own,
            "callbacks": [KeptSigterm(), *own.get("callbacks", ())],
            "plugins": [*own.get("plugins", ()), *_as_slurm_job()],
        }
    )


def _as_slurm_job() -> list[SLURMEnvironment]:
    """Return how a job of SLURM is known, without Lightning's way of sending it again: that is from a state of its own.

    The job's script sends it again, with resume=true, which goes on with the last whole epoch.
    """
    if not SLURMEnvironment.detect() or TorchElasticEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]

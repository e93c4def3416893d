"""From settings to Lightning's trainer and module, and to the checkpoint that a run resumes from; decisions logged."""

import logging
import pickle
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar

from detect.assembly.folders import TrainingPaths, first_process
from detect.assembly.material import TrainingMaterial, weights_of
from detect.assembly.settings import LearningSettings, TrainerSettings, TrainSettings
from detect.inference.runtimes.torch_runtime import pick_device
from detect.learning.callbacks import AveragedWeights, EpochLog
from detect.learning.hyperparameters import Schedule
from detect.learning.module import CountingModule
from detect.reporting.writing import write_text
from detect.samples.loading import PatchData

logger = logging.getLogger(__name__)

for noisy in ("pytorch_lightning", "lightning", "lightning.pytorch"):
    logging.getLogger(noisy).setLevel(logging.ERROR)

NOT_LIGHTNINGS = ("patience", "ema", "logger", "test", "overfit", "precision", "accelerator")
"""Settings of `trainer` that are not handed to Lightning as they are."""

NOT_COMPARED = ("resume", "overwrite", "output", "runtime")
"""Settings in which a resumed run may differ from the interrupted one."""


def schedule_of(settings: LearningSettings) -> Schedule:
    """Return the schedule; a network with new weights learns from the first layer on.

    Raises:
        ValueError: settings that hold new weights where they are.
    """
    schedule = settings.finetune
    if weights_of(settings) != "none":
        return schedule
    if schedule.backbone_lr == 0:
        raise ValueError(
            "finetune.backbone_lr=0 keeps new weights as they are; use finetune=scratch or pretrained ones"
        )
    unused = [
        f"{n}={getattr(schedule, n)}" for n in ("keep", "freeze_bn", "top", "unfreeze_at") if getattr(schedule, n)
    ]
    if unused:
        logger.info(
            "new weights: all layers learn from the start, finetune.%s not followed", ", finetune.".join(unused)
        )
    return replace(schedule, keep=0, freeze_bn=False, top=None, unfreeze_at=0.0)


def precision(name: str, accelerator: str) -> str:
    """Return Lightning's precision: bf16 or fp16 mixed where the device computes in it, else 32 bits."""
    if name != "auto":
        return name
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    on_cpu = accelerator == "cpu" or not torch.backends.mps.is_available()
    native = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return "bf16-mixed" if on_cpu and native else "32-true"


def make_trainer(
    settings: TrainSettings, paths: TrainingPaths, monitor: str, material: TrainingMaterial, more: Sequence[Callback]
) -> tuple[pl.Trainer, ModelCheckpoint]:
    """Make Lightning's trainer, and the callback that knows the best checkpoint.

    Args:
        settings: of the run.
        paths: its output folder.
        monitor: the metric by which the best epoch is chosen.
        material: what is learned.
        more: callbacks beside the usual ones.
    """
    best = ModelCheckpoint(
        dirpath=paths.checkpoints,
        filename="best",
        monitor=monitor,
        mode="max",
        save_last=True,
        enable_version_counter=False,
    )
    number = sum(material.samples.outputs.values())
    samples = number if material.scenes is None else settings.data.sampling.samples
    patience = settings.trainer.patience * settings.finetune.score_every
    callbacks: list[Callback] = [
        best,
        EarlyStopping(monitor, mode="max", patience=patience, strict=False),
        EpochLog(paths.metrics, samples, monitor),
        *more,
    ]
    if settings.trainer.ema is not None:
        callbacks.append(AveragedWeights(decay=settings.trainer.ema))
    interactive = sys.stderr.isatty()
    if interactive:
        callbacks.append(RichProgressBar(leave=False))
    made = _trainer(
        settings.trainer,
        callbacks=callbacks,
        logger=metrics_logger(settings.trainer.logger, paths.folder),
        default_root_dir=paths.folder,
        enable_progress_bar=interactive,
    )
    logger.info("training on %s in %s", made.strategy.root_device, made.precision)
    return made, best


def tool_trainer(settings: TrainerSettings, folder: Path | None, *callbacks: Callback) -> pl.Trainer:
    """Make a trainer for a look at the training, which keeps and validates nothing."""
    made = _trainer(
        settings,
        callbacks=list(callbacks),
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
            "num_sanity_val_steps": 0,
            "enable_model_summary": False,
            "log_every_n_steps": 1,
            **own,
        }
    )


def metrics_logger(name: str, folder: Path) -> Any:
    """Return what logs beside `metrics.csv`, which every run writes: nothing (`csv`), or TensorBoard's files.

    Raises:
        ValueError: TensorBoard is not installed.
    """
    if name == "csv":
        return False
    from pytorch_lightning.loggers import TensorBoardLogger

    try:
        return TensorBoardLogger(folder, name="tensorboard", version="")
    except ModuleNotFoundError as error:
        raise ValueError("trainer.logger=tensorboard needs the package tensorboard: pip install tensorboard") from error


def checkpoint_to_resume(settings: TrainSettings, paths: TrainingPaths) -> Path | None:
    """Return the checkpoint to resume from; without one, what an earlier run left is removed."""
    last = paths.last_checkpoint
    if settings.resume and last.exists():
        _check_resumable(settings, paths)
        logger.info("resuming from %s", last)
        return last
    if settings.resume:
        logger.info("nothing to resume in %s: starting afresh", paths.folder)
    if first_process(settings.trainer):
        paths.clear()
    return None


def _check_resumable(settings: TrainSettings, paths: TrainingPaths) -> None:
    """Refuse a damaged checkpoint, and settings other than the interrupted run's."""
    last = paths.last_checkpoint
    try:
        torch.load(last, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise ValueError(f"{last} is damaged ({error}); overwrite=true starts afresh") from error
    before, now = yaml.safe_load(paths.config.read_text(encoding="utf-8")), settings.config
    if not isinstance(before, dict):
        raise ValueError(f"{paths.config} holds no settings; overwrite=true starts afresh")  # noqa: TRY004
    changed = sorted(str(k) for k in {*before, *now} - {*NOT_COMPARED} if before.get(k) != now.get(k))
    if changed:
        raise ValueError(
            f"resume=true needs the interrupted run's settings ({paths.config}); {', '.join(changed)} differ"
        )


def keep_config(settings: TrainSettings, paths: TrainingPaths, *, resumed: bool) -> None:
    """Write `config.yaml`; that of an interrupted run stays."""
    if not (resumed and paths.config.exists()):
        config = {**settings.config, "output": str(paths.folder)}
        write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), paths.config)


def fit(made: pl.Trainer, module: CountingModule, data: PatchData, checkpoint: Path | None) -> None:
    """Train; Ctrl-C, on which Lightning ends the process, becomes an interrupt that names the way to resume."""
    try:
        made.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        if not made.interrupted:
            raise
        raise KeyboardInterrupt("resume=true goes on with the last whole epoch") from None


def load_best(module: CountingModule, path: str, device: str) -> None:
    """Load the weights of the best epoch, on the device that runs networks.

    Raises:
        ValueError: no epoch was scored.
    """
    if not path:
        raise ValueError(
            "the training ended before an epoch was scored; raise trainer.max_steps, trainer.max_time or "
            "trainer.max_epochs, or lower finetune.score_every"
        )
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    module.load_state_dict(state)
    module.eval().to(pick_device(device))

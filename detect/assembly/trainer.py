"""From settings to Lightning's trainer and module, and what goes on from a checkpoint, each decision logged."""

import logging
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import TensorBoardLogger
from scipy.special import softmax
from torch.utils.data import DataLoader

from detect.assembly.folders import TRAINED, clear
from detect.assembly.material import TrainingMaterial, weights_of
from detect.assembly.variation import mixer_of
from detect.evaluation.scores import score_patches
from detect.inference.decoding.decoder import decoder_of
from detect.inference.runtimes.torch_runtime import pick_device
from detect.inference.views import Views
from detect.learning.callbacks import AveragedWeights, EpochLog
from detect.learning.grid import GridLoss, GridModule
from detect.learning.hyperparameters import ClassBalance, LossWeights, Schedule
from detect.learning.imbalance import ClassLoss
from detect.learning.module import CountingModule, SceneScores
from detect.learning.patch import ClassifierModule
from detect.nets.card import ModelCard
from detect.nets.heads.patch import PatchClassifier
from detect.nets.modelfile import Net
from detect.samples.loading import PatchData, PatchSet

logger = logging.getLogger(__name__)


def make_module(cfg: DictConfig, net: Net, job: TrainingMaterial, scene_scores: SceneScores | None) -> CountingModule:
    """Make the Lightning module of a network's family."""
    schedule = finetuning(cfg)
    if isinstance(net, PatchClassifier):
        balance = ClassBalance(**cfg.net.loss.classes)
        loss = ClassLoss(balance, job.task.drawn, schedule.label_smoothing)
        mixer = mixer_of(cfg, len(job.card.outputs), scenes=job.split is not None)
        return ClassifierModule(net, schedule, cfg.seed, loss, scene_scores, mixer)
    terms = dict(cfg.net.loss)
    weights = LossWeights(**terms | {"classes": ClassBalance(**terms["classes"])})
    label = ClassLoss(weights.classes, job.task.drawn, schedule.label_smoothing)
    return GridModule(net, schedule, cfg.seed, GridLoss(net.spec, net.stride, weights, label), scene_scores)


def finetuning(cfg: DictConfig) -> Schedule:
    """Give the schedule; a network with new weights learns from the first layer on.

    Raises:
        ValueError: settings that hold new weights where they are.
    """
    given = {name: value for name, value in cfg.finetune.items() if name != "pretrained"}
    schedule = Schedule(**given)
    if weights_of(cfg) != "none":
        return schedule
    held = [f"{n}={given[n]}" for n in ("keep", "freeze_bn", "top", "unfreeze_at") if given.get(n)]
    if schedule.backbone_lr == 0:
        raise ValueError(
            "finetune.backbone_lr=0 keeps new weights as they are; use finetune=scratch or pretrained ones"
        )
    if held:
        logger.info("new weights: all layers learn from the start, finetune.%s not followed", ", finetune.".join(held))
    return replace(schedule, keep=0, freeze_bn=False, top=None, unfreeze_at=0.0)


def precision(name: str, accelerator: str) -> str:
    """Choose Lightning's precision: bf16 or fp16 mixed where the device computes in it, else 32 bits."""
    if name != "auto":
        return name
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    on_cpu = accelerator == "cpu" or not torch.backends.mps.is_available()
    native = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return "bf16-mixed" if on_cpu and native else "32-true"


def make_trainer(
    cfg: DictConfig, folder: Path, monitor: str, job: TrainingMaterial, more: Sequence[Callback] = ()
) -> tuple[pl.Trainer, ModelCheckpoint]:
    """Make Lightning's trainer, and the callback that knows the best checkpoint."""
    if cfg.trainer.max_epochs < 1:
        raise ValueError(f"trainer.max_epochs must be 1 or more, got {cfg.trainer.max_epochs}")
    best = ModelCheckpoint(
        dirpath=folder / "checkpoints",
        filename="best",
        monitor=monitor,
        mode="max",
        save_last=True,
        enable_version_counter=False,
    )
    samples = cfg.data.samples if job.split is not None else sum(job.task.outputs.values())
    callbacks: list[Callback] = [
        best,
        EarlyStopping(monitor, mode="max", patience=cfg.trainer.patience * cfg.finetune.score_every),
        EpochLog(folder / "metrics.csv", samples, monitor),
        *more,
    ]
    if cfg.trainer.ema is not None:
        callbacks.append(AveragedWeights(decay=cfg.trainer.ema))
    interactive = _is_terminal()
    if interactive:
        callbacks.append(RichProgressBar(leave=False))
    chosen = precision(cfg.trainer.precision, cfg.trainer.accelerator)
    made = pl.Trainer(
        max_epochs=cfg.trainer.max_epochs,
        accelerator=cfg.trainer.accelerator,
        devices=1,
        precision=chosen,  # type: ignore[arg-type]
        gradient_clip_val=cfg.trainer.clip,
        callbacks=callbacks,
        logger=metrics_logger(cfg.trainer.logger, folder),
        default_root_dir=folder,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        enable_progress_bar=interactive,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    logger.info("training on %s in %s", made.strategy.root_device, chosen)
    return made, best


def metrics_logger(name: str, folder: Path) -> TensorBoardLogger | bool:
    """Choose what logs beside `metrics.csv`, which every run writes: nothing (`csv`), or TensorBoard's files.

    Raises:
        ValueError: an unknown name, or TensorBoard is not installed.
    """
    if name not in ("csv", "tensorboard"):
        raise ValueError(f"trainer.logger must be csv or tensorboard, got {name}")
    if name == "csv":
        return False
    try:
        return TensorBoardLogger(folder, name="tensorboard", version="")
    except ModuleNotFoundError as error:
        raise ValueError("trainer.logger=tensorboard needs the package tensorboard: pip install tensorboard") from error


def tool_trainer(cfg: DictConfig, folder: Path | None, *callbacks: Callback) -> pl.Trainer:
    """Make a trainer for a look at the training, which keeps and validates nothing."""
    chosen = precision(cfg.trainer.precision, cfg.trainer.accelerator)
    made = pl.Trainer(
        max_epochs=cfg.trainer.max_epochs,
        accelerator=cfg.trainer.accelerator,
        devices=1,
        precision=chosen,  # type: ignore[arg-type]
        gradient_clip_val=cfg.trainer.clip,
        callbacks=list(callbacks),
        logger=False,
        default_root_dir=folder,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        log_every_n_steps=1,
    )
    logger.info("running on %s in %s", made.strategy.root_device, chosen)
    return made


def _is_terminal() -> bool:
    import sys

    return sys.stderr.isatty()


def checkpoint_to_resume(cfg: DictConfig, folder: Path) -> Path | None:
    """Find the checkpoint to go on from; with `overwrite` the old ones are left behind."""
    last = folder / "checkpoints" / "last.ckpt"
    if cfg.resume and last.exists():
        _check_resumable(cfg, folder, last)
        logger.info("resuming from %s", last)
        return last
    if cfg.resume:
        logger.info("nothing to resume in %s: starting afresh", folder)
    clear(folder, ("checkpoints", "validation", "test", "tensorboard"), TRAINED)
    return None


def _check_resumable(cfg: DictConfig, folder: Path, last: Path) -> None:
    """Refuse a damaged checkpoint, and settings other than the interrupted run's."""
    try:
        torch.load(last, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise ValueError(f"{last} is damaged ({error}); overwrite=true starts afresh") from error
    before, now = (
        OmegaConf.to_container(config, resolve=True) for config in (OmegaConf.load(folder / "config.yaml"), cfg)
    )
    assert isinstance(before, dict) and isinstance(now, dict)
    ignored = {"resume", "overwrite", "output", "runtime"}
    changed = sorted(str(k) for k in {*before, *now} - ignored if before.get(k) != now.get(k))
    if changed:
        raise ValueError(
            f"resume=true needs the interrupted run's settings ({folder / 'config.yaml'}); {', '.join(changed)} differ"
        )


def fit(made: pl.Trainer, module: CountingModule, data: PatchData, checkpoint: Path | None) -> None:
    """Train; Ctrl-C, on which Lightning ends the process, becomes an interrupt that says how to go on."""
    try:
        made.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        if not made.interrupted:
            raise
        raise KeyboardInterrupt("resume=true goes on with the last whole epoch") from None


def load_best(module: CountingModule, path: Path, device: str) -> None:
    """Take the weights of the best epoch, on the device that runs networks."""
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    module.load_state_dict(state)
    module.eval().to(pick_device(device))


def classify(
    net: PatchClassifier, card: ModelCard, patches: PatchSet, cfg: DictConfig
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Classify patches.

    Args:
        net: the network.
        card: its card.
        patches: what it is shown.
        cfg: `runtime.device`, `data.batch_size`, and the views: `tta` and `tta_combine`, where there are any.

    Returns:
        Their true outputs (N,), and the probabilities (N, K).
    """
    device = pick_device(cfg.runtime.device)
    net = net.eval().to(device)

    def seen(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        logits = net.classify(torch.from_numpy(pixels).to(device)).float()
        return np.asarray(logits.cpu().numpy()[..., None, None], np.float32)

    views = Views(seen, decoder_of(card), str(cfg.get("tta", "none")), str(cfg.get("tta_combine", "mean")))
    truth: list[int] = []
    logits = []
    with torch.inference_mode():
        for pixels, output in DataLoader(patches, batch_size=cfg.data.batch_size):
            logits.append(views(pixels.numpy())[..., 0, 0])
            truth.extend(output.tolist())
    return np.array(truth, np.int64), np.asarray(softmax(np.concatenate(logits), axis=1), np.float32)


def patch_scores(net: PatchClassifier, card: ModelCard, patches: PatchSet, cfg: DictConfig) -> dict[str, Any]:
    """Classify patches and score them."""
    return score_patches(*classify(net, card, patches, cfg), card.outputs)


def verdict(card: ModelCard, scores: Mapping[str, Any]) -> str:
    """Say in a sentence how good a model is."""
    if "accuracy" in scores:
        return f"patches: accuracy {scores['accuracy']:.3f}, balanced accuracy {scores['balanced_accuracy']:.3f}"
    bias = scores["count_bias_percent"]
    shown = "" if bias is None else f", count {bias:+.1f} %"
    how = f"within {scores['radius']:g} pixels" if scores["iou"] is None else f"at IoU {scores['iou']:g}"
    apart = f"radius {card.radius:g}" if card.nms_iou is None else f"NMS at IoU {card.nms_iou:g}"
    return (
        f"F1 {scores['f1']:.3f} {how} (precision {scores['precision']:.3f}, recall {scores['recall']:.3f}){shown}, "
        f"at threshold {card.threshold:.3f} and {apart}"
    )

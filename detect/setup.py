"""From a composed configuration to the objects that train and evaluate, each decision logged."""

import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from torch.utils.data import DataLoader

from detect.evaluation import score_patches
from detect.evaluation.validation import CountSettings, SceneCounter
from detect.imagery import Window
from detect.inference import (
    TorchRuntime,
    layer_bytes,
    make_plan,
    pick_device,
)
from detect.labels import Annotations, PatchFolder, read_annotations, read_patch_folder, writable
from detect.launch import auto, clear, given_path, parse_bytes
from detect.learning import (
    Augment,
    ClassifierModule,
    EpochLog,
    FolderRecipe,
    Loading,
    PatchData,
    PatchSettings,
    PixelSource,
    Recipe,
    SceneSplit,
    Task,
    folder_card,
    folder_task,
    image_kind,
    measure_normalisation,
    object_size,
    scene_task,
    split_scenes,
)
from detect.learning.data import PatchSet
from detect.nets import ModelCard, PatchClassifier, effective_halo, receptive_halo
from detect.nets.backbones import BackboneSpec

logger = logging.getLogger(__name__)

POINT_PATCH = 64
"""Side in pixels of a patch where points give no hint of the objects' size."""

TRAINED = ("model.safetensors", "scores.json", "metrics.csv", "curves.png", "config.yaml")
"""Files that a training run leaves, beside its folders."""

VALIDATION_MEMORY = 1 << 30
"""Bytes for the counting of validation images."""

HALO_TOLERANCE, HALO_CORE, HALO_SCENES = 1e-3, 192, 4
"""The error of the logits that `halo=auto` allows; the core in pixels, and the scenes, that it is measured on."""


@dataclass(frozen=True, eq=False)
class Job:
    """All that a training run is made of, before there is a network."""

    card: ModelCard
    task: Task
    loading: Loading
    split: SceneSplit | None = None
    source: PixelSource | None = None


def names(values: Any) -> list[str]:
    """Read a list of names; hydra takes `[2]` for a number."""
    return [str(value) for value in values]


def read_labels(cfg: DictConfig) -> Annotations | PatchFolder:
    """Read the annotations, or the folder of patches where none are named."""
    root = given_path(cfg, "data.root", "folder of images")
    negatives = names(cfg.data.negative_labels)
    if cfg.data.annotations is None:
        folder = read_patch_folder(root)
        logger.info("%d patches of %d classes below %s", len(folder.paths), len(folder.classes), root)
        return folder
    annotations = read_annotations(given_path(cfg, "data.annotations", "annotations"), root, negative_labels=negatives)
    number = sum(len(image.objects) for image in annotations.images)
    if not number:
        raise ValueError(f"{annotations.source}: no annotated objects; label some, or check data.negative_labels")
    for name in annotations.classes:
        writable(name, "class name")
    reserved = sorted({"image", "total"} & set(annotations.classes))
    if reserved:
        raise ValueError(f"{annotations.source}: {reserved} are columns of counts.csv; give these classes other names")
    kind = "boxes" if annotations.boxes else "points"
    logger.info("%d %s of %d classes in %d images", number, kind, len(annotations.classes), len(annotations.images))
    return annotations


def training_job(cfg: DictConfig, labels: Annotations | PatchFolder) -> Job:
    """Decide on split, patch size and sampling."""
    backbone = BackboneSpec(cfg.net.backbone, cfg.net.stride, cfg.net.stages)
    card = ModelCard(cfg.net.kind, backbone, (), "background", tuple(cfg.data.bands or ()), "uint8", (), (), 0, None)
    loading = Loading(cfg.data.batch_size, cfg.data.workers)
    transforms = OmegaConf.to_container(cfg.augment.transforms, resolve=True)
    augment = Augment(transforms) if transforms else None  # type: ignore[arg-type]
    if isinstance(labels, PatchFolder):
        recipe = FolderRecipe(tuple(names(cfg.data.negative_labels)), cfg.data.val_fraction, cfg.data.balance)
        card = folder_card(labels, names(cfg.data.negative_labels), card)
        task = folder_task(labels, card, augment, recipe, cfg.seed)
        job = Job(card, task, loading)
    else:
        job = _scene_job(cfg, labels, card, augment, loading)
    for note in job.task.notes:
        logger.info("%s", note)
    logger.info("training on %s", ", ".join(f"{n} {name}" for name, n in job.task.outputs.items()))
    return job


def _scene_job(
    cfg: DictConfig, annotations: Annotations, card: ModelCard, augment: Augment | None, loading: Loading
) -> Job:
    split = split_scenes(
        annotations, val=names(cfg.data.val), test=names(cfg.data.test), val_fraction=cfg.data.val_fraction,
        guard=cfg.data.guard, seed=cfg.seed,
    )  # fmt: skip
    bands, dtype = image_kind([labelled.scene for labelled in split.train + split.val], cfg.data.bands)
    stride = cfg.net.stride
    size = object_size(split.train)
    fitted = max(stride, round((size or POINT_PATCH) / stride) * stride)
    patch = PatchSettings(int(auto(cfg.net.patch_size, fitted)), -(-int(cfg.net.margin) // stride) * stride)
    exclusion = auto(cfg.data.exclusion, patch.patch_size / 2)
    recipe = Recipe(
        samples=cfg.data.samples,
        background_fraction=cfg.data.background_fraction,
        near_fraction=cfg.data.near_fraction,
        negative_fraction=cfg.data.negative_fraction,
        jitter=auto(cfg.data.jitter, min(stride, exclusion) / 2),
        exclusion=exclusion,
        balance=cfg.data.balance,
    )
    known = f"objects are {size:.0f} pixels wide" if size else "points do not tell the objects' size"
    logger.info(
        "%s: patches of %d pixels with a margin of %d, backgrounds from %.0f pixels away",
        known, patch.patch_size, patch.margin, recipe.exclusion,
    )  # fmt: skip
    source = PixelSource(bands, parse_bytes(cfg.data.cache))
    source.preload([labelled.scene for labelled in split.train + split.val])
    card = replace(
        card, classes=annotations.classes, bands=bands, dtype=dtype,
        backbone=replace(card.backbone, bands=len(bands)), patch_size=patch.patch_size,
    )  # fmt: skip
    return Job(card, scene_task(split, source, patch, recipe, augment, cfg.seed), loading, split, source)


def completed_card(cfg: DictConfig, job: Job, net: PatchClassifier) -> ModelCard:
    """Add normalisation and halo to the card; pixels other than uint8 are normalised by their own statistics."""
    if job.card.dtype != "uint8":
        net.set_normalisation(*measure_normalisation(job.task.train(0)))
        logger.info("pixels are %s: normalised by the training images' mean and spread", job.card.dtype)
    bands = len(job.card.bands)
    halo: int | None
    try:
        halo = receptive_halo(net, net.stride, bands)
    except ValueError as error:
        if job.split is not None:
            raise
        logger.warning("%s; as a classifier of patches alone it is fine", error)
        halo = None
    logger.info(
        "%s at stride %d, weights %s, halo %s pixels", cfg.net.backbone, net.stride, cfg.net.weights, halo,
    )  # fmt: skip
    flat = (tuple(values.flatten().tolist()) for values in (net.offset, net.scale))
    offset, scale = flat
    return replace(job.card, offset=offset, scale=scale, halo=halo)


def scene_counter(cfg: DictConfig, job: Job, card: ModelCard, net: PatchClassifier) -> SceneCounter | None:
    """Make what counts the validation scenes; None for patches."""
    if job.split is None or job.source is None:
        return None
    if not cfg.data.match_radius > 0:
        raise ValueError(f"data.match_radius must be positive, got {cfg.data.match_radius}")
    assert card.halo is not None
    per_pixel = TorchRuntime.spare * layer_bytes(net, len(card.bands))
    plan = make_plan(VALIDATION_MEMORY, per_pixel, card.halo, card.backbone.stride)
    settings = CountSettings(cfg.data.match_radius, plan, cfg.data.select)
    return SceneCounter(job.split.val, job.source.read, card, settings)


def measured_halo(net: PatchClassifier, card: ModelCard, job: Job) -> ModelCard:
    """Measure on the validation images how much context is enough, and keep it on the card."""
    if job.split is None or job.source is None or card.halo is None:
        return card
    side = 2 * card.halo + HALO_CORE
    side = -(-side // net.stride) * net.stride
    tiles = []
    for labelled in job.split.val[:HALO_SCENES]:
        height, width = labelled.scene.shape
        window = Window((height - side) // 2, (width - side) // 2, side, side)
        tiles.append(torch.from_numpy(np.ascontiguousarray(job.source.read(labelled.scene, window))))
    halo, error = effective_halo(net, tiles, card.halo, net.stride, HALO_TOLERANCE)
    logger.info("receptive field: %d pixels in theory; %d change the logits by %.1e at most", card.halo, halo, error)
    return replace(card, halo_auto=halo, halo_error=error)


def precision(name: str, accelerator: str) -> str:
    """Choose Lightning's precision: bf16 or fp16 mixed where the device computes in it, else 32 bits."""
    if name != "auto":
        return name
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    on_cpu = accelerator == "cpu" or not torch.backends.mps.is_available()
    native = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return "bf16-mixed" if on_cpu and native else "32-true"


def trainer(cfg: DictConfig, folder: Path, monitor: str, job: Job) -> tuple[pl.Trainer, ModelCheckpoint]:
    """Make Lightning's trainer, and the callback that knows the best checkpoint."""
    best = ModelCheckpoint(
        dirpath=folder / "checkpoints", filename="best", monitor=monitor, mode="max", save_last=True,
        enable_version_counter=False,
    )  # fmt: skip
    samples = cfg.data.samples if job.split is not None else sum(job.task.outputs.values())
    callbacks: list[Callback] = [
        best,
        EarlyStopping(monitor, mode="max", patience=cfg.trainer.patience * cfg.finetune.score_every),
        EpochLog(folder / "metrics.csv", samples, monitor),
    ]
    if cfg.trainer.ema is not None:
        callbacks.append(EMAWeightAveraging(decay=cfg.trainer.ema))
    interactive = _is_terminal()
    if interactive:
        callbacks.append(RichProgressBar(leave=False))
    chosen = precision(cfg.trainer.precision, cfg.trainer.accelerator)
    made = pl.Trainer(
        max_epochs=cfg.trainer.max_epochs, accelerator=cfg.trainer.accelerator, devices=1, precision=chosen,  # type: ignore[arg-type]
        gradient_clip_val=cfg.trainer.clip, callbacks=callbacks, logger=False, default_root_dir=folder,
        reload_dataloaders_every_n_epochs=1, num_sanity_val_steps=0, enable_progress_bar=interactive,
        enable_model_summary=False, log_every_n_steps=1,
    )  # fmt: skip
    logger.info("training on %s in %s", made.strategy.root_device, chosen)
    return made, best


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
    clear(folder, ("checkpoints", "validation"), TRAINED)
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


def fit(made: pl.Trainer, module: ClassifierModule, data: PatchData, checkpoint: Path | None) -> None:
    """Train; Ctrl-C, on which Lightning ends the process, becomes an interrupt that says how to go on."""
    try:
        made.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        if not made.interrupted:
            raise
        raise KeyboardInterrupt("resume=true goes on with the last whole epoch") from None


def load_best(module: ClassifierModule, path: Path, device: str) -> None:
    """Take the weights of the best epoch, on the device that runs networks."""
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    module.load_state_dict(state)
    module.eval().to(pick_device(device))


def patch_scores(net: PatchClassifier, card: ModelCard, patches: PatchSet, cfg: DictConfig) -> dict[str, Any]:
    """Classify patches and score them."""
    device = pick_device(cfg.runtime.device)
    net = net.eval().to(device)
    truth: list[int] = []
    probabilities = []
    with torch.inference_mode():
        for pixels, output in DataLoader(patches, batch_size=cfg.data.batch_size):
            probabilities.append(net.classify(pixels.to(device)).float().softmax(dim=1).cpu().numpy())
            truth.extend(output.tolist())
    return score_patches(np.array(truth), np.concatenate(probabilities), card.outputs)


def verdict(card: ModelCard, scores: Mapping[str, Any]) -> str:
    """Say in a sentence how good a model is."""
    if "accuracy" in scores:
        return f"patches: accuracy {scores['accuracy']:.3f}, balanced accuracy {scores['balanced_accuracy']:.3f}"
    bias = scores["count_bias_percent"]
    shown = "" if bias is None else f", count {bias:+.1f} %"
    return (
        f"F1 {scores['f1']:.3f} within {scores['radius']:g} pixels (precision {scores['precision']:.3f}, recall "
        f"{scores['recall']:.3f}){shown}, at threshold {card.threshold:.3f} and radius {card.radius:g}"
    )

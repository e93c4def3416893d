"""From a composed configuration and labels to what a training run learns, each decision logged."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig

from detect.augmenting import augment_of, collage_of
from detect.evaluation import Criterion
from detect.evaluation.validation import CountSettings, SceneCounter
from detect.imagery import Window
from detect.inference import Plan, TorchRuntime, layer_bytes, make_plan
from detect.labels import (
    Annotations,
    PatchFolder,
    read_annotations,
    read_patch_folder,
    with_ignored,
    writable,
)
from detect.launch import auto, given_path, parse_bytes
from detect.learning import (
    Augment,
    CropRecipe,
    Encoder,
    FolderRecipe,
    Loading,
    PatchSettings,
    PixelSource,
    Recipe,
    SceneSplit,
    Task,
    folder_card,
    folder_task,
    grid_task,
    image_kind,
    measure_normalisation,
    object_size,
    scene_task,
    split_scenes,
)
from detect.nets import GridSpec, ModelCard, Net, effective_halo, receptive_halo
from detect.nets.backbones import BackboneSpec

logger = logging.getLogger(__name__)

POINT_PATCH = 64
"""Side in pixels of a patch where points give no hint of the objects' size."""

VALIDATION_MEMORY = 2 << 30
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


@dataclass(frozen=True, eq=False)
class _Material:
    """What both families learn from: the scenes, their pixels, and how batches are made."""

    split: SceneSplit
    source: PixelSource
    loading: Loading


def names(values: Any) -> list[str]:
    """Read a list of names; hydra takes `[2]` for a number."""
    return [str(value) for value in values]


def read_labels(cfg: DictConfig) -> Annotations | PatchFolder:
    """Read the annotations, or the folder of patches where none are named."""
    root = given_path(cfg, "data.root", "folder of images")
    negatives, ignored = names(cfg.data.negative_labels), names(cfg.data.ignore_labels)
    if cfg.data.annotations is None:
        folder = read_patch_folder(root)
        logger.info("%d patches of %d classes below %s", len(folder.paths), len(folder.classes), root)
        return folder
    annotations = read_annotations(
        given_path(cfg, "data.annotations", "annotations"), root, negative_labels=negatives + ignored
    )
    annotations = with_ignored(annotations, ignored)
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
    backbone = BackboneSpec(cfg.net.backbone, cfg.net.stride, cfg.net.get("stages"))
    background = "background" if cfg.net.kind == "patch" else None
    card = ModelCard(cfg.net.kind, backbone, (), background, tuple(cfg.data.bands or ()), "uint8", (), (), 0, None)
    loading = Loading(cfg.data.batch_size, cfg.data.workers)
    augment = augment_of(cfg)
    if isinstance(labels, PatchFolder):
        if len(cfg.data.ignore_labels):
            raise ValueError("data.ignore_labels is for annotated images, not for a folder of patches")
        if cfg.net.kind != "patch":
            raise ValueError("net=grid needs annotated images (data.annotations); bare patches go to net=patch")
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
        guard=cfg.data.guard, seed=cfg.seed, val_from=cfg.data.val_from,
    )  # fmt: skip
    bands, dtype = image_kind([labelled.scene for labelled in split.train + split.val], cfg.data.bands)
    source = PixelSource(bands, parse_bytes(cfg.data.cache))
    source.preload([labelled.scene for labelled in split.train + split.val])
    card = replace(
        card, classes=annotations.classes, bands=bands, dtype=dtype, backbone=replace(card.backbone, bands=len(bands))
    )
    make = _grid_job if card.kind == "grid" else _patch_job
    return make(cfg, card, _Material(split, source, loading), augment)


def _patch_job(cfg: DictConfig, card: ModelCard, of: "_Material", augment: Augment | None) -> Job:
    """Decide on patches and how they are drawn."""
    stride = cfg.net.stride
    size = object_size(of.split.train)
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
    logger.info(
        "%s: patches of %d pixels with a margin of %d, backgrounds from %.0f pixels away",
        _known(size), patch.patch_size, patch.margin, recipe.exclusion,
    )  # fmt: skip
    task = scene_task(of.split, of.source, patch, recipe, augment, cfg.seed)
    return Job(replace(card, patch_size=patch.patch_size), task, of.loading, of.split, of.source)


def _grid_job(cfg: DictConfig, card: ModelCard, of: "_Material", augment: Augment | None) -> Job:
    """Decide on boxes or points, and on the crops."""
    size = object_size(of.split.train)
    wanted = None if size is None else float(auto(cfg.net.object_size, size))
    grid = GridSpec(cfg.net.deepest, cfg.net.width, cfg.net.slots, wanted)
    side = int(cfg.data.crop)
    if side < 2 * grid.deepest or side % grid.deepest:
        raise ValueError(f"data.crop must be a multiple of net.deepest={grid.deepest}, twice or more, got {side}")
    recipe = CropRecipe(cfg.data.samples, side, cfg.data.empty_fraction, cfg.data.negative_fraction, cfg.data.balance)
    encoder = Encoder(grid, cfg.net.stride, cfg.net.spread)
    logger.info(
        "%s: %s at a stride of %d pixels, crops of %d pixels",
        _known(size), "points" if size is None else "boxes", cfg.net.stride, side,
    )  # fmt: skip
    collage = collage_of(cfg, of.split, of.source, POINT_PATCH)
    task = grid_task(of.split, of.source, encoder, recipe, augment, cfg.seed, collage)
    shown = round(size or POINT_PATCH)
    return Job(replace(card, patch_size=shown, grid=grid), task, of.loading, of.split, of.source)


def _known(size: float | None) -> str:
    return f"objects are {size:.0f} pixels wide" if size else "points do not tell the objects' size"


def completed_card(cfg: DictConfig, job: Job, net: Net) -> ModelCard:
    """Add normalisation and halo to the card; pixels other than uint8 are normalised by their own statistics."""
    if job.card.dtype != "uint8":
        net.set_normalisation(*measure_normalisation(job.task.train(0)))
        logger.info("pixels are %s: normalised by the training images' mean and spread", job.card.dtype)
    bands = len(job.card.bands)
    halo: int | None
    try:
        halo = receptive_halo(net, net.stride, bands, job.card.align)
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


def scene_counter(cfg: DictConfig, job: Job, card: ModelCard, net: Net) -> SceneCounter | None:
    """Make what counts the validation scenes; None for patches."""
    if job.split is None or job.source is None:
        return None
    if not cfg.data.match_radius > 0:
        raise ValueError(f"data.match_radius must be positive, got {cfg.data.match_radius}")
    exact = card.halo
    if exact is None:
        raise ValueError("validation by counting needs a network whose receptive field is bounded")
    per_pixel = TorchRuntime.spare * layer_bytes(net, len(card.bands))

    def plan(net: Net, tolerance: float) -> Plan:
        halo = exact if card.kind == "patch" else measured_halo(net, card, job, 1, tolerance).halo_auto
        made = make_plan(
            VALIDATION_MEMORY, per_pixel, exact if halo is None else halo, card.backbone.stride, align=card.align
        )
        logger.debug("validation with a halo of %d pixels", made.halo)
        return made

    iou = None if cfg.data.match_iou is None else float(cfg.data.match_iou)
    if iou is not None and not card.boxes:
        raise ValueError(
            f"data.match_iou={iou} is for boxes found by net=grid; leave it out, and set data.match_radius"
        )
    settings = CountSettings(Criterion(cfg.data.match_radius, iou), plan, cfg.data.select)
    return SceneCounter(job.split.val, job.source.read, card, settings)


def measured_halo(
    net: Net, card: ModelCard, job: Job, scenes: int = HALO_SCENES, tolerance: float = HALO_TOLERANCE
) -> ModelCard:
    """Measure on the validation images how much context is enough, and keep it on the card."""
    if job.split is None or job.source is None or card.halo is None:
        return card
    side = -(-(2 * card.halo + HALO_CORE) // card.align) * card.align
    tiles = []
    for labelled in job.split.val[:scenes]:
        height, width = labelled.scene.shape
        window = Window((height - side) // 2, (width - side) // 2, side, side)
        tiles.append(torch.from_numpy(np.ascontiguousarray(job.source.read(labelled.scene, window))))
    halo, error = effective_halo(net, tiles, card.halo, net.stride, tolerance, card.align)
    logger.debug("receptive field: %d pixels in theory; %d change the logits by %.1e at most", card.halo, halo, error)
    return replace(card, halo_auto=halo, halo_error=error)

"""From a composed configuration and labels to what a training run learns, each decision logged."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback

from detect.augmenting import augment_of, collage_of
from detect.evaluation import Criterion
from detect.evaluation.validation import ROUGH, CountSettings, SceneCounter, SceneFinder
from detect.imagery import Resolution, Window
from detect.inference import Plan, TorchRuntime, layer_bytes, make_plan
from detect.labels import (
    Annotations,
    Detections,
    PatchFolder,
    read_annotations,
    read_patch_folder,
    read_regions,
    regions_of,
    with_ignored,
    with_regions,
    writable,
)
from detect.launch import auto, given_path, names, parse_bytes
from detect.learning import (
    Augment,
    CropRecipe,
    Encoder,
    FolderRecipe,
    HardNegatives,
    LabelledScene,
    Loading,
    Mining,
    ObjectSizes,
    PatchSettings,
    PixelSource,
    Recipe,
    SceneSplit,
    Task,
    fitted_patch,
    folder_card,
    folder_task,
    grid_task,
    grid_warnings,
    image_kind,
    measure_normalisation,
    object_sizes,
    patch_warnings,
    scene_task,
    seen_split,
)
from detect.nets import GridSpec, ModelCard, Net, effective_halo, receptive_halo
from detect.nets.backbones import BackboneSpec
from detect.sides import check_patches, split_images

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
    left_out: tuple[str, ...] = ()

    @property
    def sides(self) -> dict[str, list[str]]:
        """The images that validate, those for the test, and those that no fold uses, for the model's record."""
        if self.split is None:
            return {"val": [], "test": [], "left_out": []}
        val, test = ([labelled.name for labelled in side] for side in (self.split.val, self.split.test))
        return {"val": val, "test": test, "left_out": list(self.left_out)}


@dataclass(frozen=True, eq=False)
class _Material:
    """What both families learn from: the scenes, their pixels, and how batches are made."""

    split: SceneSplit
    source: PixelSource
    loading: Loading


def resolution(cfg: DictConfig) -> Resolution:
    """Read at what size the network sees images.

    Raises:
        ValueError: `data.scale` or `data.gsd` is no number, or out of bounds.
    """
    try:
        return Resolution(float(cfg.data.scale), None if cfg.data.gsd is None else float(cfg.data.gsd))
    except TypeError:
        raise ValueError(f"data.scale must be a number, got {cfg.data.scale}") from None


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
    annotations = with_regions(annotations, ignored_regions(cfg, [image.name for image in annotations.images]))
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


def ignored_regions(cfg: DictConfig, images: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Read the rectangles of `data.ignored`, (M, 4) by image: from a CSV file, or from the configuration itself."""
    given = cfg.data.ignored
    if given is None:
        return {}
    regions: Any = read_regions(Path(given)) if isinstance(given, str) else OmegaConf.to_container(given)
    if not isinstance(regions, dict):
        raise ValueError(  # noqa: TRY004, a wrong setting, not a wrong type
            f"data.ignored must be a CSV file, or rectangles by image, got {given}"
        )
    found, unknown = regions_of({str(name): boxes for name, boxes in regions.items()}, images)
    if unknown:
        logger.warning("data.ignored names %s, which are none of these images", ", ".join(unknown))
    return found


def training_job(cfg: DictConfig, labels: Annotations | PatchFolder) -> Job:
    """Decide on split, patch size and sampling."""
    backbone = BackboneSpec(cfg.net.backbone, cfg.net.stride, cfg.net.get("stages"))
    background = "background" if cfg.net.kind == "patch" else None
    seen = resolution(cfg)
    card = ModelCard(
        cfg.net.kind, backbone, (), background, tuple(cfg.data.bands or ()), "uint8", (), (), 0, None,
        image_scale=seen.scale, gsd=seen.gsd,
    )  # fmt: skip
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
        check_patches(cfg, labels, task)
        job = Job(card, task, loading)
    else:
        job = _scene_job(cfg, labels, card, augment, loading)
    for note in job.task.notes:
        logger.info("%s", note)
    for warning in job.task.warnings:
        logger.warning("%s", warning)
    logger.info("training on %s", ", ".join(f"{n} {name}" for name, n in job.task.outputs.items()))
    return job


def _scene_job(
    cfg: DictConfig, annotations: Annotations, card: ModelCard, augment: Augment | None, loading: Loading
) -> Job:
    split, left_out = split_images(cfg, annotations)
    split = seen_split(split, card.resolution)
    bands, dtype = image_kind([labelled.scene for labelled in split.train + split.val], cfg.data.bands)
    source = PixelSource(bands, parse_bytes(cfg.data.cache))
    source.preload([labelled.scene for labelled in split.train + split.val])
    card = replace(
        card, classes=annotations.classes, bands=bands, dtype=dtype, backbone=replace(card.backbone, bands=len(bands))
    )
    make = _grid_job if card.kind == "grid" else _patch_job
    return replace(make(cfg, card, _Material(split, source, loading), augment), left_out=left_out)


def _patch_job(cfg: DictConfig, card: ModelCard, of: "_Material", augment: Augment | None) -> Job:
    """Decide on patches and how they are drawn."""
    stride = cfg.net.stride
    sizes = object_sizes(of.split.train)
    fitted = fitted_patch(sizes.median if sizes is not None and sizes.boxes else POINT_PATCH, stride)
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
        "patches of %d pixels with a margin of %d, backgrounds from %.0f pixels away",
        patch.patch_size, patch.margin, recipe.exclusion,
    )  # fmt: skip
    warnings = patch_warnings(sizes, stride, patch.patch_size, card.resolution)
    task = scene_task(of.split, of.source, patch, recipe, augment, cfg.seed)
    task = task.told(sizes, _known(sizes, card.resolution), warnings)
    return Job(replace(card, patch_size=patch.patch_size), task, of.loading, of.split, of.source)


def _grid_job(cfg: DictConfig, card: ModelCard, of: "_Material", augment: Augment | None) -> Job:
    """Decide on boxes or points, and on the crops."""
    sizes = object_sizes(of.split.train)
    size = sizes.median if sizes is not None and sizes.boxes else None
    wanted = None if size is None else float(auto(cfg.net.object_size, size))
    grid = GridSpec(cfg.net.deepest, cfg.net.width, cfg.net.slots, wanted)
    side = int(cfg.data.crop)
    if side < 2 * grid.deepest or side % grid.deepest:
        raise ValueError(f"data.crop must be a multiple of net.deepest={grid.deepest}, twice or more, got {side}")
    recipe = CropRecipe(cfg.data.samples, side, cfg.data.empty_fraction, cfg.data.negative_fraction, cfg.data.balance)
    encoder = Encoder(grid, cfg.net.stride, cfg.net.spread)
    logger.info(
        "%s at a stride of %d pixels, crops of %d pixels",
        "points" if size is None else "boxes", cfg.net.stride, side,
    )  # fmt: skip
    warnings = grid_warnings(sizes, cfg.net.stride, side, grid.deepest, card.resolution)
    collage = collage_of(cfg, of.split, of.source, POINT_PATCH)
    task = grid_task(of.split, of.source, encoder, recipe, augment, cfg.seed, collage)
    task = task.told(sizes, _known(sizes, card.resolution), warnings)
    shown = round(size or POINT_PATCH)
    return Job(replace(card, patch_size=shown, grid=grid), task, of.loading, of.split, of.source)


def _known(sizes: ObjectSizes | None, seen: Resolution) -> str:
    """Say how large objects are, as far as the labels tell."""
    if sizes is None:
        return "points do not tell the objects' size"
    return ("" if sizes.boxes else "points do not tell the objects' size; ") + sizes.sentence(seen)


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


def scene_finder(job: Job, card: ModelCard, net: Net, scenes: Sequence[LabelledScene]) -> SceneFinder:
    """Make what looks for objects in labelled scenes with the network as it is.

    Raises:
        ValueError: a network whose tiles cannot be stitched.
    """
    exact, source = card.halo, job.source
    if exact is None or source is None:
        raise ValueError("validation by counting needs a network whose receptive field is bounded")
    per_pixel = TorchRuntime.spare * layer_bytes(net, len(card.bands))

    def plan(net: Net, tolerance: float) -> Plan:
        halo = exact if card.kind == "patch" else measured_halo(net, card, job, 1, tolerance).halo_auto
        made = make_plan(
            VALIDATION_MEMORY, per_pixel, exact if halo is None else halo, card.backbone.stride, align=card.align
        )
        logger.debug("validation with a halo of %d pixels", made.halo)
        return made

    return SceneFinder(scenes, source.read, card, plan)


def scene_counter(cfg: DictConfig, job: Job, card: ModelCard, net: Net) -> SceneCounter | None:
    """Make what counts the validation scenes; None for patches."""
    if job.split is None:
        return None
    if not cfg.data.match_radius > 0:
        raise ValueError(f"data.match_radius must be positive, got {cfg.data.match_radius}")
    iou = None if cfg.data.match_iou is None else float(cfg.data.match_iou)
    if iou is not None and not card.boxes:
        raise ValueError(
            f"data.match_iou={iou} is for boxes found by net=grid; leave it out, and set data.match_radius"
        )
    settings = CountSettings(Criterion(cfg.data.match_radius, iou), cfg.data.select)
    return SceneCounter(scene_finder(job, card, net, job.split.val), settings)


def hard_negatives(cfg: DictConfig, job: Job, card: ModelCard, net: Net) -> list[Callback]:
    """Make what lets the network look for its false alarms in the training scenes; nothing if it should not."""
    mining = Mining(tuple(float(moment) for moment in cfg.data.mine_at), float(cfg.data.match_radius))
    if not 0 < cfg.data.mine_score < 1:
        raise ValueError(f"data.mine_score must be in (0, 1), got {cfg.data.mine_score}")
    if job.split is None or job.task.look_alikes is None or not mining.moments:
        return []
    finder = scene_finder(job, card, net, job.split.train)
    strongest = finder.suppressions[0]

    def find(net: Net) -> Mapping[str, Detections]:
        return finder.find(net, ROUGH, [strongest], float(cfg.data.mine_score))[strongest]

    return [HardNegatives(find, job.split.train, job.task.look_alikes, mining)]


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

"""From settings and labels to what a training run learns from, each decision logged."""

import logging
from dataclasses import dataclass, replace

from omegaconf import DictConfig

from detect.assembly.settings import auto, names, parse_bytes
from detect.assembly.sides import check_patches, split_images
from detect.assembly.variation import augment_of, paste_of, paste_settings
from detect.imagery.resolution import Resolution
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.nets.card import BackboneSpec, GridSpec, ModelCard
from detect.samples.augment import Augment
from detect.samples.bare_patches import FolderDraw, folder_card, folder_samples_of
from detect.samples.crops import crop_samples_of
from detect.samples.epochs import CropDraw, PatchDraw, PatchSettings, Samples
from detect.samples.labelled_scenes import SceneSplit, image_kind, resampled_split
from detect.samples.loading import Loading
from detect.samples.patches import patch_samples_of
from detect.samples.pixel_cache import PixelSource
from detect.samples.sizes import ObjectSizes, fitted_patch, grid_warnings, object_sizes, patch_warnings
from detect.samples.targets import TargetEncoder

logger = logging.getLogger(__name__)

BOX_SPREAD, POINT_SPREAD = 0.8, 1.5
"""What `net.spread=auto` is: boxes have a middle, a dot is set by eye somewhere on its object."""


POINT_PATCH = 64
"""Side in pixels of a patch where points give no hint of the objects' size."""


@dataclass(frozen=True, eq=False)
class TrainingMaterial:
    """All that a training run is made of, before there is a network."""

    card: ModelCard
    task: Samples
    loading: Loading
    split: SceneSplit | None = None
    source: PixelSource | None = None
    left_out: tuple[str, ...] = ()

    @property
    def sides(self) -> dict[str, list[str]]:
        """The images that train, validate and test, and those that no fold uses, for the model's record."""
        if self.split is None:
            return {"train": [], "val": [], "test": [], "left_out": []}
        named = {"train": self.split.train, "val": self.split.val, "test": self.split.test}
        sides = {side: [labelled.name for labelled in scenes] for side, scenes in named.items()}
        return sides | {"left_out": list(self.left_out)}


@dataclass(frozen=True, eq=False)
class _Scenes:
    """What both families learn from: the scenes, their pixels, and how batches are made."""

    split: SceneSplit
    source: PixelSource
    loading: Loading


def weights_of(cfg: DictConfig) -> str:
    """Give where the network's weights come from; `finetune=scratch` takes none."""
    return str(cfg.net.weights) if cfg.finetune.pretrained else "none"


def resolution(cfg: DictConfig) -> Resolution:
    """Read at what size the network sees images.

    Raises:
        ValueError: `data.scale` or `data.gsd` is no number, or out of bounds.
    """
    for name in ("scale", "gsd"):
        given = cfg.data[name]
        if not (isinstance(given, int | float) or (given is None and name == "gsd")):
            raise ValueError(f"data.{name} must be a number, got {given}")
    return Resolution(float(cfg.data.scale), None if cfg.data.gsd is None else float(cfg.data.gsd))


def training_material(cfg: DictConfig, labels: Annotations | PatchFolder) -> TrainingMaterial:
    """Decide on split, patch size and sampling."""
    backbone = BackboneSpec(cfg.net.backbone, cfg.net.stride, cfg.net.get("stages"))
    background = "background" if cfg.net.kind == "patch" else None
    seen = resolution(cfg)
    card = ModelCard(
        cfg.net.kind,
        backbone,
        (),
        background,
        tuple(cfg.data.bands or ()),
        "uint8",
        (),
        (),
        0,
        None,
        image_scale=seen.scale,
        gsd=seen.gsd,
    )
    loading = Loading(cfg.data.batch_size, cfg.data.workers)
    augment = augment_of(cfg, bare=isinstance(labels, PatchFolder))
    if isinstance(labels, PatchFolder):
        if len(cfg.data.ignore_labels):
            raise ValueError("data.ignore_labels is for annotated images, not for a folder of patches")
        if cfg.net.kind != "patch":
            raise ValueError("net=grid needs annotated images (data.annotations); bare patches go to net=patch")
        recipe = FolderDraw(
            tuple(names(cfg.data.negative_labels)), cfg.data.val_fraction, cfg.data.balance, paste_settings(cfg).p
        )
        card = folder_card(labels, names(cfg.data.negative_labels), card)
        task = folder_samples_of(labels, card, augment, recipe, cfg.seed)
        check_patches(cfg, labels, task)
        job = TrainingMaterial(card, task, loading)
    else:
        job = _scene_material(cfg, labels, card, augment, loading)
    if augment is not None and (job.card.dtype != "uint8" or len(job.card.bands) not in (1, 3)):
        logger.info("light and colour are varied in 8-bit images of 1 or 3 bands only: here geometry alone")
    for note in job.task.notes:
        logger.info("%s", note)
    for warning in job.task.warnings:
        logger.warning("%s", warning)
    logger.info("training on %s", ", ".join(f"{n} {name}" for name, n in job.task.outputs.items()))
    return job


def _scene_material(
    cfg: DictConfig, annotations: Annotations, card: ModelCard, augment: Augment | None, loading: Loading
) -> TrainingMaterial:
    split, left_out = split_images(cfg, annotations)
    split = resampled_split(split, card.resolution)
    split = replace(split, train=tuple(labelled.without_ignored() for labelled in split.train))
    bands, dtype = image_kind([labelled.scene for labelled in split.train + split.val], cfg.data.bands)
    source = PixelSource(bands, parse_bytes(cfg.data.cache))
    source.preload([labelled.scene for labelled in split.train + split.val])
    card = replace(
        card, classes=annotations.classes, bands=bands, dtype=dtype, backbone=replace(card.backbone, bands=len(bands))
    )
    make = _grid_material if card.kind == "grid" else _patch_material
    return replace(make(cfg, card, _Scenes(split, source, loading), augment), left_out=left_out)


def _patch_material(cfg: DictConfig, card: ModelCard, of: "_Scenes", augment: Augment | None) -> TrainingMaterial:
    """Decide on patches and how they are drawn."""
    stride = cfg.net.stride
    sizes = object_sizes(of.split.train)
    fitted = fitted_patch(sizes.median if sizes is not None and sizes.boxes else POINT_PATCH, stride)
    side = auto(cfg, "net.patch_size", fitted)
    if side != int(side):
        raise ValueError(f"net.patch_size must be whole pixels, or auto, got {side:g}")
    patch = PatchSettings(int(side), -(-int(cfg.net.margin) // stride) * stride)
    exclusion = auto(cfg, "data.exclusion", patch.patch_size / 2)
    recipe = PatchDraw(
        samples=cfg.data.samples,
        background_fraction=cfg.data.background_fraction,
        near_fraction=cfg.data.near_fraction,
        negative_fraction=cfg.data.negative_fraction,
        jitter=auto(cfg, "data.jitter", min(stride, exclusion) / 2),
        exclusion=exclusion,
        balance=cfg.data.balance,
    )
    logger.info(
        "patches of %d pixels with a margin of %d, backgrounds from %.0f pixels away",
        patch.patch_size,
        patch.margin,
        recipe.exclusion,
    )
    warnings = patch_warnings(sizes, stride, patch.patch_size, card.resolution)
    task = patch_samples_of(of.split, of.source, patch, recipe, augment, cfg.seed)
    task = task.told(sizes, _known(sizes, card.resolution), warnings)
    return TrainingMaterial(replace(card, patch_size=patch.patch_size), task, of.loading, of.split, of.source)


def _grid_material(cfg: DictConfig, card: ModelCard, of: "_Scenes", augment: Augment | None) -> TrainingMaterial:
    """Decide on boxes or points, and on the crops."""
    sizes = object_sizes(of.split.train)
    size = sizes.median if sizes is not None and sizes.boxes else None
    wanted = None if size is None else float(auto(cfg, "net.object_size", size))
    grid = GridSpec(cfg.net.deepest, cfg.net.width, cfg.net.slots, wanted)
    side = int(cfg.data.crop)
    if side < 2 * grid.deepest or side % grid.deepest:
        raise ValueError(f"data.crop must be a multiple of net.deepest={grid.deepest}, twice or more, got {side}")
    recipe = CropDraw(cfg.data.samples, side, cfg.data.empty_fraction, cfg.data.negative_fraction, cfg.data.balance)
    spread = auto(cfg, "net.spread", BOX_SPREAD if size else POINT_SPREAD)
    encoder = TargetEncoder(grid, cfg.net.stride, spread)
    logger.info(
        "%s at a stride of %d pixels, crops of %d pixels",
        "points" if size is None else "boxes",
        cfg.net.stride,
        side,
    )
    warnings = grid_warnings(sizes, cfg.net.stride, side, grid.deepest, card.resolution)
    paste = paste_of(cfg, of.split, of.source, POINT_PATCH)
    if size is None and cfg.net.object_size != "auto" and paste is None:
        logger.info("net.object_size is for boxes, and for points that are superimposed: not used here")
    task = crop_samples_of(of.split, of.source, encoder, recipe, augment, cfg.seed, paste)
    task = task.told(sizes, _known(sizes, card.resolution), warnings)
    shown = round(size or POINT_PATCH)
    return TrainingMaterial(replace(card, patch_size=shown, grid=grid), task, of.loading, of.split, of.source)


def _known(sizes: ObjectSizes | None, seen: Resolution) -> str:
    """Say how large objects are, as far as the labels tell."""
    if sizes is None:
        return "points do not tell the objects' size"
    return ("" if sizes.boxes else "points do not tell the objects' size; ") + sizes.sentence(seen)

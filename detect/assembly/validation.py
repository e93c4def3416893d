"""Builders of the validation counter, the halo measurement and hard-negative mining."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback

from detect.assembly.material import TrainingMaterial, weights_of
from detect.assembly.settings import auto
from detect.evaluation.matching import Criterion
from detect.evaluation.scene_validation import ROUGH, CountSettings, SceneDetector, SceneValidator
from detect.imagery.windows import Window
from detect.inference.plan import Plan, layer_bytes, make_plan
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.labels.detections import Detections
from detect.learning.mining import MineHardNegatives
from detect.nets.card import ModelCard
from detect.nets.modelfile import Net
from detect.nets.receptive import effective_halo, receptive_halo
from detect.samples.hard_negatives import Mining
from detect.samples.labelled_scenes import LabelledScene
from detect.samples.loading import measure_normalisation
from detect.samples.sizes import greatest_overlaps, nearest_others

logger = logging.getLogger(__name__)

VALIDATION_MEMORY = 2 << 30
"""Bytes for the counting of validation images."""


HALO_TOLERANCE, HALO_CORE, HALO_SCENES = 1e-3, 192, 4
"""The error of the logits that `halo=auto` allows; the core in pixels, and the scenes, that it is measured on."""


def completed_card(cfg: DictConfig, job: TrainingMaterial, net: Net) -> ModelCard:
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
        "%s at stride %d, weights %s, halo %s pixels",
        cfg.net.backbone,
        net.stride,
        weights_of(cfg),
        halo,
    )
    flat = (tuple(values.flatten().tolist()) for values in (net.offset, net.scale))
    offset, scale = flat
    return replace(job.card, offset=offset, scale=scale, halo=halo)


def scene_detector(
    job: TrainingMaterial, card: ModelCard, net: Net, scenes: Sequence[LabelledScene], spacing: float | None = None
) -> SceneDetector:
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

    return SceneDetector(scenes, source.read, card, plan, spacing)


def scene_validator(cfg: DictConfig, job: TrainingMaterial, card: ModelCard, net: Net) -> SceneValidator | None:
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
    labelled = job.split.train + job.split.val
    patch = card.kind == "patch"
    spacing = greatest_overlaps(labelled) if card.boxes else nearest_others(labelled, along_axis=patch)
    return SceneValidator(scene_detector(job, card, net, job.split.val, spacing), settings)


def hard_negatives(cfg: DictConfig, job: TrainingMaterial, card: ModelCard, net: Net) -> list[Callback]:
    """Make what lets the network look for its false alarms in the training scenes; nothing if it should not."""
    apart = float(cfg.data.match_radius)
    if card.kind == "patch":
        apart = max(apart, auto(cfg, "data.exclusion", card.patch_size / 2) / card.image_scale)
    mining = Mining(tuple(float(moment) for moment in cfg.data.mine_at), apart)
    if not 0 < cfg.data.mine_score < 1:
        raise ValueError(f"data.mine_score must be in (0, 1), got {cfg.data.mine_score}")
    if job.split is None or job.task.hard_negatives is None or not mining.moments:
        return []
    if len(mining.epochs(cfg.trainer.max_epochs)) < len(mining.moments):
        logger.info("data.mine_at: of %d epochs only some moments are left for mining", cfg.trainer.max_epochs)
    finder = scene_detector(job, card, net, job.split.train)

    def find(net: Net) -> Mapping[str, Detections]:
        return finder.find(net, ROUGH, [finder.strongest], float(cfg.data.mine_score))[finder.strongest]

    return [MineHardNegatives(find, job.split.train, job.task.hard_negatives, mining)]


def measured_halo(
    net: Net, card: ModelCard, job: TrainingMaterial, scenes: int = HALO_SCENES, tolerance: float = HALO_TOLERANCE
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

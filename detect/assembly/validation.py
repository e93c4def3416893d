"""Builders of the validation counter, the halo measurement and hard-negative mining."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
import torch
from pytorch_lightning.callbacks import Callback

from detect.assembly.heads.choice import head_builder
from detect.assembly.material import Scenes, TrainingMaterial, weights_of
from detect.assembly.settings.train_settings import LearningSettings
from detect.evaluation.matching import Criterion
from detect.evaluation.scene_validation import TRAINING_TOLERANCE, CountSettings, SceneDetector, SceneValidator
from detect.imagery.windows import Window
from detect.inference.decoding.decoder import decoder_of
from detect.inference.plan import Plan, layer_bytes, make_plan, map_bytes
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.labels.detections import Detections
from detect.learning.mining import MineHardNegatives
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead
from detect.nets.modelfile import Net
from detect.nets.net_spec import NetSpec
from detect.nets.receptive import effective_halo, receptive_halo
from detect.samples.hard_negatives import Mining
from detect.samples.labelled_scenes import LabelledScene

logger = logging.getLogger(__name__)

VALIDATION_MEMORY = 2 << 30
"""Bytes for the counting of validation images."""

HALO_TOLERANCE = 1e-3
"""The error of the logits that `halo=auto` allows, as a part of the largest logit."""

HALO_CORE, HALO_SCENES = 192, 4
"""The core in pixels, and the number of scenes, that the halo is measured on."""


@dataclass(frozen=True)
class MeasuredHalo:
    """A smaller context that is enough, and the error of the logits with it."""

    pixels: int
    error: float


def set_normalisation(net: Net, material: TrainingMaterial) -> None:
    """Set the normalisation of pixels that `data.normalisation` asks for; it builds on that of the weights."""
    offset, scale = (values.flatten().tolist() for values in (net.offset, net.scale))
    net.set_normalisation(*material.values.normalisation(offset, scale))
    logger.info("%s", material.values.sentence())


def exact_halo(settings: LearningSettings, net: Net, material: TrainingMaterial) -> int | None:
    """Return the context in pixels that makes tiles exact; None for a classifier of bare patches where none does.

    Raises:
        ValueError: an unbounded receptive field, where scenes are to be stitched.
    """
    spec = material.spec
    halo: int | None
    try:
        halo = _context(net, spec)
    except ValueError as error:
        if material.scenes is not None:
            raise
        logger.warning("%s; as a classifier of patches alone it is fine", error)
        halo = None
    weights = weights_of(settings) if settings.init is None else f"of {settings.init}"
    logger.info("%s at stride %d, weights %s, halo %s pixels", spec.backbone.name, spec.stride, weights, halo)
    return halo


def _context(net: Net, spec: NetSpec) -> int:
    """Return the context in pixels that makes tiles exact; none of whole scenes, each of which is a tile or more.

    Raises:
        ValueError: an unbounded receptive field.
    """
    match spec.head:
        case WholeHead():
            return 0
        case PatchHead() | GridHead():
            return receptive_halo(net, spec.stride, len(spec.bands), spec.align)
        case _:
            assert_never(spec.head)


def scene_detector(
    settings: LearningSettings, material: TrainingMaterial, net: Net, halo: int | None, scenes: Sequence[LabelledScene]
) -> SceneDetector:
    """Make what finds objects in labelled scenes with the network as it is.

    Raises:
        ValueError: a network whose tiles cannot be stitched.
    """
    spec, of = material.spec, material.scenes
    if halo is None or of is None:
        raise ValueError("validation by counting needs a network whose receptive field is bounded")
    head = head_builder(settings.net)
    maps = map_bytes(decoder_of(spec).channels, spec.stride)
    per_pixel = TorchRuntime.memory_factor * layer_bytes(net, len(spec.bands)) + maps
    folder = settings.runtime.scratch or settings.output

    def plan(net: Net, tolerance: float) -> Plan:
        measured = halo if head.exact_while_training else measured_halo(net, spec, of, halo, 1, tolerance).pixels
        made = make_plan(VALIDATION_MEMORY, per_pixel, measured, spec.stride, folder=folder, align=spec.align)
        logger.debug("validation with a halo of %d pixels", made.halo)
        return made

    if head.exact_while_training:
        plan(net, 0.0)  # tiles that do not go into memory are an error now, not after an epoch
    spacing = head.spacing(spec, of.split.train + of.split.val)
    return SceneDetector(scenes, of.source.open, spec, plan, spacing)


def scene_validator(
    settings: LearningSettings, material: TrainingMaterial, net: Net, halo: int | None
) -> SceneValidator | None:
    """Make what counts the validation scenes; None where there are none."""
    if material.scenes is None or not material.scenes.split.val:
        return None
    counting = count_settings(settings, material)
    detector = scene_detector(settings, material, net, halo, material.scenes.split.val)
    return SceneValidator(detector, counting)


def count_settings(settings: LearningSettings, material: TrainingMaterial) -> CountSettings:
    """Return how labelled scenes are counted.

    The threshold goes by the count where images choose it that were not learned from: what is missed there is missed in
    the next ones too. Strips of a photograph are found better than any other ground, so that their count tells less.

    Raises:
        ValueError: an IoU where points are found.
    """
    matching = settings.data.matching
    assert material.radius is not None
    if matching.iou is not None and not material.spec.head.boxes:
        raise ValueError(
            f"data.matching.iou={matching.iou:g} is for boxes found by net=grid; leave it out, and set "
            "data.matching.radius"
        )
    return CountSettings(Criterion(material.radius.file_px, matching.iou), matching.select)


def hard_negative_mining(
    settings: LearningSettings, material: TrainingMaterial, net: Net, halo: int | None
) -> list[Callback]:
    """Make what lets the network look for its false alarms in the training scenes; nothing if it should not."""
    hard_negatives, distance = material.samples.hard_negatives, material.alarm_distance_file_px
    if material.scenes is None or hard_negatives is None or distance is None or not settings.data.mining.at:
        return []
    mining = Mining(settings.data.mining.at, distance)
    epochs = settings.trainer.max_epochs
    if len(mining.epochs(epochs)) < len(mining.moments):
        logger.info("data.mining.at: of %d epochs only some moments are left for mining", epochs)
    train = material.scenes.split.train
    detector = scene_detector(settings, material, net, halo, train)

    def find(net: Net) -> Mapping[str, Detections]:
        strongest = detector.strongest
        return detector.find(net, TRAINING_TOLERANCE, [strongest], settings.data.mining.score)[strongest]

    return [MineHardNegatives(find, train, hard_negatives, mining)]


def measured_halo(
    net: Net, spec: NetSpec, scenes: Scenes, halo: int, number: int = HALO_SCENES, tolerance: float = HALO_TOLERANCE
) -> MeasuredHalo:
    """Measure how much context is enough: around the middle of scenes, or the middle of what is valid.

    The scenes are those that validate, or, where none do, those that are learned from.

    Args:
        net: as it is.
        spec: stride and alignment.
        scenes: of the run.
        halo: the theoretical one in pixels.
        number: of scenes that are measured.
        tolerance: greatest difference of the logits, as a part of the largest.
    """
    side = -(-(2 * halo + HALO_CORE) // spec.align) * spec.align
    tiles = []
    for labelled in (scenes.split.val or scenes.split.train)[:number]:
        (height, width), coverage = labelled.scene.shape, labelled.coverage
        x, y = (width / 2, height / 2) if coverage is None else coverage.middle
        window = Window(math.floor(y - side / 2), math.floor(x - side / 2), side, side)
        tiles.append(torch.from_numpy(np.ascontiguousarray(scenes.source.read(labelled.scene, window))))
    pixels, error = effective_halo(net, tiles, halo, spec.stride, tolerance, spec.align)
    logger.debug("receptive field: %d pixels in theory; %d change the logits by %.1e at most", halo, pixels, error)
    return MeasuredHalo(pixels, error)

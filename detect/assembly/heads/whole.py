"""The classifier of whole images: its settings, and what a training run of it is assembled from."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from detect.assembly.fields.numbers import OneOrMore, PartShare
from detect.assembly.fields.words import Text
from detect.learning.hyperparameters import ClassBalance
from detect.nets.heads.specs import WholeHead

if TYPE_CHECKING:
    from pathlib import Path

    from detect.assembly.material import Scenes, TrainingMaterial
    from detect.assembly.settings.data_settings import DataSettings, SamplingSettings
    from detect.assembly.settings.train_settings import LearningSettings
    from detect.labels.formats.patch_folder import PatchFolder
    from detect.learning.module import CountingModule, SceneScores
    from detect.nets.heads.whole import WholeClassifier
    from detect.nets.net_spec import BackboneSpec, NetSpec
    from detect.samples.augment import Augment
    from detect.samples.labelled_scenes import LabelledScene
    from detect.samples.whole.whole_sides import WholeSplit

logger = logging.getLogger(__name__)

LEAST_SHADE = 8
"""Least brightness, of 255, of a defect that is drawn alone: of a darker one rounding leaves little."""


@dataclass(frozen=True)
class WholeLoss:
    """The loss of `net=whole`."""

    classes: ClassBalance


@dataclass(frozen=True)
class WholeNet:
    """Settings of `net=whole`: `conf/net/whole.yaml`."""

    kind: Literal["whole"]
    backbone: str
    weights: Text
    stride: OneOrMore
    stages: OneOrMore | None
    side: OneOrMore
    labels: Literal["one", "many"]
    unknown: PartShare
    dropout: PartShare
    drop_path: PartShare
    loss: WholeLoss

    def check_sampling(self, sampling: "SamplingSettings") -> None:
        """Check settings of the sampling that depend on the head's: there are none."""

    def backbone_spec(self, bands: int) -> "BackboneSpec":
        """Return what names the backbone for a number of bands."""
        from detect.nets.net_spec import BackboneSpec

        return BackboneSpec(self.backbone, self.stride, self.stages, bands)


class WholeBuilder:
    """Assembles a training run of a classifier of whole images."""

    exact_while_training = True

    def __init__(self, net: WholeNet) -> None:
        self.net = net

    def unsuited_augmentations(self, *, bare: bool) -> dict[str, str]:
        """Return the groups of `augment` that are not used, with what they are for."""
        mixed = dict.fromkeys(("mixup", "cutmix"), "net.labels=one") if self.net.labels == "many" else {}
        return {"superimpose": "objects in images", "background": "scenes", **mixed}

    def scene_material(
        self, settings: "LearningSettings", scenes: "Scenes", augment: "Augment | None"
    ) -> "TrainingMaterial":
        """Refuse objects in images.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "net=whole classifies whole images, and data.annotations labels objects in them; give a table of "
            "image,label without places (corrections.csv goes beside it), or a folder with a sub-folder a class as "
            "data.root alone; net=grid finds them"
        )

    def folder_material(
        self, settings: "LearningSettings", folder: "PatchFolder", augment: "Augment | None"
    ) -> "TrainingMaterial":
        """Make the material of whole images, each of which is seen as a square of `net.side` pixels."""
        from detect.assembly.material import TrainingMaterial, devices_here, middle_of
        from detect.assembly.variation import fitted_to
        from detect.samples.bare.folder_spec import folder_values
        from detect.samples.bare.patch_files import PatchFiles
        from detect.samples.copies import SplitFile, check_copies
        from detect.samples.whole.whole_images import whole_samples_of, whole_spec, whole_targets
        from detect.samples.whole.whole_sides import divide_images

        data = settings.data
        _check_size(data)
        negative = data.labels.negative
        head = WholeHead(self.net.side, self.net.labels, negative[0] if negative and self.net.labels == "one" else None)
        divided = divide_images(folder, split_of(data, settings.seed), _source(data))
        rows = zip(divided.images.names, divided.images.paths, divided.images.split, strict=True)
        check_copies([SplitFile(name, path, str(side)) for name, path, side in rows], data.split.copies)
        spec = whole_spec(folder, head, self.net.backbone_spec, data.bands, negative)
        check_shade(spec)
        targets = whole_targets(divided.images, spec, negative)
        values = folder_values(divided.images, spec, data.normalisation, settings.seed)
        cache = data.loading.cache // devices_here(settings.trainer)
        files = PatchFiles(spec, middle_of(settings, values, spec.backbone), cache)
        varied = fitted_to(augment, values)
        patterns, balance = settings.augment.patterns, data.sampling.balance
        samples = whole_samples_of(divided, targets, files, varied, patterns, balance, settings.seed)
        sides = {side: divided.names(side) for side in ("train", "val", "test")} | {"left_out": [*divided.left_out]}
        groups = {"groups": sorted({*_groups(divided.images)})} if divided.images.group else {}
        logger.info("whole images, each as a square of %d pixels", self.net.side)
        return TrainingMaterial(spec, samples, data.loading, values, None, None, None, sides | groups)

    def module(
        self,
        settings: "LearningSettings",
        net: "WholeClassifier",
        material: "TrainingMaterial",
        scene_scores: "SceneScores | None",
    ) -> "CountingModule":
        """Make the Lightning module."""
        from detect.assembly.training.new_weights import schedule_of
        from detect.assembly.variation import make_mixer
        from detect.learning.imbalance import ClassLoss
        from detect.learning.whole import ManyLoss, WholeModule

        schedule, drawn = schedule_of(settings, len(material.spec.bands)), material.samples.drawn
        balance, smoothing = self.net.loss.classes, schedule.label_smoothing
        if self.net.labels == "many":
            images = len(material.samples.epoch(0))  # type: ignore[arg-type]
            return WholeModule(net, schedule, settings.seed, ManyLoss(balance, drawn, images, smoothing))
        mixer = make_mixer(settings.augment, len(material.spec.outputs))
        return WholeModule(net, schedule, settings.seed, ClassLoss(balance, drawn, smoothing), mixer)

    def spacing(self, spec: "NetSpec", scenes: "Sequence[LabelledScene]") -> float | None:
        """Return None: a scene has one pattern of a class at the most."""
        return None


def split_of(data: "DataSettings", seed: int) -> "WholeSplit":
    """Return how whole images are divided, as the settings say."""
    from detect.samples.cross_validation import Fold
    from detect.samples.whole.whole_sides import WholeSplit

    split = data.split
    fold = None if split.fold is None else Fold.parse(split.fold, split.fold_seed)
    return WholeSplit(split.val, split.test, fold, split.val_fraction, seed)


def check_shade(spec: "NetSpec") -> None:
    """Check that a single defect of a list can still be seen when its wafer is reduced to the network's square.

    Raises:
        ValueError: it would be darker than `LEAST_SHADE`.
    """
    drawing, side = spec.drawing, spec.head.typical_size
    if drawing is None or drawing.side <= side:
        if drawing is not None and drawing.side < side:
            logger.warning(
                "data.wafers.side=%d is enlarged to net.side=%d: data.wafers.side=%d draws it finer",
                *(drawing.side, side, 2 * side),
            )
        return
    reduced = drawing.side / side
    shade = drawing.value * min(1.0, drawing.mark / reduced) ** 2
    if shade < LEAST_SHADE:
        raise ValueError(
            f"data.wafers.side={drawing.side} is seen at net.side={side}, where a defect alone has a brightness of "
            f"{shade:.2g} of 255: set data.wafers.side={2 * side}, or data.wafers.mark={math.ceil(reduced / 2)}"
        )


def _groups(images: "PatchFolder") -> list[str]:
    """Return the groups of the images that train."""
    return [group for group, side in zip(images.group, images.split, strict=True) if group and side == "train"]


def _check_size(data: "DataSettings") -> None:
    """Check that no other setting sets the size of images.

    Raises:
        ValueError: one does.
    """
    given = [
        f"data.{name}={getattr(data, name):g}"
        for name, plain in (("scale", 1), ("gsd", None))
        if getattr(data, name) != plain
    ]
    if given:
        raise ValueError(f"net.side sets the size at which whole images are seen; leave out {' and '.join(given)}")


def _source(data: "DataSettings") -> "Path":
    return (data.annotations or data.root)[0]

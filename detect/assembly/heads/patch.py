"""The patch classifier: its settings, and what a training run of it is assembled from."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from detect.assembly.fields.numbers import AutoWholePixels, NotNegative, OneOrMore, PartShare, ZeroOrMore
from detect.assembly.fields.words import Text
from detect.learning.hyperparameters import ClassBalance
from detect.nets.heads.specs import PatchHead
from detect.samples.epochs import CropDraw

if TYPE_CHECKING:
    from detect.assembly.material import Scenes, TrainingMaterial
    from detect.assembly.settings.data_settings import SamplingSettings
    from detect.assembly.settings.train_settings import LearningSettings
    from detect.labels.formats.patch_folder import PatchFolder
    from detect.learning.module import CountingModule, SceneScores
    from detect.nets.heads.patch import PatchClassifier
    from detect.nets.net_spec import BackboneSpec, NetSpec
    from detect.samples.augment import Augment
    from detect.samples.labelled_scenes import LabelledScene
    from detect.samples.targets import PatchEncoder

logger = logging.getLogger(__name__)

BACKGROUND = "background"
"""Name of the output for patches of scenes without an object."""

POINT_PATCH = 64
"""Side in pixels of a patch where points give no hint of the objects' size."""

EMPTY_CELLS = 100
"""Empty cells for each with an object, about, where all count (`net.loss.hard=0`)."""


@dataclass(frozen=True)
class PatchLoss:
    """The loss of `net=patch`."""

    classes: ClassBalance
    hard: NotNegative


@dataclass(frozen=True)
class PatchNet:
    """Settings of `net=patch`: `conf/net/patch.yaml`."""

    kind: Literal["patch"]
    backbone: str
    weights: Text
    stride: OneOrMore
    stages: OneOrMore | None
    patch_size: AutoWholePixels
    margin: ZeroOrMore
    dropout: PartShare
    drop_path: PartShare
    loss: PatchLoss

    def check_sampling(self, sampling: "SamplingSettings") -> None:
        """Check settings of the sampling that depend on the head's: there are none."""

    def backbone_spec(self, bands: int) -> "BackboneSpec":
        """Return what names the backbone for a number of bands."""
        from detect.nets.net_spec import BackboneSpec

        return BackboneSpec(self.backbone, self.stride, self.stages, bands)


class PatchBuilder:
    """Assembles a training run of a patch classifier."""

    exact_while_training = True

    def __init__(self, net: PatchNet) -> None:
        self.net = net

    def unsuited_augmentations(self, *, bare: bool) -> dict[str, str]:
        """Return the groups of `augment` that are not used, with what they are for."""
        unsuited = {"background": "scenes"} if bare else dict.fromkeys(("mixup", "cutmix"), "folders of patches")
        return unsuited | {"patterns": "net=whole"}

    def scene_material(
        self, settings: "LearningSettings", scenes: "Scenes", augment: "Augment | None"
    ) -> "TrainingMaterial":
        """Choose the patch, its context, and the crops."""
        from detect.assembly.material import TrainingMaterial, size_note
        from detect.assembly.variation import make_paste
        from detect.samples.crops import crop_samples_of
        from detect.samples.sizes import fitted_patch, object_sizes, patch_warnings

        stride, sampling = self.net.stride, settings.data.sampling
        sizes = object_sizes(scenes.split.train)
        fitted = fitted_patch(sizes.median if sizes is not None and sizes.boxes else POINT_PATCH, stride)
        side = fitted if self.net.patch_size is None else self.net.patch_size
        encoder = self._encoder(side, sampling)
        draw = CropDraw(
            sampling.samples,
            sampling.crop,
            sampling.empty_fraction,
            sampling.negative_fraction,
            sampling.balance,
            encoder.context,
        )
        logger.info(
            "patches of %d pixels at every cell of crops of %d pixels (%d with their context); a cell finds objects "
            "within %.3g pixels, backgrounds are %.3g away or more",
            side,
            sampling.crop,
            sampling.crop + 2 * encoder.context,
            encoder.reach,
            encoder.exclusion,
        )
        paste = make_paste(settings, scenes, None, side, encoder.context)
        samples = crop_samples_of(scenes.split, scenes.source, encoder, draw, augment, settings.seed, paste)
        hard = self.net.loss.hard or EMPTY_CELLS
        samples = replace(samples, drawn=np.array([hard * samples.drawn.sum(), *samples.drawn]))
        warnings = patch_warnings(sizes, stride, side, scenes.resolution)
        spec = scenes.spec(PatchHead(side, BACKGROUND), self.net.backbone_spec)
        matching = settings.data.matching
        radius = scenes.match_radius(matching, spec.head)
        notes = (radius.sentence(matching.iou), size_note(sizes, scenes.resolution))
        return TrainingMaterial(
            spec=spec,
            samples=samples.with_notes(sizes, notes, (*warnings, *radius.warnings(matching.iou))),
            loading=settings.data.loading,
            values=scenes.values,
            scenes=scenes,
            radius=radius,
            alarm_distance_file_px=max(radius.file_px, scenes.in_file_px(encoder.exclusion)),
        )

    def _encoder(self, side: int, sampling: "SamplingSettings") -> "PatchEncoder":
        """Return what makes the targets of crops, for a patch of a side in pixels.

        Raises:
            ValueError: a crop that is no multiple of the stride, or distances that do not go with it.
        """
        from detect.samples.targets import PatchEncoder, least_reach

        stride = self.net.stride
        if sampling.crop % stride:
            raise ValueError(f"data.sampling.crop must be a multiple of net.stride={stride}, got {sampling.crop}")
        reach = least_reach(stride) if sampling.reach is None else sampling.reach
        exclusion = max(side / 2, stride, reach) if sampling.exclusion is None else sampling.exclusion
        context = -(-(2 * self.net.margin + side) // (2 * stride)) * stride
        return PatchEncoder(stride, -(-side // stride), reach, exclusion, context)

    def folder_material(
        self, settings: "LearningSettings", folder: "PatchFolder", augment: "Augment | None"
    ) -> "TrainingMaterial":
        """Make the material of a folder of bare patches, whose side is that of the files."""
        from detect.assembly.material import TrainingMaterial, devices_here, middle_of
        from detect.assembly.variation import fitted_to
        from detect.imagery.resolution import Resolution
        from detect.samples.bare.folder_samples import FolderDraw, folder_samples_of
        from detect.samples.bare.folder_spec import folder_spec, folder_values

        data = settings.data
        if data.annotations is not None:
            raise ValueError(
                f"net=patch learns from folders of patches and from places in images, and {data.annotations[0]} has "
                "classes of whole images: net=whole"
            )
        negative = data.labels.negative
        draw = FolderDraw(negative, data.split.val_fraction, data.sampling.balance, settings.augment.superimpose.p)
        resolution = Resolution(data.scale, data.gsd)
        spec = folder_spec(folder, negative, self.net.backbone_spec, data.bands, resolution)
        values = folder_values(folder, spec, data.normalisation, settings.seed)
        offset = middle_of(settings, values, spec.backbone)
        cache = data.loading.cache // devices_here(settings.trainer)
        samples = folder_samples_of(folder, spec, fitted_to(augment, values), draw, settings.seed, offset, cache)
        return TrainingMaterial(
            spec, samples, data.loading, values, scenes=None, radius=None, alarm_distance_file_px=None
        )

    def module(
        self,
        settings: "LearningSettings",
        net: "PatchClassifier",
        material: "TrainingMaterial",
        scene_scores: "SceneScores | None",
    ) -> "CountingModule":
        """Make the Lightning module."""
        from detect.assembly.training.new_weights import schedule_of
        from detect.assembly.variation import make_mixer
        from detect.learning.imbalance import ClassLoss
        from detect.learning.patch import ClassifierModule, DenseModule

        schedule = schedule_of(settings, len(material.spec.bands))
        loss = ClassLoss(self.net.loss.classes, material.samples.drawn, schedule.label_smoothing)
        if material.scenes is not None:
            if settings.init is None:
                net.expect_background(material.samples.drawn[0] / material.samples.drawn.sum())
            return DenseModule(net, schedule, settings.seed, loss, self.net.loss.hard, scene_scores)
        mixer = make_mixer(settings.augment, len(material.spec.outputs))
        return ClassifierModule(net, schedule, settings.seed, loss, scene_scores, mixer)

    def spacing(self, spec: "NetSpec", scenes: "Sequence[LabelledScene]") -> float | None:
        """Return how near labelled objects lie along an axis, in resampled pixels."""
        from detect.samples.sizes import nearest_others

        return nearest_others(scenes, along_axis=True)

"""The grid head: its settings, and what a training run of it is assembled from."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from detect.assembly.fields.numbers import AutoNumber, OneOrMore, PartShare
from detect.assembly.fields.words import Text
from detect.learning.hyperparameters import LossWeights
from detect.nets.heads.specs import GridHead
from detect.samples.epochs import CropDraw

if TYPE_CHECKING:
    from detect.assembly.material import Scenes, TrainingMaterial
    from detect.assembly.settings.data_settings import SamplingSettings
    from detect.assembly.settings.train_settings import LearningSettings
    from detect.labels.formats.patch_folder import PatchFolder
    from detect.learning.module import CountingModule, SceneScores
    from detect.nets.heads.grid import GridDetector
    from detect.nets.net_spec import BackboneSpec, NetSpec
    from detect.samples.augment import Augment
    from detect.samples.labelled_scenes import LabelledScene

logger = logging.getLogger(__name__)

BOX_SPREAD, POINT_SPREAD = 0.8, 1.5
"""What `net.spread=auto` is in cells: boxes have a middle, a dot is set by eye somewhere on its object."""

POINT_SIZE = 64
"""Side in pixels of what a point stands for, at most, where `net.object_size` does not say."""


@dataclass(frozen=True)
class GridNet:
    """Settings of `net=grid`: `conf/net/grid.yaml`."""

    kind: Literal["grid"]
    backbone: str
    weights: Text
    stride: OneOrMore
    deepest: OneOrMore
    width: OneOrMore
    slots: OneOrMore
    object_size: AutoNumber
    spread: AutoNumber
    dropout: PartShare
    drop_path: PartShare
    loss: LossWeights

    def __post_init__(self) -> None:
        if self.object_size is not None and not self.object_size > 0:
            raise ValueError(f"net.object_size must be positive, or auto, got {self.object_size:g}")

    def check_sampling(self, sampling: "SamplingSettings") -> None:
        """Check the crop against the deepest stride.

        Raises:
            ValueError: it is no multiple of that, twice or more.
        """
        side = sampling.crop
        if side < 2 * self.deepest or side % self.deepest:
            raise ValueError(
                f"data.sampling.crop must be a multiple of net.deepest={self.deepest}, twice or more, got {side}"
            )

    def backbone_spec(self, bands: int) -> "BackboneSpec":
        """Return what names the backbone for a number of bands."""
        from detect.nets.net_spec import BackboneSpec

        return BackboneSpec(self.backbone, self.stride, None, bands)


class GridBuilder:
    """Assembles a training run of a grid head."""

    exact_while_training = False

    def __init__(self, net: GridNet) -> None:
        self.net = net

    def unsuited_augmentations(self, *, bare: bool) -> dict[str, str]:
        """Return the groups of `augment` that are not used, with what they are for."""
        return dict.fromkeys(("mixup", "cutmix"), "folders of patches") | {"patterns": "net=whole"}

    def scene_material(
        self, settings: "LearningSettings", scenes: "Scenes", augment: "Augment | None"
    ) -> "TrainingMaterial":
        """Choose boxes or points, and the crops."""
        from detect.assembly.material import TrainingMaterial, size_note
        from detect.assembly.variation import make_paste
        from detect.samples.crops import crop_samples_of
        from detect.samples.sizes import grid_warnings, object_sizes
        from detect.samples.targets import TargetEncoder

        net, sampling = self.net, settings.data.sampling
        sizes = object_sizes(scenes.split.train)
        size = sizes.median if sizes is not None and sizes.boxes else None
        wanted = None if size is None else float(size if net.object_size is None else net.object_size)
        head = GridHead(net.deepest, net.width, net.slots, wanted, round(size or POINT_SIZE))
        side = sampling.crop
        draw = CropDraw(sampling.samples, side, sampling.empty_fraction, sampling.negative_fraction, sampling.balance)
        usual = BOX_SPREAD if size else POINT_SPREAD
        encoder = TargetEncoder(head, net.stride, usual if net.spread is None else net.spread)
        what = "points" if size is None else "boxes"
        logger.info("%s at a stride of %d pixels, crops of %d pixels", what, net.stride, side)
        warnings = grid_warnings(sizes, net.stride, side, net.deepest, scenes.resolution)
        paste = make_paste(settings, scenes, net.object_size, POINT_SIZE)
        if size is None and net.object_size is not None and paste is None:
            logger.info("net.object_size is for boxes, and for points that are superimposed: not used here")
        samples = crop_samples_of(scenes.split, scenes.source, encoder, draw, augment, settings.seed, paste)
        matching = settings.data.matching
        radius = scenes.match_radius(matching, head)
        notes = (radius.sentence(matching.iou), size_note(sizes, scenes.resolution))
        return TrainingMaterial(
            spec=scenes.spec(head, net.backbone_spec),
            samples=samples.with_notes(sizes, notes, (*warnings, *radius.warnings(matching.iou))),
            loading=settings.data.loading,
            values=scenes.values,
            scenes=scenes,
            radius=radius,
            alarm_distance_file_px=radius.file_px,
        )

    def folder_material(
        self, settings: "LearningSettings", folder: "PatchFolder", augment: "Augment | None"
    ) -> "TrainingMaterial":
        """Refuse a folder of bare patches.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "net=grid needs places in images (data.annotations); bare patches go to net=patch, and classes of whole "
            "images to net=whole"
        )

    def module(
        self,
        settings: "LearningSettings",
        net: "GridDetector",
        material: "TrainingMaterial",
        scene_scores: "SceneScores | None",
    ) -> "CountingModule":
        """Make the Lightning module."""
        from detect.assembly.training.new_weights import schedule_of
        from detect.learning.grid import GridLoss, GridModule
        from detect.learning.imbalance import ClassLoss

        schedule, weights = schedule_of(settings, len(material.spec.bands)), self.net.loss
        label = ClassLoss(weights.classes, material.samples.drawn, schedule.label_smoothing)
        loss = GridLoss(net.spec, net.stride, weights, label)
        return GridModule(net, schedule, settings.seed, loss, scene_scores)

    def spacing(self, spec: "NetSpec", scenes: "Sequence[LabelledScene]") -> float | None:
        """Return the greatest usual IoU of labelled boxes, or the least usual distance of points in pixels."""
        from detect.samples.sizes import greatest_overlaps, nearest_others

        return greatest_overlaps(scenes) if spec.head.boxes else nearest_others(scenes)

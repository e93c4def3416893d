"""From settings and labels to what a training run learns from, each decision logged."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import getitem
from typing import Any

import numpy as np
import torch
import yaml

from detect.assembly.command import conf_folder
from detect.assembly.heads.choice import head_builder
from detect.assembly.settings.data_settings import MatchingSettings
from detect.assembly.settings.train_settings import LearningSettings, TrainerSettings
from detect.assembly.sides import check_patches, split_images
from detect.assembly.variation import exchanging, fitted_to, make_augment
from detect.evaluation.radius import LabelSpacing, MatchRadius, label_spacing, match_radius
from detect.imagery.description.arranging import Bands
from detect.imagery.description.remarks import tell
from detect.imagery.resolution import Resolution
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.labels.regions import outside
from detect.nets.backbones import normalisation_of
from detect.nets.header import read_card
from detect.nets.heads.specs import Head
from detect.nets.net_spec import BackboneSpec, NetSpec
from detect.samples.epochs import Loading, Samples
from detect.samples.labelled_scenes import SceneSplit, arranged_split, drawing_alike, image_kind, resampled_split
from detect.samples.pixel_cache import PixelSource
from detect.samples.sizes import ObjectSizes
from detect.samples.values.coverage import covered
from detect.samples.values.measured import scene_values
from detect.samples.values.normalisation import TrainingValues

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Scenes:
    """The labelled scenes of a training run, at the network's resolution, and their pixels.

    Attributes:
        split: the scenes of each side.
        source: reads their pixels.
        bands: that the network looks at.
        classes: the class names.
        dtype: numpy name of the pixels' type.
        resolution: at what size the network sees images.
        left_out: names of the images that no fold uses.
        spacing: how large all labelled objects are and how near they lie, on whatever side.
        values: of the training images' valid pixels, and their normalisation.
    """

    split: SceneSplit
    source: PixelSource
    bands: Bands
    classes: tuple[str, ...]
    dtype: str
    resolution: Resolution
    left_out: tuple[str, ...]
    spacing: LabelSpacing
    values: TrainingValues

    def in_file_px(self, resampled_px: float) -> float:
        """Return a length in pixels of the image files; where these differ by image, the median."""
        if self.resolution.gsd is None:
            return resampled_px / self.resolution.scale
        scenes = self.split.train + self.split.val + self.split.test
        return float(np.median([resampled_px / labelled.scene.factor_xy[0] for labelled in scenes]))

    def match_radius(self, matching: MatchingSettings, head: Head) -> MatchRadius:
        """Return the radius within which a detection and an object are one, as set or from the labels.

        Labels of every side count, so that all folds and seeds of a data set are judged alike.
        """
        size_file_px = self.in_file_px(head.typical_size)
        return match_radius(matching.radius, self.spacing, size_file_px, "data.matching.radius")

    def spec(self, head: Head, backbone: Callable[[int], BackboneSpec]) -> NetSpec:
        """Return what a network of a head is built from for these scenes."""
        bands, names = self.bands.numbers, self.bands.names
        drawing = drawing_alike([each.scene for each in self.split.train + self.split.val])
        return NetSpec(
            head,
            backbone(len(bands)),
            self.classes,
            bands,
            self.dtype,
            self.resolution,
            band_names=names,
            drawing=drawing,
        )


@dataclass(frozen=True, eq=False)
class TrainingMaterial:
    """All that a training run is made of, before there is a network.

    Attributes:
        spec: what the network is built from.
        samples: what it is shown.
        loading: how batches are put together.
        values: of the training images' valid pixels, and their normalisation.
        scenes: the labelled scenes; None for a folder of patches.
        radius: within which a detection and an object are one; None for a folder of patches, as the next.
        alarm_distance_file_px: distance from every object beyond which a detection is a false alarm to mine.
        whole_sides: names of the whole images of each side, and those that no fold uses; None of anything else.
    """

    spec: NetSpec
    samples: Samples
    loading: Loading
    values: TrainingValues
    scenes: Scenes | None
    radius: MatchRadius | None
    alarm_distance_file_px: float | None
    whole_sides: Mapping[str, list[str]] | None = None

    @property
    def folds(self) -> tuple[frozenset[str], ...]:
        """Names of the scenes that each short training leaves out; none where others validate."""
        return () if self.scenes is None else self.scenes.split.folds

    @property
    def sides(self) -> dict[str, list[str]]:
        """The images that train, validate and test, and those that no fold uses, for the model's record."""
        if self.whole_sides is not None:
            return dict(self.whole_sides)
        if self.scenes is None:
            return {"train": [], "val": [], "test": [], "left_out": []}
        split = self.scenes.split
        named = {"train": split.train, "val": split.val, "test": split.test}
        sides = {side: [labelled.name for labelled in scenes] for side, scenes in named.items()}
        return sides | {"left_out": list(self.scenes.left_out)}


def weights_of(settings: LearningSettings) -> str:
    """Return where the network's weights come from; `finetune=scratch` takes none, nor does a model to start from."""
    return settings.net.weights if settings.finetune.pretrained and settings.init is None else "none"


def training_material(settings: LearningSettings, labels: Annotations | PatchFolder) -> TrainingMaterial:
    """Make the material of a training run: the split, the head's size, the samples."""
    head = head_builder(settings.net)
    augment = make_augment(settings.augment, head, bare=isinstance(labels, PatchFolder))
    if isinstance(labels, PatchFolder):
        material = head.folder_material(settings, labels, augment)
        if material.whole_sides is None:
            check_patches(settings.data.split, labels, material.samples)
    else:
        scenes = _scenes(settings, labels)
        varied = exchanging(fitted_to(augment, scenes.values), settings, scenes.split.train, scenes.source)
        material = head.scene_material(settings, scenes, varied)
    for note in material.samples.notes:
        logger.info("%s", note)
    for warning in material.samples.warnings:
        logger.warning("%s", warning)
    changed = ", ".join(f"{name}={value}" for name, value in _head_defaults(settings))
    logger.info("what goes with net=%s: %s (conf/head_defaults)", settings.net.kind, changed)
    logger.info("training on %s", ", ".join(f"{n} {name}" for name, n in material.samples.outputs.items()))
    return material


def material_of_fold(
    settings: LearningSettings, material: TrainingMaterial, left_out: frozenset[str]
) -> TrainingMaterial:
    """Return what a fold learns from: all but the scenes that it leaves out, by which it is judged as the whole run is.

    Args:
        settings: of the fold's training.
        material: of the whole run, whose pixels it shares; `learned_values` sets them back.
        left_out: names of the scenes.
    """
    assert material.scenes is not None
    head, split = head_builder(settings.net), material.scenes.split.of_fold(left_out)
    values = learned_values(settings, split, material.scenes.source)
    augment = fitted_to(make_augment(settings.augment, head, bare=False), values)
    augment = exchanging(augment, settings, split.train, material.scenes.source)
    made = head.scene_material(settings, replace(material.scenes, split=split, values=values), augment)
    return replace(made, radius=material.radius)


def learned_values(settings: LearningSettings, split: SceneSplit, source: PixelSource) -> TrainingValues:
    """Return what is known of the training images' pixels, and let those that are not valid be read as their middle."""
    found = scene_values([labelled.scene for labelled in split.train], source, settings.seed)
    values = TrainingValues.of(found, settings.data.normalisation)
    backbone = settings.net.backbone_spec(len(source.bands))
    source.fill_with(middle_of(settings, values, backbone))
    return values


def middle_of(settings: LearningSettings, values: TrainingValues, backbone: BackboneSpec) -> tuple[float, ...]:
    """Return the value of each band that the network's normalisation makes 0 of."""
    if settings.init is not None:
        return read_card(settings.init).offset
    return tuple(values.normalisation(*normalisation_of(backbone, weights_of(settings)))[0])


def _head_defaults(settings: LearningSettings) -> Iterator[tuple[str, Any]]:
    """Yield the settings outside of `net` whose default depends on the head, with their values in this run."""
    file = conf_folder() / "head_defaults" / f"{settings.net.kind}.yaml"
    for group, names in yaml.safe_load(file.read_text(encoding="utf-8")).items():
        for name, inner in names.items():
            for path in [(group, name, key) for key in inner] if isinstance(inner, dict) else [(group, name)]:
                yield ".".join(path), reduce(getitem, path, settings.config)


def _scenes(settings: LearningSettings, annotations: Annotations) -> Scenes:
    """Divide the images, resample what is labelled, and decode the photographs."""
    data = settings.data
    split, left_out = split_images(data.split, annotations, settings.seed)
    resolution = Resolution(data.scale, data.gsd)
    split = resampled_split(split, resolution)
    split = replace(split, train=tuple(labelled.without_ignored() for labelled in split.train))
    scenes = [labelled.scene for labelled in split.train + split.val]
    bands, dtype = image_kind(scenes, data.bands)
    split = arranged_split(split, bands)
    scenes = [labelled.scene for labelled in split.train + split.val]
    tell({labelled.name: labelled.scene.remarks for labelled in split.train + split.val})
    kept = data.loading.cache // devices_here(settings.trainer)
    source = PixelSource(bands.numbers, kept, settings.runtime.scratch or settings.output)
    source.preload(scenes)
    known = covered(split.train + split.val, source)
    split = replace(split, train=known[: len(split.train)], val=known[len(split.train) :])
    spacing = label_spacing(outside(image.objects, image.ignored) for image in annotations.images)
    values = learned_values(settings, split, source)
    return Scenes(split, source, bands, annotations.classes, dtype, resolution, left_out, spacing, values)


def devices_here(trainer: TrainerSettings) -> int:
    """Return how many devices of this machine learn, each with a process of its own: 1 where that is not known."""
    match trainer.devices:
        case int(number) if number > 0:
            return number
        case list(numbers) | tuple(numbers):
            return max(1, len(numbers))
        case _:
            return max(1, torch.cuda.device_count()) if trainer.accelerator in ("auto", "gpu", "cuda") else 1


def size_note(sizes: ObjectSizes | None, resolution: Resolution) -> str:
    """Return a sentence on how large objects are, as far as the labels tell."""
    if sizes is None:
        return "points do not tell the objects' size"
    return ("" if sizes.boxes else "points do not tell the objects' size; ") + sizes.sentence(resolution)

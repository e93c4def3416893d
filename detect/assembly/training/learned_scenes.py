"""The labelled scenes that a training learns from: divided, resampled, their pixels kept and measured."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from detect.assembly.settings.data_settings import MatchingSettings
from detect.assembly.settings.train_settings import LearningSettings, TrainerSettings
from detect.assembly.sides import split_images
from detect.evaluation.radius import LabelSpacing, MatchRadius, label_spacing, match_radius
from detect.imagery.description.arranging import Bands
from detect.imagery.description.remarks import tell
from detect.imagery.resolution import Resolution
from detect.labels.annotations import Annotations
from detect.labels.regions import outside
from detect.nets.backbones import normalisation_of
from detect.nets.header import read_card
from detect.nets.heads.specs import Head
from detect.nets.net_spec import BackboneSpec, NetSpec
from detect.samples.labelled_scenes import SceneSplit, arranged_split, drawing_alike, image_kind, resampled_split
from detect.samples.pixel_cache import PixelSource
from detect.samples.values.coverage import covered
from detect.samples.values.measured import scene_values
from detect.samples.values.normalisation import TrainingValues


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


def weights_of(settings: LearningSettings) -> str:
    """Return where the network's weights come from; `finetune=scratch` takes none, nor does a model to start from."""
    return settings.net.weights if settings.finetune.pretrained and settings.init is None else "none"


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


def learned_scenes(settings: LearningSettings, annotations: Annotations) -> Scenes:
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

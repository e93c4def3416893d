"""From settings and labels to what a training run learns from, each decision logged."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import getitem
from typing import Any

import yaml

from detect.assembly.command import conf_folder
from detect.assembly.heads.choice import head_builder
from detect.assembly.settings.train_settings import LearningSettings
from detect.assembly.sides import check_patches
from detect.assembly.training.learned_scenes import Scenes, learned_scenes, learned_values
from detect.assembly.variation import exchanging, fitted_to, make_augment
from detect.evaluation.radius import MatchRadius
from detect.imagery.resolution import Resolution
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.nets.net_spec import NetSpec
from detect.samples.epochs import Loading, Samples
from detect.samples.sizes import ObjectSizes
from detect.samples.values.normalisation import TrainingValues

logger = logging.getLogger(__name__)


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


def training_material(settings: LearningSettings, labels: Annotations | PatchFolder) -> TrainingMaterial:
    """Make the material of a training run: the split, the head's size, the samples."""
    head = head_builder(settings.net)
    augment = make_augment(settings.augment, head, bare=isinstance(labels, PatchFolder))
    if isinstance(labels, PatchFolder):
        material = head.folder_material(settings, labels, augment)
        if material.whole_sides is None:
            check_patches(settings.data.split, labels, material.samples)
    else:
        scenes = learned_scenes(settings, labels)
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


def _head_defaults(settings: LearningSettings) -> Iterator[tuple[str, Any]]:
    """Yield the settings outside of `net` whose default depends on the head, with their values in this run."""
    file = conf_folder() / "head_defaults" / f"{settings.net.kind}.yaml"
    for group, names in yaml.safe_load(file.read_text(encoding="utf-8")).items():
        for name, inner in names.items():
            for path in [(group, name, key) for key in inner] if isinstance(inner, dict) else [(group, name)]:
                yield ".".join(path), reduce(getitem, path, settings.config)


def material_of_scenes(
    settings: LearningSettings,
    scenes: Scenes,
    spec: NetSpec,
    samples: Samples,
    sizes: ObjectSizes | None,
    warnings: Sequence[str],
    empty_from_px: float = 0.0,
) -> TrainingMaterial:
    """Return the material of labelled scenes, with the radius of a match, and what is told of it and of sizes.

    Args:
        settings: of the run.
        scenes: that are learned from.
        spec: what the network is built from.
        samples: what it is shown.
        sizes: of the labelled objects, None of points without any.
        warnings: of the head, about those.
        empty_from_px: distance from an object in resampled pixels from which ground counts as empty.
    """
    matching = settings.data.matching
    radius = scenes.match_radius(matching, spec.head)
    notes = (radius.sentence(matching.iou), _size_note(sizes, scenes.resolution))
    return TrainingMaterial(
        spec=spec,
        samples=samples.with_notes(sizes, notes, (*warnings, *radius.warnings(matching.iou))),
        loading=settings.data.loading,
        values=scenes.values,
        scenes=scenes,
        radius=radius,
        alarm_distance_file_px=max(radius.file_px, scenes.in_file_px(empty_from_px)),
    )


def _size_note(sizes: ObjectSizes | None, resolution: Resolution) -> str:
    """Return a sentence on how large objects are, as far as the labels tell."""
    if sizes is None:
        return "points do not tell the objects' size"
    return ("" if sizes.boxes else "points do not tell the objects' size; ") + sizes.sentence(resolution)

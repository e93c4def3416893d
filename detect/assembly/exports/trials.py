"""What a network of 8 bits is calibrated on and tried with: labelled images, as its head's training had them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from detect.assembly.engine.ready_engine import make_engine
from detect.assembly.exports.class_trial import ClassTrial
from detect.assembly.exports.object_trial import ObjectTrial
from detect.assembly.gate import checked_data, inference_defaults
from detect.assembly.given_labels import read_labels, with_record
from detect.assembly.settings.export_settings import ExportSettings
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.assembly.settings.label_settings import LabelledSettings
from detect.assembly.sides import sides_of_model
from detect.evaluation.matching import Criterion
from detect.evaluation.radius import label_spacing, match_radius, recorded_radius
from detect.inference.exports.parity import Run
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.labels.reading.image_classes import as_annotations
from detect.labels.regions import outside
from detect.nets.card import ModelCard
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead
from detect.nets.modelfile import Net
from detect.samples.bare.folder_spec import folder_outputs
from detect.samples.whole.whole_images import whole_targets

logger = logging.getLogger("detect.export")

SIDES = ("train", "val")
"""Of the images that calibrate, and of those that try."""


class Trial(Protocol):
    """Labelled images that calibrate a network of 8 bits, and others that try it."""

    @property
    def score(self) -> str:
        """What a network is tried by, in words."""

    @property
    def train(self) -> Sequence[Any]:
        """The images that calibrate."""

    @property
    def val(self) -> Sequence[Any]:
        """The images that try."""

    def tiles(self, number: int) -> list[NDArray[np.generic]]:
        """Return so many tiles (1, bands, side, side) of raw pixels of the first."""

    def tried(self, run: Run) -> float:
        """Return the score of an exported network on the second, in [0, 1]."""


def trial_of(settings: ExportSettings, net: Net, card: ModelCard) -> Trial:
    """Return what a model is calibrated on and tried with.

    Raises:
        ValueError: labels of another kind than the model learns from, or none of one of the two sides.
    """
    data = with_record(settings.data, card.training)
    labels = read_labels(data)
    trial: Trial
    if isinstance(labels, PatchFolder):
        trial = _of_files(labels, card, data)
    else:
        trial = _of_objects(labels, net, card, settings)
    for side, images in zip(SIDES, (trial.train, trial.val), strict=True):
        if not len(images):
            raise ValueError(
                f"precision=int8 needs labelled images that train and others that validate, and there are none of "
                f"{side}: name some in data.split.val=[...], or in a column split of the annotations (of patches, in "
                "folders train and valid)"
            )
    return trial


def _of_objects(labels: Annotations, net: Net, card: ModelCard, settings: ExportSettings) -> ObjectTrial:
    if isinstance(card.head, WholeHead):
        raise ValueError(  # noqa: TRY004, a wrong setting
            "precision=int8: this model classifies whole images, and data.annotations labels objects in them; give a "
            "table of image,label"
        )
    if not card.head.finds:
        raise ValueError(
            "precision=int8: this model classifies patches and finds none in images; leave data.annotations out, and "
            "give the folder of the patches as data.root"
        )
    sides = sides_of_model(settings.data.split, labels, card.training)
    train, val = ([image for image in labels.images if sides[image.name] == side] for side in SIDES)
    if not any(len(outside(image.objects, image.ignored)) for image in val):
        val = []  # of images without any object there is no F1
    defaults = checked_data(inference_defaults(), InferenceSettings)
    in_torch = replace(defaults, runtime=replace(defaults.runtime, runtime="torch", device="cpu"))
    engine = make_engine(in_torch, net, card, card.threshold, settings.output.parent)
    return ObjectTrial(train, val, Criterion(_radius(labels, card), None), engine)


def _radius(labels: Annotations, card: ModelCard) -> float:
    """Return the radius in pixels of the files within which a detection and an object are one."""
    spacing = label_spacing(outside(image.objects, image.ignored) for image in labels.images)
    size_file_px = card.head.typical_size / card.resolution.scale if card.resolution.gsd is None else None
    return match_radius(None, spacing, size_file_px, "data.matching.radius", recorded_radius(card.training)).file_px


def _of_files(folder: PatchFolder, card: ModelCard, data: LabelledSettings) -> ClassTrial:
    strange = [name for name in folder.classes if name not in (*card.outputs, *data.labels.negative)]
    sides, truth = _sides_and_truth(folder, card, data, strange)
    known = np.ones(len(truth), bool) if truth.ndim > 1 else truth >= 0
    if strange:
        logger.warning("the model knows no class %s: it is not tried with that", ", ".join(strange))
    train, val = ([i for i in np.flatnonzero(known).tolist() if sides[i] == side] for side in SIDES)
    if truth.ndim > 1 and not truth[val].any():
        val = []  # of images without any class there is no F1
    return ClassTrial([folder.paths[i] for i in train], [folder.paths[i] for i in val], truth[val], card)


def _sides_and_truth(
    folder: PatchFolder, card: ModelCard, data: LabelledSettings, strange: Sequence[str]
) -> tuple[Sequence[str], NDArray[Any]]:
    """Return of each file the side, and what the model is to say.

    Raises:
        ValueError: the model classifies no such files.
    """
    match card.head:
        case WholeHead():
            source = Path((data.annotations or data.root or (Path(),))[0])
            sides = sides_of_model(data.split, as_annotations(folder, source), card.training)
            return [sides[name] for name in folder.names], whole_targets(folder, card, data.labels.negative, strange)
        case PatchHead() if data.annotations is None:
            truth = folder_outputs(folder, card, data.labels.negative, strange)
            return [side or "train" for side in folder.split], truth
        case PatchHead() | GridHead():
            raise ValueError(
                "precision=int8: this model does not classify whole images, and the labels are classes of such; give "
                "the annotations that it learned from"
            )
        case _:
            assert_never(card.head)

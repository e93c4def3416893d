"""The patches, or whole images, of a side of the split as a model classifies them."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from detect.assembly.folders import EvaluationPaths
from detect.assembly.settings.evaluate_settings import EvaluateSettings
from detect.assembly.settings.label_settings import LabelledSettings
from detect.labels.formats.patch_folder import PatchFolder
from detect.nets.card import ModelCard
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead

if TYPE_CHECKING:
    from detect.evaluation.classes.classified import Classification
    from detect.nets.modelfile import Net

logger = logging.getLogger("detect.evaluate")


def classify_side(
    settings: EvaluateSettings, net: "Net", card: ModelCard, folder: PatchFolder, data: LabelledSettings
) -> tuple["Classification", dict[str, Any]]:
    """Return the bare patches, or the whole images, of a side of the split as a model classifies them, and scores."""
    from detect.evaluation.classification import scores_of

    check_unknown(settings.unknown, folder.classes, card.outputs)
    match card.head:
        case WholeHead():
            from detect.assembly.whole.evaluating_classes import classify_whole, unknown_of

            made = classify_whole(settings, net, card, folder, data)
            return made, {**scores_of(made, card, card.threshold), **unknown_of(made)}
        case PatchHead() | GridHead():
            made = _classify_patches(settings, net, card, folder, data)
            return made, scores_of(made, card)
        case _:
            assert_never(card.head)


def check_unknown(unknown: Sequence[str], labels: Sequence[str], outputs: Sequence[str]) -> None:
    """Check that the labels that a model does not know are labels, and that it does not know them.

    Raises:
        ValueError: one is not.
    """
    for name in unknown:
        if name in outputs:
            raise ValueError(f"unknown: {name!r} is a class of the model; name those that it does not know")
        if name not in labels:
            raise ValueError(f"unknown: nothing is labelled {name!r}; the labels are {', '.join(labels)}")


def write_class_figures(output: EvaluationPaths, made: "Classification", scores: Mapping[str, Any]) -> None:
    """Write the figures of a classifier beside its scores, and log what is not defined of them."""
    from detect.reporting.classes.class_folder import write_classes

    for remark in write_classes(output.folder, made, scores).remarks:
        logger.warning("%s", remark)
    logger.info("confusions, curves and calibration: %s", output.classes)


def _classify_patches(
    settings: EvaluateSettings, net: "Net", card: ModelCard, folder: PatchFolder, data: LabelledSettings
) -> "Classification":
    from detect.evaluation.classification import Showing, classification_of
    from detect.inference.runtimes.torch_runtime import pick_device
    from detect.samples.bare.folder_dataset import FolderDataset
    from detect.samples.bare.folder_spec import folder_outputs
    from detect.samples.bare.patch_files import PatchFiles, tell_truncated

    chosen = np.flatnonzero([settings.split in ("all", side or "train") for side in folder.split])
    if not len(chosen):
        raise ValueError(f"no patches of split={settings.split} in {' and '.join(map(str, data.root or ()))}")
    outputs = folder_outputs(folder, card, data.labels.negative, settings.unknown)[chosen]
    files = [folder.paths[i] for i in chosen]
    tell_truncated(files)
    return classification_of(
        net,
        card,
        FolderDataset(files, outputs, PatchFiles(card, card.offset)),
        Showing(pick_device(settings.runtime.device), settings.batch_size, settings.tta, settings.tta_combine),
        ["/".join(path.parts[-2:]) for path in files],
    )

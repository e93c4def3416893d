"""The network that a training begins with: new or pretrained weights, or those of a model (`init=`)."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, assert_never

import torch
from torch import Tensor

from detect.assembly.folders import TrainingPaths
from detect.assembly.material import TrainingMaterial, weights_of
from detect.assembly.settings.train_settings import LearningSettings
from detect.assembly.validation import set_normalisation
from detect.evaluation.whole.sureness import GREATEST_TEMPERATURE, LEAST_TEMPERATURE
from detect.nets.card import ModelCard
from detect.nets.header import read_card
from detect.nets.heads.grid import CHANNELS_PER_SLOT
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead
from detect.nets.heads.whole import WholeClassifier
from detect.nets.modelfile import Net, build_pretrained, load_model
from detect.nets.net_spec import NetSpec

logger = logging.getLogger(__name__)

OUTPUTS = ("head.weight", "head.bias")
"""The tensors of a network that have a row an output."""

MOST_NAMED = 5
"""Most images that a note names."""


def first_net(settings: LearningSettings, material: TrainingMaterial, dropout: float, drop_path: float) -> Net:
    """Return the network that a training begins with, which normalises pixels as its weights want them.

    Raises:
        ValueError: `init` is a model of another network than the settings and labels make.
    """
    net = build_pretrained(material.spec, weights_of(settings), dropout, drop_path)
    if settings.init is None:
        set_normalisation(net, material)
        return net
    old, card = load_model(settings.init)
    check_fits(card, material.spec, settings.init)
    carry_over(net, material.spec, old, card)
    if isinstance(net, WholeClassifier):
        net.divide_logits(1 / known_temperature(card))
    _tell(settings.init, card, material.spec)
    return net


def known_temperature(card: ModelCard) -> float:
    """Return the temperature by which a model's logits were divided after its training; 1 where it is not recorded.

    A training goes on from the logits that the one before had: divided ones may be so sure that nothing is learned.
    """
    validation = card.training.get("validation")
    told = validation.get("temperature") if isinstance(validation, Mapping) else None
    if not isinstance(told, float) or not LEAST_TEMPERATURE <= told <= GREATEST_TEMPERATURE:
        return 1.0
    return told


def check_fits(card: ModelCard, spec: NetSpec, path: Path) -> None:
    """Check that a network can begin with a model's weights.

    Args:
        card: the model's.
        spec: of the network.
        path: of the model.

    Raises:
        ValueError: the two are of other forms, or see images otherwise; all that differs is named.
    """
    if card.head.name != spec.head.name:
        raise ValueError(f"init={path} is of net={card.head.name}, and this is net={spec.head.name}; leave net out")
    if isinstance(card.head, GridHead) and card.head.boxes != spec.head.boxes:
        what = ("boxes", "points") if card.head.boxes else ("points", "boxes")
        raise ValueError(
            f"init={path} finds {what[0]}, and the labels are {what[1]}; label {what[0]}, or leave init out"
        )
    then, now = _form(card), _form(spec)
    changed = [f"{name} {then[name]} there, {now[name]} here" for name in then if then[name] != now[name]]
    if changed:
        raise ValueError(
            f"init={path} does not go with these settings and images: {'; '.join(changed)}; leave out the settings "
            "that say otherwise, or leave init out"
        )
    names = card.band_names, spec.band_names
    if all(map(any, names)) and names[0] != names[1]:
        raise ValueError(
            f"init={path} looks at the bands {list(names[0])}, and these are {list(names[1])} (data.bands)"
        )


def _form(spec: NetSpec) -> dict[str, Any]:
    """Return what two networks must have alike, by the names of settings."""
    backbone, head = spec.backbone, spec.head
    form = {
        "net.backbone": backbone.name,
        "net.stride": backbone.stride,
        "net.stages": backbone.stages,
        "bands": backbone.bands,
        "pixels": spec.dtype,
        "data.scale": spec.resolution.scale,
        "data.gsd": spec.resolution.gsd,
        "data.wafers": spec.drawing,
    }
    match head:
        case PatchHead():
            return {**form, "net.patch_size": head.patch_size, "a background": head.background is not None}
        case GridHead():
            own = {"net.deepest": head.deepest, "net.width": head.width, "net.slots": head.slots}
            return {**form, **own, "net.object_size": head.object_size}
        case WholeHead():
            background = head.background is not None
            return {**form, "net.side": head.side, "net.labels": head.labels, "a background": background}
        case _:
            assert_never(head)


@torch.no_grad()
def carry_over(net: Net, spec: NetSpec, old: Net, card: ModelCard) -> None:
    """Copy a model's weights into a network of the same form; outputs go by the names of their classes.

    Outputs of classes that the model does not have stay as they are. What the model keeps of its training (a
    `Familiarity`) is left behind: it is of other images and features.

    Args:
        net: takes them.
        spec: of the network.
        old: the model's network.
        card: the model's.
    """
    state = net.state_dict()
    pairs = _rows(spec, card)
    for name, value in old.state_dict().items():
        if name in OUTPUTS:
            _copy_rows(state[name], value, pairs)
        elif name in state:
            state[name].copy_(value)


def _copy_rows(to: Tensor, of: Tensor, pairs: list[tuple[int, int]]) -> None:
    for row, before in pairs:
        to[row].copy_(of[before])


def _rows(spec: NetSpec, card: ModelCard) -> list[tuple[int, int]]:
    """Return the rows of the outputs that two networks both have: in the new one, and in the old one."""
    match spec.head:
        case PatchHead() | WholeHead():
            first, new, old = 0, spec.classes, card.classes
            if spec.head.background is not None:
                first = 1
        case GridHead(slots=slots):
            first, new, old = slots * CHANNELS_PER_SLOT, spec.classes, card.classes
        case _:
            assert_never(spec.head)
    shared = [(first + row, first + old.index(name)) for row, name in enumerate(new) if name in old]
    return [*((row, row) for row in range(first)), *shared]


def _tell(path: Path, card: ModelCard, spec: NetSpec) -> None:
    """Log which classes are learned on, which are new, and which are left out."""
    new = [name for name in spec.classes if name not in card.classes]
    gone = [name for name in card.classes if name not in spec.classes]
    begun = f"; new, learned from the first: {', '.join(new)}" if new else ""
    logger.info("starting from %s, classes in this order: %s%s", path, ", ".join(spec.classes), begun)
    if gone:
        logger.warning(
            "the model of init= knows %s, which nothing here is labelled as: left out; list its training data in "
            "data.annotations too, so that it is kept",
            ", ".join(gone),
        )


def with_start(settings: LearningSettings, material: TrainingMaterial) -> TrainingMaterial:
    """Return the material with notes on the model that a training starts from, which are logged.

    Raises:
        ValueError: the model lies where the training writes its own.
    """
    if settings.init is None:
        return material
    path, card = settings.init, read_card(settings.init)
    check_fits(card, material.spec, path)
    if path.resolve() == TrainingPaths(settings.output).model.resolve():
        raise ValueError(f"init={path} is the model that output={settings.output} replaces; name another output")
    note = f"started from {path} ({_digest(path)[:12]}), with its normalisation of pixels"
    known = {str(name) for name in card.training.get("train", ())}
    judged = {name for side in ("train" if material.folds else "val",) for name in material.sides[side]}
    seen = sorted(known & judged)
    logger.info("%s", note)
    warnings = material.samples.warnings
    if seen:
        more = f" and {len(seen) - MOST_NAMED} more" if len(seen) > MOST_NAMED else ""
        warning = (
            f"the model of init= had learned from {', '.join(seen[:MOST_NAMED])}{more}: the scores on these are too "
            "good, and the threshold is chosen on them; images that it never saw, named for validation (a column "
            "split), judge it rightly"
        )
        logger.warning("%s", warning)
        warnings = (*warnings, warning)
    samples = replace(material.samples, notes=(*material.samples.notes, note), warnings=warnings)
    return replace(material, samples=samples)


def labels_and_start(labels: str, init: Path | None) -> str:
    """Return the hash of what a training learns from: the labels' alone, or with that of the model it starts from."""
    return labels if init is None else hashlib.sha256(f"{labels} {_digest(init)}".encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""`model.safetensors`: weights and everything that prediction needs, in one file that runs no code."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import assert_never

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from detect.imagery.files import replace_file
from detect.imagery.remote.model_copies import file_of
from detect.nets.backbones import build_backbone, build_pyramid
from detect.nets.card import LONGEST, ModelCard, ModelFileError
from detect.nets.header import read_card
from detect.nets.heads.grid import GridDetector
from detect.nets.heads.patch import PatchClassifier
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead
from detect.nets.heads.whole import WholeClassifier
from detect.nets.net_spec import NetSpec
from detect.nets.tensors import check_forms, check_numbers, fill, forms_in_file, forms_of

logger = logging.getLogger(__name__)

Net = PatchClassifier | GridDetector | WholeClassifier
"""Every network maps raw pixels (B, bands, H, W) to a map (B, K, H / stride, W / stride)."""


def build_net(spec: NetSpec) -> Net:
    """Build the network of a head, with new weights.

    Args:
        spec: head, backbone and classes; a model's card also sets the normalisation.
    """
    return build_pretrained(spec, "none", dropout=0.0, drop_path=0.0)


def build_pretrained(spec: NetSpec, weights: str, dropout: float, drop_path: float) -> Net:
    """Build the network of a head for training, with pretrained backbone weights.

    Args:
        spec: head, backbone and classes; a model's card also sets the normalisation.
        weights: as of `load_pretrained`.
        dropout: share of the head's features dropped while training.
        drop_path: share of the backbone's residual branches dropped while training.
    """
    net: Net
    match spec.head:
        case PatchHead(patch_size=patch_size):
            backbone = build_backbone(spec.backbone, weights, drop_path)
            net = PatchClassifier(backbone, len(spec.outputs), patch_size, dropout)
        case GridHead(deepest=deepest):
            pyramid = build_pyramid(spec.backbone, deepest, weights, drop_path)
            net = GridDetector(pyramid, spec.head, len(spec.classes), dropout)
        case WholeHead(side=side, known=known):
            backbone = build_backbone(spec.backbone, weights, drop_path)
            net = WholeClassifier(backbone, len(spec.outputs), side, dropout, known)
        case _:
            assert_never(spec.head)
    if isinstance(spec, ModelCard) and spec.scale:
        net.set_normalisation(spec.offset, spec.scale)
    return net


def save_model(path: Path, net: nn.Module, card: ModelCard) -> None:
    """Write weights and card, whole or not at all."""
    state = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    try:
        for name, value in state.items():
            check_numbers(name, value)
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}; training diverged, lower the rate") from error
    with replace_file(path) as part:
        part.write_bytes(save(state, metadata={"detect": _header(card)}))


def _header(card: ModelCard) -> str:
    """Return a card as text that readers take: of a record beyond their bound, the numbers of the validation alone."""
    text = card.to_json()
    scores = card.training.get("validation")
    if len(text) <= LONGEST or not isinstance(scores, dict):
        return text
    single = {name: value for name, value in scores.items() if not isinstance(value, dict | list)}
    logger.warning(
        "the model's record leaves out the scores of single images and classes, which scores.json has: "
        "%d characters with them, of %d at most",
        len(text),
        LONGEST,
    )
    return replace(card, training={**card.training, "validation": single}).to_json()


def load_model(path: Path) -> tuple[Net, ModelCard]:
    """Read a model file; memory is taken when the header's network and the file's tensors are known to be alike.

    Args:
        path: of the file, here or at an address.

    Returns:
        The network, in evaluation mode on the CPU, and its card.

    Raises:
        ModelFileError: missing, not a safetensors file, of another program or version, or with tensors that do not fit
            or are not finite.
    """
    card = read_card(path)
    try:
        with safe_open(file_of(path), framework="pt") as source:
            with torch.device("meta"):  # the shapes alone: a header may claim any size
                wanted = forms_of(build_net(card))
            check_forms(forms_in_file(source, wanted), wanted)
            net = build_net(card)
            fill(net, source)
    except (ValueError, RuntimeError, SafetensorError, OSError) as error:
        raise ModelFileError(f"{path}: {error}") from error
    return net.eval(), card

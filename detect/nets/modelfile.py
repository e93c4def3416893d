"""`model.safetensors`: weights and everything that prediction needs, in one file that runs no code."""

from pathlib import Path
from typing import assert_never

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from detect.imagery.files import replace_file
from detect.nets.backbones import build_backbone, build_pyramid
from detect.nets.card import ModelCard, ModelFileError, NetSpec
from detect.nets.header import read_card
from detect.nets.heads.grid import GridDetector
from detect.nets.heads.patch import PatchClassifier
from detect.nets.heads.specs import GridHead, PatchHead

Net = PatchClassifier | GridDetector
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
        case _:
            assert_never(spec.head)
    if isinstance(spec, ModelCard) and spec.scale:
        net.set_normalisation(spec.offset, spec.scale)
    return net


def save_model(path: Path, net: nn.Module, card: ModelCard) -> None:
    """Write weights and card, whole or not at all."""
    state = {name: value.detach().cpu().contiguous() for name, value in net.state_dict().items()}
    bad = [name for name, value in state.items() if value.is_floating_point() and not bool(torch.isfinite(value).all())]
    if bad:
        raise ModelFileError(
            f"{path}: the weights are not finite (such as {bad[0]}); training diverged, lower the rate"
        )
    with replace_file(path) as part:
        part.write_bytes(save(state, metadata={"detect": card.to_json()}))


def load_model(path: Path) -> tuple[Net, ModelCard]:
    """Read a model file.

    Returns:
        The network, in evaluation mode on the CPU, and its card.

    Raises:
        ModelFileError: missing, not a safetensors file, of another program or version, or with tensors that do not fit.
    """
    card = read_card(path)
    try:
        state = load_file(path)
        net = build_net(card)
        net.load_state_dict(state)
    except (ValueError, RuntimeError, SafetensorError, OSError) as error:
        raise ModelFileError(f"{path}: {error}") from error
    return net.eval(), card

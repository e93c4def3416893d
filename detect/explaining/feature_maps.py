"""Feature maps: what every channel of a layer makes of a tile, and which tiles of a data set excite one the most."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detect.explaining.aims import Aim
from detect.explaining.seen_tile import SeenTile
from detect.nets.backbones import stage_layers
from detect.nets.heads.grid import GridDetector
from detect.nets.modelfile import Net


def stage_ends(net: Net, pixels: Tensor) -> list[str]:
    """Return the name of the last layer of each stage of a network's backbone that makes a map, from the input on.

    Args:
        net: the network.
        pixels: (1, bands, H, W), on which it is run: a stage may hold layers that are not used.
    """
    names = {id(layer): name for name, layer in net.named_modules()}
    stages = [[names[id(layer)] for layer in layers] for _, layers in stage_layers(net.backbone)]
    used: list[str] = []

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, given: Any, made: Any) -> None:
            if isinstance(made, Tensor) and made.ndim == 4:
                used.append(name)

        return hook

    hooks = [layer_of(net, name).register_forward_hook(note(name)) for stage in stages for name in stage]
    try:
        with torch.no_grad():
            net(pixels)
    finally:
        for each in hooks:
            each.remove()
    last = [[name for name in used if name in stage] for stage in stages]
    return [made[-1] for made in last if made]


def last_features(net: Net) -> str:
    """Return the name of the layer whose features Grad-CAM weighs: the last that has places.

    Of a grid it is the finest level of the pyramid before the coarser ones are added: those behind it reach a score
    from a few cells alone, and often none of them speaks for it.
    """
    return "neck.inner_blocks.0" if isinstance(net, GridDetector) else "backbone"


def features_of(net: nn.Module, layer: str, pixels: Tensor) -> Tensor:
    """Return what a layer makes of pixels (1, bands, H, W): (C, h, w), with gradients where pixels ask for them.

    Raises:
        ValueError: there is no such layer, or it makes no map.
    """
    kept: list[Tensor] = []
    hook = layer_of(net, layer).register_forward_hook(lambda module, given, made: kept.append(made))
    try:
        net(pixels)
    finally:
        hook.remove()
    if not kept or not isinstance(kept[-1], Tensor) or kept[-1].ndim != 4 or len(kept[-1]) != 1:
        raise ValueError(f"layer={layer} makes no map of features; methods=[layers] lists those that there are")
    return kept[-1][0]


def layer_of(net: nn.Module, name: str) -> nn.Module:
    """Return a layer by its name.

    Raises:
        ValueError: there is no such layer.
    """
    try:
        return net.get_submodule(name)
    except AttributeError:
        near = [each for each, _ in net.named_modules() if each and name.rsplit(".", maxsplit=1)[-1] in each][:5]
        known = f"near: {', '.join(near)}; " if near else ""
        raise ValueError(f"layer={name} is none of the network's; {known}methods=[layers] lists them all") from None


def cropped(features: NDArray[np.float32], tile: SeenTile, shown: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Return the part (C, h, w) of a tile's features over a window (row, col, height, width) of the scene."""
    height, width = features.shape[1:]
    rows, cols = tile.window.height / height, tile.window.width / width
    top, left = (shown[0] - tile.window.row) / rows, (shown[1] - tile.window.col) / cols
    bottom, right = top + shown[2] / rows, left + shown[3] / cols
    (top, bottom), (left, right) = (
        (max(0, int(np.floor(low))), min(size, int(np.ceil(high))))
        for low, high, size in ((top, bottom, height), (left, right, width))
    )
    return features[:, top:bottom, left:right] if top < bottom and left < right else features


def strongest_channels(net: nn.Module, layer: str, aim: Aim, pixels: Tensor, number: int) -> list[int]:
    """Return the channels of a layer that speak most for a score: the sum of gradient times activation."""
    kept: list[Tensor] = []
    hook = layer_of(net, layer).register_forward_hook(lambda module, given, made: kept.append(made))
    try:
        score = aim.of(net(pixels.detach().clone().requires_grad_()))
    finally:
        hook.remove()
    (gradient,) = torch.autograd.grad(score.sum(), kept[-1])
    order = (gradient * kept[-1]).sum(dim=(0, 2, 3)).argsort(descending=True)
    return [int(each) for each in order[:number]]


@dataclass(frozen=True, eq=False)
class Exciting:
    """A place that excites a channel.

    Attributes:
        image: its name.
        activation: of the channel there.
        pixels: (bands, S, S), the patch about it.
    """

    image: str
    activation: float
    pixels: NDArray[np.float32]


def most_exciting(
    net: nn.Module, layer: str, channels: Sequence[int], tiles: Iterable[tuple[str, SeenTile]], side: int, number: int
) -> dict[int, list[Exciting]]:
    """Find the places of tiles that excite channels the most, at most one a tile.

    Args:
        net: the network.
        layer: the channels' layer.
        channels: their numbers.
        tiles: (image, tile).
        side: of the patches in pixels, at most that of the tiles.
        number: of places for each channel.

    Returns:
        The places by channel, the most exciting first.
    """
    found: dict[int, list[Exciting]] = {channel: [] for channel in channels}
    for image, tile in tiles:
        with torch.no_grad():
            features = features_of(net, layer, tile.pixels).cpu().numpy()
        pixels = tile.pixels[0].cpu().numpy()
        for channel in channels:
            row, col = np.unravel_index(int(features[channel].argmax()), features.shape[1:])
            patch = _about(pixels, (row + 0.5) / features.shape[1], (col + 0.5) / features.shape[2], side)
            found[channel].append(Exciting(image, float(features[channel, row, col]), patch))
            found[channel] = sorted(found[channel], key=lambda each: -each.activation)[:number]
    return found


def _about(pixels: NDArray[np.float32], down: float, right: float, side: int) -> NDArray[np.float32]:
    """Return the square of pixels (bands, H, W) about a place, in shares of both sides, moved inside where need be."""
    height, width = pixels.shape[1:]
    top = int(np.clip(round(down * height - side / 2), 0, height - side))
    left = int(np.clip(round(right * width - side / 2), 0, width - side))
    return np.array(pixels[:, top : top + side, left : left + side])

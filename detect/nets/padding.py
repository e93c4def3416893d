"""Whether a network's maps have exactly the input's size over the stride, and padding that makes it so."""

from collections.abc import Sequence

import torch
from torch import nn

Sides = int | tuple[int, int]
"""A number along each axis, or one for both."""

CHECKED_CELLS = 4
"""Cells of the coarsest features, along each axis, of the image on which the sizes of maps are checked."""

SELF_PADDING_SUFFIX = "Same"
"""End of the class names of timm's layers that pad themselves, by the size of their input."""


def maps_fit(body: nn.Module, strides: Sequence[int]) -> bool:
    """Return whether features have H / stride x W / stride cells; a network on torch's `meta` device computes nothing.

    Args:
        body: maps (B, 3, H, W) to features of each stride.
        strides: input pixels per cell of each.

    Returns:
        Whether all have that size, and no pool reaches it by rounding up, with windows to one side of its cells.

    Raises:
        AssertionError, RuntimeError: by the network, where it does not take an image of that size.
    """
    if any(_rounds_up(layer) for layer in body.modules()):
        return False
    side = CHECKED_CELLS * max(strides)
    with torch.inference_mode():
        levels = body(torch.zeros(1, 3, side, side, device=next(body.parameters()).device))
    return all(level.shape[2:] == (side // at, side // at) for level, at in zip(levels, strides, strict=True))


def pad_evenly(body: nn.Module) -> None:
    """Set the padding of every convolution and pool so that its cells stay over their pixels.

    A kernel of k pixels, d apart, is padded by d * (k - 1) // 2 on either side where k is odd; pools do not round up:
    an even number of cells at a stride of 2 then becomes exactly half of them. Layers with an even kernel as wide as
    its stride need no padding. No weight is touched: pretrained ones fit, and away from the image's border a layer
    computes what it did, on pixels shifted by the missing padding.

    Args:
        body: changed in place.
    """
    for layer in body.modules():
        if type(layer).__name__.endswith(SELF_PADDING_SUFFIX):
            continue
        if isinstance(layer, nn.Conv2d) and not isinstance(layer.padding, str):
            pairs = zip(layer.kernel_size, layer.dilation, layer.padding, strict=True)
            layer.padding = tuple(_even(kernel, step, old) for kernel, step, old in pairs)
        elif isinstance(layer, nn.MaxPool2d):
            layer.padding = _each(layer.kernel_size, layer.dilation, layer.padding)
            layer.ceil_mode = False
        elif isinstance(layer, nn.AvgPool2d):
            layer.padding = _each(layer.kernel_size, 1, layer.padding)
            layer.ceil_mode = False


def _rounds_up(layer: nn.Module) -> bool:
    if not isinstance(layer, nn.MaxPool2d | nn.AvgPool2d) or not layer.ceil_mode:
        return False
    return any(kernel % 2 for kernel in _pair(layer.kernel_size))


def _even(kernel: int, step: int, old: int) -> int:
    return step * (kernel - 1) // 2 if kernel % 2 else old


def _each(kernel: Sides, step: Sides, old: Sides) -> tuple[int, int]:
    (high, wide), steps, olds = _pair(kernel), _pair(step), _pair(old)
    return _even(high, steps[0], olds[0]), _even(wide, steps[1], olds[1])


def _pair(value: Sides) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value

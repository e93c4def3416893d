"""Layers that pad themselves by the size of their input, made layers that pad by numbers."""

from copy import deepcopy
from typing import Any

from timm.layers.conv2d_same import Conv2dSame
from timm.layers.pool2d_same import AvgPool2dSame, MaxPool2dSame
from torch import nn

from detect.nets.padding import SELF_PADDING_SUFFIX

NOTHING = {Conv2dSame: 0.0, MaxPool2dSame: float("-inf"), AvgPool2dSame: 0.0}
"""What timm's layers that pad themselves pad with."""


def with_fixed_padding(net: nn.Module) -> nn.Module:
    """Return a network that gives the same maps of tiles on the alignment, with padding that does not depend on sizes.

    A layer with TensorFlow's padding makes ceil(size / stride) cells; of sizes that are multiples of the stride, as all
    layers get that see tiles on the alignment, that is max(dilation * (kernel - 1) + 1 - stride, 0) pixels in all, the
    smaller half before. Exporters that follow any size would otherwise carry a formula through every layer.

    Args:
        net: not changed.

    Raises:
        RuntimeError: a layer that pads itself is of no known kind.
    """
    made = deepcopy(net)
    for name, layer in list(made.named_modules()):
        if type(layer) in NOTHING:
            made.set_submodule(name, _fixed(layer))
        elif type(layer).__name__.endswith(SELF_PADDING_SUFFIX):
            raise RuntimeError(f"{type(layer).__name__} pads itself in a way that is not known here")
    return made


def _fixed(layer: nn.Module) -> nn.Module:
    top, bottom = _padding(layer, 0)
    left, right = _padding(layer, 1)
    pad = nn.ConstantPad2d((left, right, top, bottom), NOTHING[type(layer)])
    plain: nn.Module
    if isinstance(layer, Conv2dSame):
        plain = nn.Conv2d(1, 1, 1)
        plain.__dict__.update(layer.__dict__)
        plain.padding, plain._reversed_padding_repeated_twice = (0, 0), [0] * 4
    elif isinstance(layer, MaxPool2dSame):
        plain = nn.MaxPool2d(layer.kernel_size, layer.stride, 0, layer.dilation)
    else:
        assert isinstance(layer, AvgPool2dSame)
        plain = nn.AvgPool2d(layer.kernel_size, layer.stride, 0, count_include_pad=layer.count_include_pad)
    return nn.Sequential(pad, plain)


def _padding(layer: nn.Module, axis: int) -> tuple[int, int]:
    """Return the pixels before and after along an axis."""
    kernel, stride, dilation = (_of_axis(layer, name, axis) for name in ("kernel_size", "stride", "dilation"))
    whole = max(dilation * (kernel - 1) + 1 - stride, 0)
    return whole // 2, whole - whole // 2


def _of_axis(layer: nn.Module, name: str, axis: int) -> int:
    value: Any = getattr(layer, name, 1)
    return int(value if isinstance(value, int) else value[axis])

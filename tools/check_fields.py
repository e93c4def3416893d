"""Compares the receptive field by the formula with the support of gradients, on ten backbones of random weights.

    python tools/check_fields.py

Prints a row a backbone: what a cell sees by both, and the halo by the formula and as `detect.train` measures it.
"""

import sys
import time

import torch
from torch import nn

from detect.explaining.field_formula import Field, fields_of
from detect.nets.backbones import build_backbone
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo

BACKBONES = (
    ("test_resnet", 8),
    ("resnet18", 8),
    ("lenet5", 4),
    ("regnetx_002", 8),
    ("torchvision/alexnet", 8),
    ("convnext_atto", 8),
    ("mobilenetv2_100", 8),
    ("tf_efficientnet_lite0", 8),
    ("vgg11", 4),
    ("torchvision/googlenet", 8),
)
"""Backbones, and the stride of their features."""


def open_net(name: str, stride: int) -> nn.Module:
    """Return a backbone in float64 through which every gradient passes: positive weights, means for the greatest."""
    net = build_backbone(BackboneSpec(name, stride, bands=1)).double().eval()
    for place, layer in list(net.named_modules()):
        if isinstance(layer, nn.Conv2d):
            size = layer.weight[0].numel()
            nn.init.uniform_(layer.weight, 0.5 / size, 1.5 / size)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
        elif isinstance(layer, nn.MaxPool2d):
            net.set_submodule(place, nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding))
        elif isinstance(layer, nn.ReLU6 | nn.Hardtanh):
            net.set_submodule(place, nn.ReLU())
    return net


def supported(net: nn.Module, stride: int, side: int) -> list[tuple[int, int]]:
    """Return the first and last row, and column, whose pixels move the middle cell, from its own first pixel on."""
    torch.manual_seed(0)
    pixels = (0.5 + 0.5 * torch.rand(1, 1, side, side, dtype=torch.float64)).requires_grad_()
    cell = side // stride // 2
    (gradient,) = torch.autograd.grad(net(pixels)[0, :, cell, cell].sum(), pixels)
    moved = gradient[0, 0] != 0
    places = [moved.any(dim=axis).nonzero().flatten() - cell * stride for axis in (1, 0)]
    return [(int(each[0]), int(each[-1])) for each in places]


def compared(name: str, stride: int) -> tuple[Field, list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the field by the formula, and the first and last row and column of it and of the gradient's support."""
    _, field = fields_of(build_backbone(BackboneSpec(name, stride, bands=1)), 1, 64)
    side = 2 * (-(-int(max(field.size)) // (2 * stride)) + 2) * stride
    by_formula = [(int(axis.low), int(axis.high)) for axis in (field.rows, field.cols)]
    return field, by_formula, supported(open_net(name, stride), stride, side)


def main() -> int:
    """Compare, print and return 1 where they differ."""
    print("| Backbone | Stride | Field by formula | By gradients | Halo by formula | As measured | Seconds |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    wrong = 0
    for name, stride in BACKBONES:
        started = time.process_time()
        field, by_formula, by_gradients = compared(name, stride)
        measured = receptive_halo(build_backbone(BackboneSpec(name, stride, bands=1)), stride, 1)
        seen = max(last - first + 1 for first, last in by_gradients)
        wrong += by_formula != by_gradients or field.halo(stride) != measured
        seconds = time.process_time() - started
        row = (name, stride, int(max(field.size)), seen, field.halo(stride), measured, f"{seconds:.1f}")
        print(f"| {' | '.join(map(str, row))} |", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Print what backbones cost and how far they see, as a table in Markdown.

python tools/backbones.py [--kind patch|grid|whole] [--names resnet50 convnext_tiny ...] [--tile 512] [--repeats 5]
python tools/backbones.py --export onnx openvino pt2 [--kind patch|grid|whole] [--names ...]

Every network is made as `detect.train` makes it, with new weights for three bands and one class: a patch classifier of
one cell at a stride of 16 pixels, a grid head from 8 to 32, or a classifier of whole images at 32; LeNet-5 at 4, and
from 2 to 4. The columns:

- parameters, in millions, with the head;
- multiply-adds, in billions per megapixel, of convolutions and matrix products (torch's own counter);
- receptive field: pixels on either side of a tile that change its cells in theory, rounded up to where tiles may begin;
  `unbounded` are networks that take patches alone;
- speed: megapixels a second of torch in float32 on tiles in memory, the median of `--repeats`, on this processor.

`--export` writes every network in some formats instead, as `detect.export` does, into a folder that is removed, and
prints how far its maps are from torch's (`detect.inference.exports.parity`), the files' size and the seconds of the
processor that it took. Scales and shifts of its layers have values of their own there, as in a trained network.
"""

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from detect.assembly.command import keep_freed_memory
from detect.assembly.exports.exported_files import ENDINGS
from detect.assembly.exports.model_export import write_checked
from detect.imagery.resolution import Resolution
from detect.nets.backbones import parameters_of
from detect.nets.card import ModelCard
from detect.nets.features import backbone_info
from detect.nets.heads.grid import GridDetector
from detect.nets.heads.specs import GridHead, Head, PatchHead, WholeHead
from detect.nets.modelfile import Net, build_net
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo

FAMILIES = (
    "lenet5",
    "torchvision/alexnet",
    "vgg16",
    "vgg19",
    "torchvision/googlenet",
    "inception_v4",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "densenet121",
    "legacy_xception",
    "xception41",
    "mobilenetv2_100",
    "mobilenetv3_large_100",
    "nasnetalarge",
    "tf_efficientnet_lite0",
    "efficientnet_b0",
    "convnext_tiny",
    "hgnetv2_b0",
    "hgnetv2_b2",
    "mobilenetv4_conv_small",
    "mobilenetv4_conv_medium",
)
"""What `--names` is when it is not given."""

DEEPEST, FINEST = {"patch": 16, "grid": 32, "whole": 32}, 8
"""Stride of the deepest features, and of a grid head's map; half of the deepest in networks that do not go so deep."""

PYRAMID_WIDTH = 96
"""Channels of a grid head, as in `conf/net/grid.yaml`."""

WHOLE_SIDE = 128
"""Side in pixels of the images of a classifier of whole ones."""

HEADER = "| network | stride | parameters, M | multiply-adds, G/megapixel | receptive field, ± pixels | megapixels/s |"

EXPORT_HEADER = "| network | net | format | difference from torch | MB | seconds |"


@dataclass(frozen=True)
class Row:
    """What is known of a network; `reach` in pixels on either side, None where it is unbounded."""

    name: str
    strides: tuple[int, ...]
    parameters: int
    multiply_adds: float
    reach: int | None
    speed: float

    def __str__(self) -> str:
        strides = " to ".join(str(stride) for stride in dict.fromkeys(self.strides))
        reach = "unbounded" if self.reach is None else str(self.reach)
        cost = f"{self.parameters / 1e6:.2f} | {self.multiply_adds / 1e3:.1f}"
        return f"| {self.name} | {strides} | {cost} | {reach} | {self.speed:.2f} |"


def make_card(name: str, kind: str) -> ModelCard:
    """Make the card of a network that was not trained.

    Raises:
        ValueError: a network that has no features at these strides.
    """
    deepest = min(DEEPEST[kind], max(backbone_info(name).strides))
    stride = deepest if kind != "grid" else min(FINEST, deepest // 2)
    head: Head = PatchHead(stride, "background")
    if kind == "grid":
        head = GridHead(deepest, width=PYRAMID_WIDTH, slots=1, object_size=None, typical_size=stride)
    if kind == "whole":
        head = WholeHead(WHOLE_SIDE, "one", "background")
    return ModelCard(
        head,
        BackboneSpec(name, stride),
        ("object",),
        (1, 2, 3),
        "uint8",
        Resolution(),
        offset=(),
        scale=(),
        halo=0,
        halo_auto=None,
        halo_error=None,
        threshold=0.5,
        separation=0.0,
        calibration=None,
        training={},
    )


def make_net(name: str, kind: str) -> Net:
    """Make a network with new weights.

    Raises:
        ValueError: one that cannot be had, or has no features at these strides.
    """
    return build_net(make_card(name, kind)).eval()


@torch.no_grad()
def with_lively_layers(net: Net) -> Net:
    """Give scales and shifts of a new network's layers values by chance, in place: they are 0, 1 or 1e-6.

    Branches whose last scale is 0 would be as good as none, and a network that is written without them the same.
    """
    for name, value in net.named_parameters():
        if value.ndim == 1:
            value.uniform_(*((-0.2, 0.2) if name.endswith("bias") else (0.5, 1.0)))
    for name, variance in net.named_buffers():
        if name.endswith("running_var"):
            variance.uniform_(0.5, 1.5)
    return net


def export_row(name: str, kind: str, form: str) -> str:
    """Return a row of the table of exports: parity, size and seconds of one network, or why it cannot be written."""
    torch.manual_seed(0)
    try:
        net, card = with_lively_layers(make_net(name, kind)), make_card(name, kind)
    except ValueError as error:
        return f"| {name} | {kind} | {form} | {error} | | |"
    started = time.process_time()
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"net{ENDINGS[form]}"
        try:
            parity = write_checked(form, net, card, path)
        except ValueError as error:
            return f"| {name} | {kind} | {form} | {error} | | |"
        size = sum(each.stat().st_size for each in Path(folder).iterdir()) / 1e6
    seconds = time.process_time() - started
    return (
        f"| {name} | {kind} | {form} | {parity.difference / max(1, parity.largest):.1e} | {size:.1f} | {seconds:.0f} |"
    )


def multiply_adds(net: Net, tile: Tensor) -> float:
    """Count multiply-adds per pixel; an addition and a multiplication are two of torch's operations."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(tile)
    return counter.get_total_flops() / 2 / tile[0, 0].numel()


def megapixels_per_second(net: Net, tile: Tensor, repeats: int) -> float:
    """Time the network, the median of some runs."""
    seconds = []
    with torch.inference_mode():
        for _ in range(repeats):
            started = time.perf_counter()
            net(tile)
            seconds.append(time.perf_counter() - started)
    return tile[0, 0].numel() / 1e6 / statistics.median(seconds)


def measure(name: str, kind: str, side: int, repeats: int) -> Row:
    """Measure one network; the count of its operations warms it up."""
    torch.manual_seed(0)
    net = make_net(name, kind).to(memory_format=torch.channels_last)
    align = net.align if isinstance(net, GridDetector) else net.stride
    side = -(-side // align) * align
    tile = (255 * torch.rand(1, 3, side, side)).contiguous(memory_format=torch.channels_last)
    cost = multiply_adds(net, tile)
    speed = megapixels_per_second(net, tile, repeats)
    try:
        reach = receptive_halo(net, net.stride, 3, align)
    except ValueError:
        reach = None
    return Row(name, (net.stride, align), parameters_of(net)[1], cost, reach, speed)


def main(arguments: list[str] | None = None) -> int:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=sorted(DEEPEST), default="patch")
    parser.add_argument("--names", nargs="+", default=FAMILIES, metavar="NAME")
    parser.add_argument("--tile", type=int, default=512, help="side in pixels, rounded up to the stride")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--export", nargs="+", choices=sorted(ENDINGS), help="write networks instead of timing them")
    options = parser.parse_args(arguments)
    if options.export:
        print(
            "| network | net | format | difference from torch | MB | seconds |",
            "|---|---|---|---:|---:|---:|",
            sep="\n",
        )
        for name in options.names:
            for form in options.export:
                print(export_row(name, options.kind, form), flush=True)
        return 0
    if options.tile < 1 or options.repeats < 1:
        parser.error(f"--tile and --repeats must be 1 or more, got {options.tile} and {options.repeats}")
    for name in options.names:
        try:
            with torch.device("meta"):
                make_net(name, options.kind)
        except ValueError as error:
            parser.error(str(error))
    keep_freed_memory()
    print(f"net={options.kind}, tiles of {options.tile} pixels, {torch.get_num_threads()} threads\n")
    print(HEADER, "|---|---|---:|---:|---:|---:|", sep="\n")
    for name in options.names:
        print(measure(name, options.kind, options.tile, options.repeats), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

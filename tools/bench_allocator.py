"""Measure what keeping freed memory does to torch on the CPU: the default network, before and after.

python tools/bench_allocator.py [--tile 1024] [--repeats 5]
"""

import argparse
import time

import torch

from detect.assembly.command import keep_freed_memory
from detect.nets.backbones import build_backbone
from detect.nets.heads.patch import PatchClassifier
from detect.nets.net_spec import BackboneSpec


def megapixels_per_second(net: PatchClassifier, tile: int, repeats: int) -> float:
    """Time the network on resident tiles of `tile` pixels, after one to warm up."""
    pixels = torch.rand(1, 3, tile, tile).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        net(pixels)
        started = time.perf_counter()
        for _ in range(repeats):
            net(pixels)
    return repeats * tile * tile / 1e6 / (time.perf_counter() - started)


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    net = PatchClassifier(build_backbone(BackboneSpec("tf_efficientnet_lite0", 16)), outputs=2, patch_size=64).eval()
    net = net.to(memory_format=torch.channels_last)
    before = megapixels_per_second(net, options.tile, options.repeats)
    keep_freed_memory()
    after = megapixels_per_second(net, options.tile, options.repeats)
    print(f"default allocator {before:.2f} megapixels/s, freed memory kept {after:.2f}: {after / before:.1f} times")


if __name__ == "__main__":
    main()

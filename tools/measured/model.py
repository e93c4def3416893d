"""The model that is measured, its engine, and the memory that it may take."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from detect.assembly.fields.byte_sizes import byte_size
from detect.assembly.machine.run_memory import LEAST, share_of
from detect.imagery.reading import read_window
from detect.imagery.resolution import Resolution
from detect.imagery.scenes import Scene
from detect.imagery.windows import Window
from detect.inference.engine import Engine
from detect.inference.plan import layer_bytes, make_plan
from detect.inference.run import count_scene
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.nets.card import ModelCard
from detect.nets.heads.patch import PatchClassifier
from detect.nets.heads.specs import PatchHead
from detect.nets.machine.host_memory import host_memory
from detect.nets.modelfile import build_pretrained
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import effective_halo, receptive_halo

OBJECTS = 500


class Silent:
    """Progress that is not shown."""

    def expect(self, images: int, pixels: int) -> None:
        """Show nothing."""

    def start(self, name: str) -> None:
        """Show nothing."""

    def advance(self, pixels: int) -> None:
        """Show nothing."""


def make_model(scene: Scene, memory: int) -> tuple[PatchClassifier, ModelCard]:
    """Make a network with a random head, its halo measured on the photograph and its threshold set for `OBJECTS`."""
    torch.manual_seed(0)
    card = ModelCard(
        head=PatchHead(48, "background"),
        backbone=BackboneSpec("tf_efficientnet_lite0", 16),
        classes=("a", "b", "c", "d", "e"),
        bands=(1, 2, 3),
        dtype="uint8",
        resolution=Resolution(),
        offset=(127.0,) * 3,
        scale=(128.0,) * 3,
        halo=None,
        halo_auto=None,
        halo_error=None,
        threshold=0.0,
        separation=32.0,
        calibration=None,
        training={},
    )
    net = build_pretrained(card, "bundled", dropout=0.0, drop_path=0.0).eval()
    assert isinstance(net, PatchClassifier)
    halo = receptive_halo(net, net.stride, 3)
    side = -(-(2 * halo + 192) // net.stride) * net.stride
    middle = Window((scene.shape[0] - side) // 2, (scene.shape[1] - side) // 2, side, side)
    tile = torch.from_numpy(np.ascontiguousarray(read_window(scene, middle, card.bands)))
    auto, error = effective_halo(net, [tile], halo, net.stride)
    print(f"halo {auto} pixels (logits within {error:.1e}), in theory {halo}", flush=True)
    card = replace(card, halo=halo, halo_auto=auto, halo_error=error)
    score = count_scene(scene, engine(card, net, TorchRuntime(net, torch.device("cpu")), memory)).detections.score
    return net, replace(card, threshold=float(np.sort(score)[-min(OBJECTS, len(score))]))


def engine(card: ModelCard, net: PatchClassifier, runtime: Any, memory: int) -> Engine:
    """Make an engine as `detect.predict` makes it by default, with a `max_memory` in bytes."""
    halo = card.halo if card.halo_auto is None else card.halo_auto
    assert halo is not None
    return Engine.of(card, runtime, make_plan(memory, runtime.memory_factor * layer_bytes(net, 3), halo, net.stride))


def memory_of(text: str) -> int:
    """Return `max_memory` in bytes; `auto` as `detect.predict` takes it."""
    if text != "auto":
        return byte_size(text)
    memory = host_memory()
    return LEAST if memory is None else share_of(memory)

"""Engines for tests: random nets that find much, and a net that finds planted discs and nothing else."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from detect.inference.engine import Engine
from detect.inference.plan import make_plan
from detect.inference.stitching import Runtime
from detect.labels.detections import Detections
from detect.nets.card import ModelCard
from detect.nets.heads.patch import PatchClassifier
from detect.nets.modelfile import build_net
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo
from tests.cards import patch_card


def engine(card: ModelCard, runtime: Runtime, tile: int | None = None, budget: int = 1 << 30, folder=None) -> Engine:
    """A runtime with a plan for a net whose layers take 200 bytes a pixel."""
    assert card.halo is not None
    return Engine.of(card, runtime, make_plan(budget, 200.0, card.halo, card.backbone.stride, tile, folder))


@cache
def lively(stride: int = 16, dtype: str = "uint8", name: str = "test_resnet") -> tuple[PatchClassifier, ModelCard]:
    """A random net that finds things: its outputs are scaled to a mean of 0 and a spread of 2 on noise."""
    middle, spread = {"uint8": (127.0, 64.0), "uint16": (1300.0, 700.0), "float32": (0.5, 0.25)}[dtype]
    card = patch_card(
        BackboneSpec(name, stride),
        dtype=dtype,
        offset=(middle,) * 3,
        scale=(spread,) * 3,
        patch_size=2 * stride,
        threshold=0.4,
        separation=float(stride),
    )
    torch.manual_seed(2)
    net = build_net(card)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.5)
            module.num_batches_tracked += 1  # as of a trained one
    net.eval()
    with torch.no_grad():
        logits = net(middle + spread * torch.randn(1, 3, 320, 320))
        spreads, means = torch.std_mean(logits, dim=(0, 2, 3))
        net.head.weight.mul_((2 / spreads).view(-1, 1, 1, 1))
        net.head.bias.copy_((net.head.bias - means) * 2 / spreads)
    return net, replace(card, halo=receptive_halo(net, stride, 3))


def coarse(height: int, width: int, seed: int = 0, grain: int = 10) -> np.ndarray:
    """Smooth noise (height, width, 3) of uint8, so that there is something to tell apart."""
    small = np.random.default_rng(seed).integers(0, 256, (-(-height // grain), -(-width // grain), 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height)))


def write(path: Path, height: int = 300, width: int = 420, seed: int = 0) -> Path:
    """Write smooth noise as an image."""
    Image.fromarray(coarse(height, width, seed)).save(path)
    return path


class DiscNet(nn.Module):
    """Finds bright discs: the mean over each cell of 4 pixels, smoothed over 3 x 3 cells, in steps of 16 from 100."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.full((1, 3, 1, 1), 100.0))
        self.register_buffer("scale", torch.full((1, 3, 1, 1), 16.0))
        self.smooth = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        nn.init.constant_(self.smooth.weight, 1 / 9)

    def forward(self, pixels: Tensor) -> Tensor:
        cells = F.avg_pool2d(pixels.float().mean(dim=1, keepdim=True), 4)
        heat = (self.smooth(cells) - 100) / 16
        return torch.cat([torch.zeros_like(heat), heat], dim=1)


def disc_net() -> tuple[DiscNet, ModelCard]:
    """The net with its card: a stride of 4, the halo of the one cell that smoothing sees, a reach of one cell."""
    card = patch_card(BackboneSpec("test_resnet", 4), ("disc",), patch_size=4, halo=4, separation=4.0)
    return DiscNet().eval(), card


def hexagons(height: int, width: int, side: float, seed: int, clusters: int) -> np.ndarray:
    """Places (N, 2) as x, y in clusters of 7 to 37 on a hexagonal lattice of `side` pixels, turned at random."""
    rng = np.random.default_rng(seed)
    places: list[np.ndarray] = []
    while len(places) < clusters:
        rings = int(rng.integers(1, 4))
        steps = [(q, r) for q in range(-rings, rings + 1) for r in range(-rings, rings + 1) if abs(q + r) <= rings]
        lattice = np.array([(q + r / 2, r * 3**0.5 / 2) for q, r in steps]) * side
        turn = rng.uniform(0, np.pi)
        lattice = lattice @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        lattice += rng.uniform((0, 0), (width, height))
        inside = ((lattice > side) & (lattice < np.array([width, height]) - side)).all()
        if inside and all(np.hypot(*(lattice[:, None] - each[None]).T).min() > side for each in places):
            places.append(lattice)
    return np.concatenate(places)


def discs(height: int, width: int, places: np.ndarray, radius: float) -> np.ndarray:
    """An image (height, width, 3) of domes, 250 in the middle and 90 at the rim, on ground of 40."""
    rows, cols = np.mgrid[:height, :width] + 0.5
    image = np.full((height, width), 40.0)
    for x, y in places:
        image = np.maximum(image, 250 - 160 * ((cols - x) ** 2 + (rows - y) ** 2) / radius**2)
    return np.repeat(image.astype(np.uint8)[:, :, None], 3, axis=2)


def assert_same_objects(found: Detections, wanted: Detections) -> None:
    """Law 4: the same objects, positions to 0.01 px, scores to 1e-4."""
    assert found.names == wanted.names
    np.testing.assert_allclose(found.xy, wanted.xy, rtol=0, atol=0.01)
    np.testing.assert_allclose(found.score, wanted.score, rtol=0, atol=1e-4)

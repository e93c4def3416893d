"""Grid heads for tests: planted maps that say just what they should, nets that find marks, and a random net."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit
from torch import Tensor, nn
from torch.nn import functional as F

from detect.imagery.scenes import Scene
from detect.inference.decoding.decoder import decoder_of
from detect.inference.decoding.geometry import CellGeometry
from detect.inference.engine import Engine
from detect.inference.plan import make_plan
from detect.inference.stitching import Runtime
from detect.inference.views import Views
from detect.labels.detections import Detections
from detect.nets.card import ModelCard
from detect.nets.heads.grid import GridDetector
from detect.nets.heads.specs import GridHead
from detect.nets.modelfile import build_net
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo
from detect.samples.targets import Objects, TargetEncoder
from tests.cards import card_of, grid_head

SURE = 1e-6
"""Distance of a planted objectness from 0 and 1."""

D4 = [(swap, rows, cols) for swap in (False, True) for rows in (False, True) for cols in (False, True)]
"""Transpose, then flip of rows, then flip of columns."""


def grid_card(
    size: float | None = 24.0, slots: int = 1, *, stride: int = 8, deepest: int = 32, halo: int = 0, **more: Any
) -> ModelCard:
    """A grid head of two classes, for boxes of a typical side, or points; NMS at IoU 0.5, or half a cell."""
    head = grid_head(deepest, 16, slots, size)
    usual = {"halo": halo, "separation": 0.5 if size else stride / 2}
    return card_of(head, BackboneSpec("test_resnet", stride), **{**usual, **more})


def objects(
    xy: Sequence[Sequence[float]] | NDArray[np.float64],
    wh: Sequence[Sequence[float]] | NDArray[np.float64] | None = None,
    label: Sequence[int] | None = None,
    ignored: Sequence[Sequence[float]] = (),
) -> Objects:
    """Objects of a crop, of class 0 by default."""
    places = np.asarray(xy, np.float64).reshape(-1, 2)
    sizes = None if wh is None else np.asarray(wh, np.float64).reshape(-1, 2)
    labels = np.zeros(len(places), np.int64) if label is None else np.asarray(label, np.int64)
    return Objects(places, sizes, labels, np.asarray(ignored, np.float64).reshape(-1, 4))


def encode(things: Objects, card: ModelCard, shape: tuple[int, int], spread: float = 0.8) -> dict[str, NDArray]:
    """What an encoder wants of a scene of a shape, with cells that hang over its edge."""
    assert isinstance(card.head, GridHead)
    stride = card.stride
    padded = tuple(-(-side // stride) * stride for side in shape)
    targets = TargetEncoder(card.head, stride, spread)(things, np.ones(padded, bool))
    return {name: value.numpy() for name, value in targets.items()}


def as_map(targets: dict[str, NDArray], classes: int = 2) -> NDArray[np.float32]:
    """The map (slots * 5 + C, h, w) of a head that says what is wanted, `SURE` from certain."""
    there = logit(np.clip(targets["objectness"].astype(np.float64), SURE, 1 - SURE))
    slots = np.concatenate([there[:, None], targets["box"]], axis=1).reshape(-1, *there.shape[1:])
    kinds = np.where(np.arange(classes)[:, None, None] == targets["label"], 10.0, 0.0)
    return np.concatenate([slots, kinds]).astype(np.float32)


def planted_map(things: Objects, card: ModelCard, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The map of a perfect head over a scene."""
    return as_map(encode(things, card, shape), len(card.classes))


def geometry(card: ModelCard, shape: tuple[int, int]) -> CellGeometry:
    """Where the cells of a scene's map lie."""
    return CellGeometry(card.backbone.stride, card.cell_offset, shape)


def decode(logits: NDArray[np.float32], card: ModelCard, shape: tuple[int, int], **options: object) -> Detections:
    """The detections of a map, with the card's separation and threshold by default."""
    usual = {"separation": card.separation, "threshold": card.threshold}
    return decoder_of(card).detections(logits, geometry(card, shape), **{**usual, **options})  # type: ignore[arg-type]


def in_order(found: Detections) -> NDArray[np.intp]:
    """Positions that sort objects by row, then column, of their centres."""
    return np.lexsort((found.xy[:, 0].round(3), found.xy[:, 1].round(3)))


def assert_finds(found: Detections, things: Objects, atol: float = 1e-3) -> None:
    """The same objects: places and sizes to `atol` pixels, classes exactly."""
    wanted = Detections(things.xy, np.ones(len(things.xy)), things.label, found.classes, things.wh)
    assert len(found) == len(wanted)
    one, other = found[in_order(found)], wanted[in_order(wanted)]
    np.testing.assert_allclose(one.xy, other.xy, rtol=0, atol=atol)
    assert one.label.tolist() == other.label.tolist()
    assert (one.wh is None) is (other.wh is None)
    if other.wh is not None:
        np.testing.assert_allclose(one.wh, other.wh, rtol=1e-5, atol=atol)


def grid_engine(card: ModelCard, runtime: Runtime, tile: int | None = None, halo: int | None = None) -> Engine:
    """A runtime with a plan whose tiles begin where the deepest features do."""
    plan = make_plan(
        1 << 30, 200.0, card.halo or 0 if halo is None else halo, card.backbone.stride, tile, None, card.align
    )
    return Engine.of(card, runtime, plan)


def memory_scene(shape: tuple[int, int], dtype: str = "uint8") -> Scene:
    """A scene without a file."""
    return Scene(Path("memory"), shape, dtype, 3)


def places_image(shape: tuple[int, int]) -> NDArray[np.float32]:
    """An image (2, H, W) in which every pixel tells its row and column."""
    return np.indices(shape).astype(np.float32)


class CutMap:
    """A runtime that finds out from `places_image` where a tile lies, and cuts that part out of a map.

    What it says of the halo is made up: objects in every other cell, so that a halo that is kept would be counted.

    Args:
        whole: (K, h, w) of the scene.
        stride: pixels per cell.
        halo: of the tiles, in pixels.
    """

    def __init__(self, whole: NDArray[np.float32], stride: int, halo: int) -> None:
        self.whole, self.stride, self.halo = whole, stride, halo
        self.tiles = 0

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        return np.stack([self._one(tile) for tile in pixels])

    def _one(self, tile: NDArray[np.generic]) -> NDArray[np.float32]:
        self.tiles += 1
        edge = self.halo // self.stride
        height, width = tile.shape[1] // self.stride, tile.shape[2] // self.stride
        found = np.zeros((len(self.whole), height, width), np.float32)
        found[0] = np.where(np.indices((height, width)).sum(axis=0) % 2, 20.0, 10.0)
        row, col = (int(tile[band, self.halo, self.halo]) // self.stride for band in (0, 1))
        part = self.whole[:, row : row + height - 2 * edge, col : col + width - 2 * edge]
        found[:, edge : edge + part.shape[1], edge : edge + part.shape[2]] = part
        return found


class MarkNet(nn.Module):
    """Finds rectangles drawn within cells of 16 pixels: an exact grid head that turns with the image.

    Objectness is 8 where a cell holds a mark and -8 where not; the centre is the mean place of the mark's pixels; a
    side of n pixels has a variance of (n^2 - 1) / 12; the object is `GROWN` times the mark; a mark of 200 is of class
    b, one of 100 of class a.
    """

    GROWN = 3.0

    def __init__(self, size: float | None) -> None:
        super().__init__()
        self.size = size
        self.stride = 16
        self.register_buffer("offset", torch.zeros(1, 3, 1, 1))
        self.register_buffer("scale", torch.ones(1, 3, 1, 1))
        place = (torch.arange(16.0) - 7.5) / 16
        self.register_buffer("place", place)
        self.still = nn.Conv2d(1, 1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        cells = pixels[:, :1].float().unfold(2, 16, 16).unfold(3, 16, 16)[:, 0]
        mark = (cells > 50).float()
        mass = mark.sum(dim=(3, 4)).clamp(min=1)
        x = (mark * self.place).sum(dim=(3, 4)) / mass
        y = (mark * self.place[:, None]).sum(dim=(3, 4)) / mass
        channels = [torch.where(mark.amax(dim=(3, 4)) > 0, 8.0, -8.0), x, y]
        for axis, middle in ((self.place, x), (self.place[:, None], y)):
            variance = (mark * (16 * (axis - middle[..., None, None])) ** 2).sum(dim=(3, 4)) / mass
            side = self.GROWN * (12 * variance + 1).sqrt()
            channels.append((side / (self.size or 1.0)).log())
        b = cells.amax(dim=(3, 4)) > 150
        return torch.stack([*channels, (~b).float(), b.float()], dim=1)


def mark_card(size: float | None = 24.0, **more: object) -> ModelCard:
    """The card of a `MarkNet`: no context is needed, and tiles begin on multiples of two cells."""
    return grid_card(size, stride=16, deepest=32, halo=0, **more)


def draw_marks(
    shape: tuple[int, int], cells: Sequence[tuple[int, int]], seed: int
) -> tuple[NDArray[np.uint8], Objects]:
    """An image (H, W, 3) with a mark in each cell (row, col), of 2 to 9 pixels a side, and the objects they mean."""
    rng = np.random.default_rng(seed)
    image = np.zeros((*shape, 3), np.uint8)
    xy, wh, label = [], [], []
    for row, col in cells:
        height, width = rng.integers(2, 10, 2)
        top, left = 16 * row + rng.integers(0, 17 - height), 16 * col + rng.integers(0, 17 - width)
        kind = int(rng.integers(2))
        image[top : top + height, left : left + width] = 100 * (kind + 1)
        xy.append((left + width / 2, top + height / 2))
        wh.append((MarkNet.GROWN * width, MarkNet.GROWN * height))
        label.append(kind)
    return image, objects(xy, wh, label)


def scattered(shape: tuple[int, int], seed: int, share: float = 0.6, stride: int = 16) -> list[tuple[int, int]]:
    """Cells (row, col) wholly in a scene, no two of them neighbours, at the given share of all such places."""
    rng = np.random.default_rng(seed)
    cells = []
    for row in range(0, shape[0] // stride - 1, 3):
        for col in range(0, shape[1] // stride - 1, 3):
            if rng.random() < share:
                cells.append((row + int(rng.integers(2)), col + int(rng.integers(2))))
    return cells


@cache
def lively_grid(size: float | None = 24.0, deepest: int = 16, slots: int = 1) -> tuple[GridDetector, ModelCard]:
    """A random grid head that finds things: its outputs are scaled to a spread of 1 on noise, some objects in it."""
    card = grid_card(size, slots, deepest=deepest, offset=(127.0,) * 3, scale=(64.0,) * 3)
    torch.manual_seed(4)
    net = build_net(card)
    assert isinstance(net, GridDetector)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.5)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            module.num_batches_tracked += 1  # as of a trained one
    net.eval()
    with torch.no_grad():
        pixels = 127 + 64 * F.interpolate(torch.randn(1, 3, 32, 32), scale_factor=10)
        features: list[Tensor] = []
        hook = net.head.register_forward_hook(lambda module, given, found: features.append(found))
        net(pixels)
        hook.remove()
        spreads, means = torch.std_mean(features[0], dim=(0, 2, 3))
        net.head.weight.mul_((1 / spreads).view(-1, 1, 1, 1))
        net.head.bias.copy_((net.head.bias - means) / spreads)
    return net, replace(card, halo=receptive_halo(net, 8, 3, deepest))


def turned_image(pixels: NDArray, turn: tuple[bool, bool, bool]) -> NDArray:
    """Transpose, then mirror rows, then columns, of the last two axes."""
    swap, rows, cols = turn
    pixels = np.swapaxes(pixels, -1, -2) if swap else pixels
    pixels = pixels[..., ::-1, :] if rows else pixels
    return np.ascontiguousarray(pixels[..., ::-1] if cols else pixels)


def turned_objects(things: Objects, turn: tuple[bool, bool, bool], shape: tuple[int, int]) -> Objects:
    """Objects of a crop of `shape`, moved as `turned_image` moves its pixels."""
    swap, rows, cols = turn
    height, width = shape[::-1] if swap else shape
    xy = things.xy[:, ::-1] if swap else things.xy
    wh = things.wh if things.wh is None or not swap else things.wh[:, ::-1]
    corners = things.ignored.reshape(-1, 2, 2)
    corners = corners[..., ::-1] if swap else corners
    for axis, length, mirrored in ((0, width, cols), (1, height, rows)):
        if mirrored:
            xy = np.where(np.arange(2) == axis, length - xy, xy)
            corners = np.where(np.arange(2) == axis, length - corners, corners)
    ignored = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).reshape(-1, 4)
    return Objects(np.array(xy), None if wh is None else np.array(wh), things.label, ignored)


def views(runtime: Runtime, card: ModelCard, tta: str, combine: str = "mean") -> Views:
    """Views of a grid head's maps."""
    return Views(runtime, decoder_of(card), tta, combine)

"""Law 3's companion: what is masked changes nothing of what is found where it is not, whatever the tiles.

A cell sees as far as the halo. Beyond it from a border, detections are those of the image without the border, exactly
(law 4's tolerance), but for those that a detection nearer to the border keeps apart. Within it: the same objects, each
within half a cell, of a net whose objects are whole and whose fill is the ground they lie on.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.scenes import Scene
from detect.inference.engine import Engine
from detect.inference.plan import make_plan
from detect.inference.run import count_scene
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.scene_result import SceneResult
from detect.labels.detections import Detections
from detect.nets.card import ModelCard
from tests.engines import assert_same_objects, coarse, disc_net, discs, hexagons, lively
from tests.grids import lively_grid
from tests.imagery.rasters import write_tiff

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

CPU = torch.device("cpu")

NETS = {"patch": lambda: lively(8), "boxes": lambda: lively_grid(24.0, 16), "points": lambda: lively_grid(None, 8)}


def write_masked(path: Path, pixels: np.ndarray, valid: np.ndarray) -> Scene:
    """Write pixels (H, W, 3) with what is not valid transparent, and glaring under it."""
    shown = np.where(valid, np.moveaxis(pixels, 2, 0), np.array([255, 0, 255])[:, None, None])
    marked = np.concatenate([shown, np.where(valid, 255, 0)[None]]).astype(np.uint8)
    options = {"photometric": "RGB", "ALPHA": "YES", "tiled": True, "blockxsize": 64, "blockysize": 64}
    return open_scene(write_tiff(path, marked, **options))


def slanted(height: int, width: int) -> np.ndarray:
    """What is left of a slanted line, without a hole, and without a few single pixels."""
    row, col = np.mgrid[:height, :width]
    valid = col + 0.3 * row < 0.75 * width
    valid[(row - height // 2) ** 2 + (col - width // 4) ** 2 < 30**2] = False
    return valid & (np.random.default_rng(5).random((height, width)) > 1e-3)


def counted(scene: Scene, net: nn.Module, card: ModelCard, tile: int | None, budget: int = 1 << 30) -> SceneResult:
    assert card.halo is not None
    plan = make_plan(budget, 200.0, card.halo, card.stride, tile, None, card.align)
    return count_scene(scene, Engine.of(card, TorchRuntime(net, CPU), plan))


def on(valid: np.ndarray, found: Detections) -> np.ndarray:
    """Mark the detections on valid pixels."""
    col, row = np.floor(found.xy).astype(int).T
    return valid[row, col]


@pytest.mark.parametrize("name", NETS)
def test_tiles_change_nothing_of_a_masked_scene(tmp_path: Path, name: str) -> None:
    """Also where tiles without a valid pixel are not computed, and where the valid pixels are in a file."""
    net, card = NETS[name]()
    height, width = 403, 805
    valid = slanted(height, width)
    scene = write_masked(tmp_path / "a.tif", coarse(height, width), valid)
    first = counted(scene, net, card, None)
    assert len(first.detections) > 100 and on(valid, first.detections).all()
    assert first.surveyed is not None and first.surveyed.valid == valid.sum()
    gone = np.isnan(first.heatmap[0])
    assert 0.2 < gone.mean() < 0.6
    for room, budget in ((32, 1 << 30), (64, 1 << 20), (160, 1 << 30)):
        other = counted(scene, net, card, 2 * card.halo + room, budget)
        assert_same_objects(other.detections, first.detections)
        np.testing.assert_allclose(other.heatmap, first.heatmap, rtol=0, atol=1e-4)
        assert other.surveyed == first.surveyed


@pytest.mark.parametrize("name", NETS)
def test_beyond_the_halo_a_masked_margin_changes_nothing(tmp_path: Path, name: str) -> None:
    """The margin is of whole tiles' steps, so that cells lie alike; the image without it is mirrored at its edges."""
    net, card = NETS[name]()
    height, width, margin = 432, 688, 2 * card.align
    image = coarse(height, width, seed=1)
    Image.fromarray(image).save(tmp_path / "plain.png")
    around = np.zeros((height + 2 * margin, width + 2 * margin), bool)
    around[margin:-margin, margin:-margin] = True
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)))
    plain = counted(open_scene(tmp_path / "plain.png"), net, card, None).detections
    masked = counted(write_masked(tmp_path / "masked.tif", padded, around), net, card, None).detections
    assert on(around, masked).all()
    apart = card.separation if not card.head.boxes else 4 * card.head.typical_size
    reach = card.halo + 2 * card.stride + apart
    assert 2 * reach < min(height, width)
    inner = []
    for found, at in ((plain, 0), (masked, margin)):
        xy = found.xy - at
        kept = ((xy >= reach) & (xy < np.array([width, height]) - reach)).all(axis=1)
        moved = replace(found, xy=xy)
        inner.append(moved[np.flatnonzero(kept)])
    assert len(inner[0]) > 10
    assert_same_objects(inner[1], inner[0])


def test_within_the_halo_the_same_whole_objects_are_found_within_half_a_cell(tmp_path: Path) -> None:
    """Discs of 16 pixels whose rims touch a slanted border, and the ground of 40 as what fills beyond it."""
    net, card = disc_net()
    card = replace(card, offset=(40.0,) * 3, scale=(1.0,) * 3)
    height, width = 400, 600
    places = hexagons(height, width, 16.0, seed=3, clusters=22)
    row, col = np.mgrid[:height, :width]
    slope = np.hypot(1, 0.4)
    beyond = (places @ np.array([1, 0.4]) - 0.6 * width) / slope
    places = places[np.abs(beyond) >= 8.5]
    whole = places[(places @ np.array([1, 0.4]) - 0.6 * width) / slope < 0]
    valid = (col + 0.5) + 0.4 * (row + 0.5) < 0.6 * width
    scene = write_masked(tmp_path / "a.tif", discs(height, width, places, 8.0), valid)
    found = counted(scene, net, card, None).detections
    assert len(found) == len(whole) > 80 and (beyond[(beyond < -8.5)] > -14).sum() > 0
    far = np.sqrt(((found.xy[:, None] - whole[None]) ** 2).sum(-1)).min(axis=1)
    assert far.max() <= 2.0


def test_a_scene_without_a_valid_pixel_has_no_objects_and_is_not_computed(tmp_path: Path) -> None:
    _, card = lively(8)
    scene = write_masked(tmp_path / "a.tif", coarse(300, 400), np.zeros((300, 400), bool))
    plan = make_plan(1 << 30, 200.0, card.halo, card.stride)
    engine = Engine.of(card, lambda pixels: pytest.fail("nothing is to be computed"), plan)
    result = count_scene(scene, engine)
    assert len(result.detections) == 0 and np.isnan(result.heatmap).all()
    assert result.surveyed is not None and (result.surveyed.valid, result.surveyed.pixels) == (0, 120_000)
    assert result.preview is not None and np.ma.getmaskarray(result.preview).all()

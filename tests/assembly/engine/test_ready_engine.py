"""From settings to a model that is ready to run."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detect.assembly.engine.ready_engine import chosen_halo, make_engine
from detect.assembly.prediction.run_record import result_settings
from detect.imagery.description.scene_opening import open_scene
from detect.inference.meeting.scale_views import ScaleViews
from detect.inference.plan import layer_bytes
from detect.inference.run import count_scene
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.views import Views
from detect.nets.modelfile import build_net
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo
from tests.assembly.engine.asked import CPU_TORCH, settings
from tests.cards import grid_head, patch_card
from tests.engines import assert_same_objects, lively, write
from tests.grids import grid_engine, lively_grid

torch.set_num_threads(1)


CARD = lively()[1]


@pytest.mark.parametrize(
    ("halo", "measured", "wanted"),
    [("auto", None, 64), ("auto", 32, 32), ("exact", 32, 64), (48, 32, 48), (16, 32, 16), (0, None, 0)],
)
def test_the_halo_is_the_measured_one_or_the_exact_one_or_a_number(
    halo: object, measured: int | None, wanted: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The receptive field of this net is 64 pixels; less than what is enough is allowed, and said."""
    assert CARD.halo == 64
    with caplog.at_level(logging.WARNING, "detect"):
        assert chosen_halo(halo, replace(CARD, halo_auto=measured)) == wanted
    too_small = wanted < (64 if measured is None else measured)
    assert ("counts depend on the tiles" in caplog.text) is too_small


@pytest.mark.parametrize(
    ("halo", "change", "message"),
    [
        (24, {}, "multiple of 16.* got 24"),
        ("auto", {"halo": None}, "receptive field is unbounded"),
        ("exact", {"halo": None}, "receptive field is unbounded"),
        (48, {"head": grid_head(32)}, "multiple of 32.* got 48"),
    ],
)
def test_halos_that_cannot_be(halo: object, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chosen_halo(halo, replace(CARD, **change))


def test_the_settings_reach_the_plan(tmp_path: Path) -> None:
    """256 MiB leave 64 for a photograph and 8 for a map; a tile asked for is kept; halo=exact is the card's."""
    cfg = settings("runtime=torch", "runtime.device=cpu", "max_memory=256MiB", "halo=exact")
    net, card = lively()
    made = make_engine(cfg, net, replace(card, halo_auto=16), card.threshold, tmp_path)
    assert (made.plan.photograph, made.plan.stitched, made.plan.folder) == (64 << 20, 8 << 20, tmp_path)
    assert (made.plan.halo, made.plan.stride, made.threshold) == (64, 16, card.threshold)
    roomy = make_engine(settings("runtime=torch", "runtime.device=cpu", "max_memory=1GiB"), net, card, card.threshold)
    assert roomy.plan.area > 2 * made.plan.area
    assert (
        make_engine(settings("runtime=torch", "runtime.device=cpu", "tile=500"), net, card, card.threshold).plan.tile
        == 500
    )


def test_maps_too_large_for_memory_go_to_the_folder_given_or_that_of_the_settings(tmp_path: Path) -> None:
    net, card = lively()
    base = ("runtime=torch", "runtime.device=cpu")
    for more, wanted in (((), tmp_path), ((f"runtime.scratch={tmp_path / 'told'}",), tmp_path / "told")):
        assert make_engine(settings(*base, *more), net, card, 0.5, tmp_path).plan.folder == wanted


def test_the_plan_knows_the_channels_of_maps(tmp_path: Path) -> None:
    """At stride 16, a map of 501 channels of 4 bytes is 7.8 bytes a pixel: 3 are held, and 5 more with 4 views.

    Beside them the layers, and 15 bytes of tiles that wait: 5 batches of 3 bands.
    """
    names = tuple(f"class {number}" for number in range(500))
    many = replace(lively()[1], classes=names)
    few = replace(lively()[1], classes=names[:2])
    base = ("runtime=torch", "runtime.device=cpu", "max_memory=64MiB", "halo=exact")
    plan = {}
    for name, card, more in (("few", few, ()), ("many", many, ()), ("views", many, ("tta=flips",))):
        net = build_net(card).eval()
        made = make_engine(settings(*base, *more), net, card, 0.5).plan
        per_pixel = 0.625 * (64 << 20) / made.area
        plan[name] = per_pixel - 15 - TorchRuntime.memory_factor * layer_bytes(net, 3)
    assert plan["few"] == pytest.approx(3 * 4 * 3 / 256, abs=0.01)
    assert plan["many"] == pytest.approx(3 * 4 * 501 / 256, abs=0.01)
    assert plan["views"] == pytest.approx((3 + 5) * 4 * 501 / 256, abs=0.01)


def test_the_engine_of_a_grid_head_keeps_to_its_alignment_and_decodes_it(tmp_path: Path) -> None:
    """Tiles of 200 pixels with a halo of 80 leave 40, of which 32 are a multiple of the deepest stride, 16."""
    net, card = lively_grid(24.0, 16)
    card = replace(card, threshold=0.6)
    scene = open_scene(write(tmp_path / "a.png", 90, 75))
    plain = count_scene(scene, grid_engine(card, TorchRuntime(net, torch.device("cpu")))).detections
    assert len(plain) > 3 and plain.wh is not None
    for tta in ("none", "flips"):
        made = make_engine(
            settings("runtime=torch", "runtime.device=cpu", "tile=200", f"tta={tta}"), net, card, card.threshold
        )
        grid = made.plan.tiling((90, 75))
        assert grid.core_hw == (32, 32) and made.plan.halo == 80 and grid.stride == 8
        found = count_scene(scene, made).detections
        assert found.wh is not None
        if tta == "none":
            assert_same_objects(found, plain)
    with pytest.raises(ValueError, match="tile must be 176 or more with a halo of 80 and a stride of 16, got 175"):
        make_engine(settings("runtime=torch", "runtime.device=cpu", "tile=175"), net, card, card.threshold)


class Same(nn.Module):
    """Two convolutions of stride 2, padded below and to the right alone, as TensorFlow's 'same'; a patch of 2 cells.

    Cell j sees pixels 4j to 4j + 6, a cell more to the right, and the patch a cell more to the left: a halo of 4.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 2, 3, 2)])

    def forward(self, pixels: Tensor) -> Tensor:
        cells = (pixels.float() - 127) / 64
        for layer in self.layers:
            cells = layer(F.pad(torch.tanh(cells), (0, 1, 0, 1)))
        height, width = cells.shape[-2:]
        return F.avg_pool2d(4 * cells, 2, 1, 1)[:, :, :height, :width]


@pytest.mark.parametrize("tta", ["none", "flips", "d4"])
def test_law_4_with_test_time_augmentation(tmp_path: Path, tta: str) -> None:
    """The field reaches a cell to the left and a cell to the right; a mirrored view is moved back by one more."""
    torch.manual_seed(0)
    net = Same().eval()
    assert receptive_halo(net, 4, 3) == 4
    card = patch_card(BackboneSpec("test_resnet", 4), ("a",), patch_size=8, halo=4, separation=4.0)
    assert card.cell_offset == 0
    scene = open_scene(write(tmp_path / "a.png", 150, 170))
    base = ("runtime=torch", "runtime.device=cpu", f"tta={tta}", "halo=exact")
    first, *others = [
        count_scene(scene, make_engine(settings(*base, f"tile={tile}"), net, card, card.threshold))
        for tile in (500, 40, 56, 64, 100)
    ]
    assert len(first.detections) > 30
    for other in others:
        np.testing.assert_allclose(other.heatmap, first.heatmap, rtol=0, atol=1e-4)
        assert_same_objects(other.detections, first.detections)


def test_other_sizes_are_looked_at_where_tta_names_them() -> None:
    """At stride 16 and three quarters of the size, a cell is 16 / 0.75 pixels."""
    net, card = lively()
    assert make_engine(settings(*CPU_TORCH, "tta=d4"), net, card, 0.5).scale_views is None
    asked = settings(*CPU_TORCH, "tta=flips+scales", "tta_scales=[0.75,1.5]")
    made = make_engine(asked, net, card, 0.5)
    assert made.scale_views == ScaleViews((0.75, 1.5), 16 / 0.75, card.separation)
    assert isinstance(made.runtime, Views) and len(made.runtime.views) == 4
    assert result_settings(asked, made, card)["tta_scales"] == [0.75, 1.5]
    alone = make_engine(settings(*CPU_TORCH, "tta=scales"), net, card, 0.5)
    assert isinstance(alone.runtime, TorchRuntime) and alone.scale_views is not None

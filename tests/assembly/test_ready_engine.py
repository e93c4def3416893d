"""From settings to a model that is ready to run."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detect.assembly import ready_engine
from detect.assembly.prediction.run_record import result_settings
from detect.assembly.ready_engine import chosen_halo, make_engine, make_runtime
from detect.assembly.settings.predict_settings import PredictSettings
from detect.imagery.description.scene_opening import open_scene
from detect.inference.meeting.scale_choice import ScaleChoice
from detect.inference.meeting.scale_views import ScaleViews
from detect.inference.plan import layer_bytes
from detect.inference.run import count_scene
from detect.inference.runtimes import openvino_runtime as runtimes
from detect.inference.runtimes.openvino_runtime import OpenVinoRuntime
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.views import Views
from detect.nets.facts.looks import Looks
from detect.nets.modelfile import build_net
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo
from tests.cards import grid_head, patch_card
from tests.engines import assert_same_objects, lively, write
from tests.grids import grid_engine, lively_grid
from tests.typed import settings_of

torch.set_num_threads(1)


def settings(*overrides: str) -> PredictSettings:
    return settings_of("predict", "model=m", "images=i", "output=o", *overrides)


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


@pytest.mark.parametrize(
    ("overrides", "kind", "precision"),
    [
        (("runtime=torch", "runtime.device=cpu"), TorchRuntime, "32"),
        (("runtime=torch", "runtime.device=cpu", "runtime.precision=bf16"), TorchRuntime, "bf16"),
        (("runtime=openvino", "runtime.precision='32'"), OpenVinoRuntime, "32"),
        (("runtime=auto", "runtime.device=cpu"), OpenVinoRuntime, None),
        (("runtime=auto", "runtime.device=cpu", "runtime.precision=16"), TorchRuntime, "16"),
    ],
)
def test_the_runtime_is_the_one_asked_for_and_auto_takes_openvino_on_a_cpu(
    overrides: tuple[str, ...], kind: type, precision: str | None
) -> None:
    made = make_runtime(settings(*overrides).runtime, *lively())
    assert type(made) is kind and made.device.type == "cpu"
    assert made.precision == (precision or made.precision) and made.name in ("torch", "openvino")


def missing() -> None:
    raise ImportError("No module named 'openvino'")


def test_without_openvino_torch_runs_the_network_unless_openvino_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runtimes, "import_openvino", missing)
    with caplog.at_level(logging.INFO, "detect"):
        assert isinstance(make_runtime(settings("runtime.device=cpu").runtime, *lively()), TorchRuntime)
    assert "OpenVINO is not installed" in caplog.text
    with pytest.raises(ValueError, match=r"runtime=openvino needs the package openvino .*pip install it"):
        make_runtime(settings("runtime=openvino").runtime, *lively())


def test_a_network_that_openvino_cannot_run_goes_to_torch_unless_openvino_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runtimes, "relative_difference", lambda found, wanted: 0.5)
    with caplog.at_level(logging.WARNING, "detect"):
        assert isinstance(make_runtime(settings("runtime.device=cpu").runtime, *lively()), TorchRuntime)
    assert "differ by 5.0e-01" in caplog.text and "torch runs the network" in caplog.text
    with pytest.raises(ValueError, match="OpenVINO cannot run this network"):
        make_runtime(settings("runtime=openvino").runtime, *lively())


def test_a_model_of_uint16_runs_on_any_runtime(tmp_path: Path) -> None:
    net, card = lively(16, "uint16")
    tile = np.random.default_rng(0).integers(0, 2600, (1, 3, 64, 96)).astype(np.uint16)
    made = make_runtime(settings("runtime.device=cpu", "runtime.precision='32'").runtime, net, card)
    wanted = TorchRuntime(net, torch.device("cpu"))(tile)
    np.testing.assert_allclose(made(tile), wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (("runtime=openvino", "runtime.device=cuda"), "runtime=openvino runs on the CPU, got runtime.device=cuda"),
        (("runtime=torch", "runtime.device=meta"), "runtime.device=meta cannot be used here"),
        (("runtime=openvino", "runtime.precision=16"), "must be auto, 32 or bf16, got 16"),
    ],
)
def test_runtimes_that_cannot_be(override: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "runtime.device=cuda" in override:  # as if there were one
        monkeypatch.setattr(ready_engine, "pick_device", torch.device)
    with pytest.raises(ValueError, match=message):
        make_runtime(settings(*override).runtime, *lively())


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


CPU_TORCH = ("runtime=torch", "runtime.device=cpu")


def looks_of_noise() -> Looks:
    made = Looks.of(127 + 40 * np.random.default_rng(0).standard_normal((3, 5000)))
    assert made is not None
    return made


def test_images_are_met_as_asked_and_by_default_not() -> None:
    net, card = lively()
    card = replace(card, looks=looks_of_noise())
    assert make_engine(settings(*CPU_TORCH), net, card, 0.5).meeting is None
    made = make_engine(settings(*CPU_TORCH, "adapt=[batchnorm,light]", "adapt_share=0.25"), net, card, 0.5).meeting
    assert made is not None and made.share == 0.25 and made.looks == card.looks and made.batch_norms is not None
    assert made.batch_norms.net is not net and made.batch_norms.share == 0.25
    light = make_engine(settings(*CPU_TORCH, "adapt=light"), net, card, 0.5).meeting
    assert light is not None and light.batch_norms is None and light.scale == 1
    scaled = make_engine(settings(*CPU_TORCH, "rescale=0.7"), net, card, 0.5).meeting
    assert scaled is not None and scaled.scale == 0.7 and scaled.looks is None
    chosen = make_engine(settings(*CPU_TORCH, "rescale=auto"), net, card, 0.25).meeting
    assert chosen is not None and isinstance(chosen.scale, ScaleChoice)
    assert chosen.scale.threshold == card.threshold == 0.4  # of the model, whatever the run's


def test_a_network_that_changes_for_every_image_is_run_by_torch() -> None:
    net, card = lively()
    made = make_engine(settings("runtime.device=cpu", "adapt=batchnorm"), net, card, 0.5)
    assert isinstance(made.runtime, TorchRuntime)
    with pytest.raises(ValueError, match=r"runtime=openvino cannot .* adapt=batchnorm needs runtime=torch"):
        make_engine(settings("runtime=openvino", "adapt=batchnorm"), net, card, 0.5)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("adapt=light",), "adapt=light: this model does not know .* train it again, or leave light out"),
        (("rescale=auto", "max_memory=40MiB"), "max_memory=40MiB is too small for rescale=auto.*set .*MiB"),
        (("adapt=batchnorm", "max_memory=40MiB"), "max_memory=40MiB is too small for adapt=batchnorm.*set .*MiB"),
    ],
)
def test_what_an_image_cannot_be_met_with(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_engine(settings(*CPU_TORCH, *overrides), *lively(), 0.5)


@pytest.mark.parametrize("adapt", ["light", "batchnorm", "[light,batchnorm]"])
def test_the_results_depend_on_how_images_are_met(adapt: str) -> None:
    """A resumed run with another way is refused, and one without any has the settings that it always had."""
    net, card = lively()
    card = replace(card, looks=looks_of_noise())
    results = []
    for more in ((), (f"adapt={adapt}",), (f"adapt={adapt}", "adapt_share=0.3")):
        asked = settings(*CPU_TORCH, *more)
        results.append(result_settings(asked, make_engine(asked, net, card, 0.5), card))
    assert not any(name.startswith("adapt") for name in results[0])
    assert results[1]["adapt"] == adapt.strip("[]").split(",") and results[1] != results[2]


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

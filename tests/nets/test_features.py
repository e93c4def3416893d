"""Every family of networks as a patch classifier and as a grid head."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from timm.layers import DropPath
from torch import Tensor

from detect.nets.card import ModelCard
from detect.nets.features import FEATURE_LAYERS, backbone_info, make_body
from detect.nets.heads.specs import GridHead, PatchHead
from detect.nets.modelfile import Net, build_net, build_pretrained, load_model, save_model
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo
from tests.cards import card_of

PLAIN = [
    "lenet5",
    "torchvision/alexnet",
    "vgg11",
    "torchvision/googlenet",
    "inception_v4",
    "resnet18",
    "resnext50_32x4d",
    "densenet121",
    "legacy_xception",
    "xception41",
    "mobilenetv1_100",
    "mobilenetv2_100",
    "nasnetalarge",
    "tf_efficientnet_lite0",
    "convnext_atto",
]
"""A small network of each family whose receptive field is bounded."""

SQUEEZED = ["mobilenetv3_small_050", "efficientnet_b0"]
"""Squeeze-and-excitation: every cell hears of the whole image."""

LARGE = ["vgg11", "vgg16", "vgg19", "nasnetalarge"]
"""Slow to make; of these the pyramid is looked at without computing."""


def card(name: str, kind: str, bands: int = 3) -> ModelCard:
    """Three outputs at a stride of 8 pixels, a grid head down to 32; LeNet ends at 4, where NASNet is still quick."""
    stride, deepest = (8, 32) if name != "lenet5" else (2, 4)
    if kind == "patch" and name in ("lenet5", "nasnetalarge"):
        stride = 4
    spec, numbers = BackboneSpec(name, stride, bands=bands), tuple(range(1, bands + 1))
    if kind == "patch":
        return card_of(PatchHead(2 * stride, "ground"), spec, ("a", "b"), numbers)
    return card_of(GridHead(deepest, 16, 1, None, 2 * stride), spec, ("a", "b", "c"), numbers)


@lru_cache
def patch_net(name: str) -> Net:
    torch.manual_seed(0)
    return build_net(card(name, "patch")).double().eval()


def image(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1)).float()


@pytest.mark.parametrize("name", PLAIN + SQUEEZED)
def test_a_patch_classifier_of_every_family(name: str) -> None:
    """A cell a stride, and an output for each patch of 2 x 2 cells with a margin of one."""
    net = patch_net(name)
    at = net.stride
    with torch.inference_mode():
        dense, patches = net(image(1, 3, 8 * at, 12 * at)), net.classify(image(2, 3, 4 * at, 4 * at))
    assert dense.shape == (1, 3, 8, 12) and patches.shape == (2, 3)
    assert dense.isfinite().all() and dense.std() > 0


@pytest.mark.parametrize("name", PLAIN)
def test_an_image_moved_by_a_stride_moves_the_map_by_a_cell(name: str) -> None:
    """Beyond the receptive field's reach from the borders, along both axes; in float64, as new networks say little."""
    net = patch_net(name)
    at, halo = net.stride, receptive_halo(net, net.stride, 3)
    far, room = halo // at, 4
    for axis in (2, 3):
        sides = [1, 3, 2 * at, 2 * at]
        sides[axis] = 2 * halo + (room + 1) * at
        strip = image(*sides)
        length = sides[axis] - at
        with torch.inference_mode():
            whole, moved = (net(strip.narrow(axis, start, length)).narrow(axis, far, room) for start in (0, at))
        least = 1e-3 * float((moved - whole).abs().max())
        assert least > 1e-12
        same, other = moved.narrow(axis, 0, room - 1), whole.narrow(axis, 1, room - 1)
        torch.testing.assert_close(same, other, rtol=0, atol=least)


@pytest.mark.parametrize("name", [name for name in PLAIN + SQUEEZED if name not in LARGE])
def test_a_grid_head_of_every_family(name: str) -> None:
    net = build_net(card(name, "grid")).eval()
    with torch.inference_mode():
        found = net(image(1, 3, 64, 96))
    assert found.shape == (1, 5 + 3, 64 // net.stride, 96 // net.stride) and found.isfinite().all()


@pytest.mark.parametrize("name", LARGE)
def test_grid_heads_of_large_networks(name: str) -> None:
    """On torch's `meta` device, which knows sizes and computes nothing."""
    with torch.device("meta"), torch.inference_mode():
        net = build_net(card(name, "grid", 4)).eval()
        assert net(torch.zeros(1, 4, 64, 96)).shape == (1, 5 + 3, 8, 12)


@pytest.mark.parametrize(
    ("name", "even"),
    [
        ("inception_v4", True),
        ("nasnetalarge", True),
        ("legacy_xception", True),
        ("torchvision/alexnet", True),
        ("torchvision/googlenet", True),
        ("tf_efficientnet_lite0", False),
        ("densenet121", False),
    ],
)
def test_networks_are_padded_evenly_where_their_maps_do_not_fit_and_nowhere_else(name: str, even: bool) -> None:
    """GoogLeNet's maps have the right size, by pools that round up, whose windows lie to one side of their cells."""
    assert backbone_info(name).even is even


@pytest.mark.parametrize("name", SQUEEZED)
def test_squeeze_and_excitation_is_refused_for_tiles_with_networks_to_take_instead(name: str) -> None:
    with pytest.raises(ValueError, match=r"tf_efficientnet_lite0.*mobilenetv2_100.*resnet50"):
        receptive_halo(patch_net(name), 8, 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("inception_v3", r"net\.backbone=inception_v3 .*inception_v4"),
        ("alexnet", r"net\.backbone=alexnet .*near: torchvision/alexnet"),
        ("torchvision/vgg11", r"net\.backbone=torchvision/vgg11 .*lenet5, torchvision/alexnet"),
        ("hardcorenas_a", r"net\.backbone=hardcorenas_a .*another network"),
    ],
)
def test_networks_that_cannot_be_had(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        backbone_info(name)


@pytest.mark.parametrize("kind", ["patch", "grid"])
@pytest.mark.parametrize("name", FEATURE_LAYERS)
def test_networks_that_timm_has_not_are_saved_and_loaded(tmp_path: Path, name: str, kind: str) -> None:
    """With four bands; the loaded model computes what the saved one did."""
    torch.manual_seed(0)
    wanted = replace(card(name, kind, 4), offset=(0.0,) * 4, scale=(255.0,) * 4)
    net = build_net(wanted).eval()
    pixels = image(1, 4, 64, 64)
    save_model(tmp_path / "model.safetensors", net, wanted)
    loaded, read = load_model(tmp_path / "model.safetensors")
    assert read == wanted and read.backbone == BackboneSpec(name, net.stride, bands=4)
    with torch.inference_mode():
        assert torch.equal(loaded(pixels), net(pixels))


def rates(net: torch.nn.Module) -> list[float]:
    return [layer.drop_prob for layer in net.modules() if isinstance(layer, DropPath) and layer.drop_prob]


@pytest.mark.parametrize("kind", ["patch", "grid"])
@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0", "convnext_atto"])
def test_stochastic_depth_rises_to_its_rate(name: str, kind: str) -> None:
    """From none at the input to what was asked for at the whole network's end; a cut one stops before."""
    with torch.device("meta"):
        found = rates(build_pretrained(card(name, kind), "none", dropout=0.0, drop_path=0.25))
        assert not rates(build_net(card(name, kind)))
    assert found == sorted(found) and 0 < found[0] < found[-1]
    assert 0.9 * 0.25 < found[-1] <= 0.25 if kind == "grid" else found[-1] < 0.9 * 0.25


def test_branches_are_dropped_while_training_alone() -> None:
    """Half of them: 32 equal images come out differently, and the same once the network is in use.

    New branches of timm's ResNets add nothing, by a last factor of 0, here set to 1.
    """
    torch.manual_seed(0)
    body = make_body("resnet18", 3, (2,), drop_path=0.5)
    for layer in body.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(layer.weight)
    pixels = image(1, 3, 16, 16).expand(32, 3, 16, 16) / 255
    with torch.inference_mode():
        trained, used = body(pixels)[0], body.eval()(pixels)[0]
    assert float((trained - trained[:1]).abs().max()) > 0.1
    torch.testing.assert_close(used, used[:1].expand_as(used))


@pytest.mark.parametrize("name", ["vgg16", "densenet121", "torchvision/alexnet"])
def test_networks_without_stochastic_depth_refuse_a_rate(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} .*net\.drop_path=0"):
        make_body(name, 3, (0,), drop_path=0.1)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_rates_that_are_no_share(rate: float) -> None:
    with pytest.raises(ValueError, match=rf"net\.drop_path .*got {rate}"):
        make_body("resnet18", 3, (0,), drop_path=rate)

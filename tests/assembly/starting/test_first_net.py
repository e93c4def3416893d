"""`init=`: a network begins with a model's weights, by the names of classes; what does not fit is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from detect.assembly.starting.first_net import carry_over, check_fits
from detect.assembly.starting.given_model import check_given, with_model
from detect.nets.heads.grid import CHANNELS_PER_SLOT
from detect.nets.modelfile import build_net, save_model
from tests.engines import lively
from tests.grids import lively_grid

MODEL = Path("model.safetensors")
MAKERS: dict[str, tuple[Callable[[], tuple[Any, Any]], int]] = {
    "patch": (lively, 1),
    "grid": (lively_grid, CHANNELS_PER_SLOT),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_outputs_go_by_the_names_of_classes_and_new_ones_stay(kind: str) -> None:
    """Of classes (a, b) to (b, new, a): row 0 of the new ones is row 1 of the old, row 2 is row 0, row 1 is its own."""
    make, first = MAKERS[kind]
    old, card = make()
    a, b = card.classes[:2]
    spec = replace(card, classes=(b, "new", a))
    net: Any = build_net(spec)
    own = net.head.weight[first + 1].clone()
    carry_over(net, spec, old, card)
    assert torch.equal(net.head.weight[:first], old.head.weight[:first])
    assert torch.equal(net.head.weight[first], old.head.weight[first + 1])
    assert torch.equal(net.head.weight[first + 2], old.head.weight[first])
    assert torch.equal(net.head.bias[first + 2], old.head.bias[first])
    assert torch.equal(net.head.weight[first + 1], own)
    assert all(torch.equal(v, old.state_dict()[n]) for n, v in net.state_dict().items() if not n.startswith("head."))


@pytest.mark.parametrize("kind", MAKERS)
def test_the_same_classes_give_the_same_maps(kind: str) -> None:
    old, card = MAKERS[kind][0]()
    net = build_net(card)
    carry_over(net, card, old, card)
    assert all(torch.equal(value, old.state_dict()[name]) for name, value in net.state_dict().items())
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (1, 3, 128, 128)).astype(np.float32))
    with torch.inference_mode():
        torch.testing.assert_close(net.eval()(pixels), old.eval()(pixels))


def test_what_does_not_fit_is_named() -> None:
    _, patch = lively()
    grid: Any = lively_grid()[1]
    with pytest.raises(ValueError, match=r"is of net=patch, and this is net=grid; leave net out"):
        check_fits(patch, grid, MODEL)
    other = replace(patch, resolution=replace(patch.resolution, scale=0.5))
    with pytest.raises(ValueError, match=r"data.scale 1.0 there, 0.5 here"):
        check_fits(patch, other, MODEL)
    points = replace(grid, head=replace(grid.head, object_size=None))
    with pytest.raises(ValueError, match=r"finds boxes, and the labels are points"):
        check_fits(grid, points, MODEL)


def test_a_model_brings_its_net_and_a_short_schedule_along_and_what_is_given_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, *lively_grid())
    made = with_model([f"init={path}", "finetune=frozen", "net.width=48"])
    assert made[-3:] == [f"init={path}", "finetune=frozen", "net.width=48"]
    brought = dict(each.split("=", 1) for each in made[:-3])
    assert brought["net"] == "grid" and brought["trainer"] == "again" and brought["net.deepest"] == "16"
    assert not {"finetune", "net.width"} & set(brought)
    assert with_model(["seed=1"]) == ["seed=1"]
    assert with_model([f"init={tmp_path / 'none'}"]) == [f"init={tmp_path / 'none'}"]


def test_settings_of_another_network_are_not_brought_along(tmp_path: Path) -> None:
    """Else a setting that nobody gave would be the error, and not the network."""
    path = tmp_path / "model.safetensors"
    save_model(path, *lively_grid())
    assert with_model([f"init={path}", "net=patch"]) == [f"init={path}", "net=patch"]
    assert len(with_model([f"init={path}", "net=grid"])) > 2


@pytest.mark.parametrize(
    ("name", "words"), [("", r"is a folder; name the model in it, .*model\.safetensors"), ("no", "no such model")]
)
def test_a_model_that_is_not_there_is_told_at_once(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(OSError, match=words):
        check_given(tmp_path / name)

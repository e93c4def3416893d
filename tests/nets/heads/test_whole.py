from pathlib import Path

import numpy as np
import pytest
import torch

from detect.nets.backbones import build_backbone
from detect.nets.card import ModelCard
from detect.nets.heads.specs import WholeHead
from detect.nets.heads.whole import WholeClassifier
from detect.nets.modelfile import build_net, load_model, save_model
from detect.nets.net_spec import BackboneSpec
from tests.cards import card_of

LENET = BackboneSpec("lenet5", 4, None, 1)


def small(side: int = 16, outputs: int = 3) -> WholeClassifier:
    torch.manual_seed(0)
    return WholeClassifier(build_backbone(LENET), outputs, side).eval()


def test_a_square_of_an_image_is_what_it_is_alone() -> None:
    net, pixels = small(), torch.rand(2, 1, 32, 48)
    with torch.inference_mode():
        cells = net(pixels)
        alone = net.classify(pixels[1:, :, 16:32, 32:48])
    assert cells.shape == (2, 3, 2, 3)
    torch.testing.assert_close(cells[1, :, 1, 2], alone[0])


def test_a_temperature_divides_the_logits_for_good() -> None:
    net, pixels = small(), torch.rand(4, 1, 16, 16)
    with torch.inference_mode():
        before = net.classify(pixels)
        net.divide_logits(2.5)
        torch.testing.assert_close(net.classify(pixels), before / 2.5)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_is_above_zero(temperature: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        small().divide_logits(temperature)


def test_a_scene_is_a_cell_of_features_at_least() -> None:
    with pytest.raises(ValueError, match=r"net\.side must be net\.stride=4"):
        small(side=3)


def card(head: WholeHead) -> ModelCard:
    return card_of(head, LENET, bands=(1,), offset=(3.0,), scale=(2.0,), threshold=0.25, separation=1.0, halo=0)


@pytest.mark.parametrize(
    "head", [WholeHead(16, "one", "none"), WholeHead(24, "one", None), WholeHead(16, "many", None)]
)
def test_a_model_file_gives_back_head_and_logits(head: WholeHead, tmp_path: Path) -> None:
    made = card(head)
    net = build_net(made).eval()
    save_model(tmp_path / "m.safetensors", net, made)
    read, again = load_model(tmp_path / "m.safetensors")
    assert again == made
    pixels = torch.from_numpy(np.random.default_rng(0).random((1, 1, head.side, head.side), np.float32))
    with torch.inference_mode():
        torch.testing.assert_close(read(pixels), net(pixels))


def test_a_cell_of_the_map_is_a_scene() -> None:
    made = card(WholeHead(24, "one", "none"))
    assert (made.stride, made.align, made.cell_offset) == (24, 24, 12.0)
    assert made.outputs == ("none", "a", "b")


@pytest.mark.parametrize(
    ("side", "labels", "background", "told"),
    [(4, "one", None, "net.side"), (16, "two", None, "one or many"), (16, "many", "none", "without a label")],
)
def test_a_head_that_cannot_be_is_refused(side: int, labels: str, background: str | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        WholeHead(side, labels, background)  # type: ignore[arg-type]

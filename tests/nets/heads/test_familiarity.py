from pathlib import Path

import pytest
import torch

from detect.nets.card import ModelCard
from detect.nets.heads.familiarity import Familiarity
from detect.nets.heads.specs import WholeHead
from detect.nets.modelfile import build_net, load_model, save_model
from detect.nets.net_spec import BackboneSpec
from tests.cards import card_of

LENET = BackboneSpec("lenet5", 4, None, 1)


def card(known: int) -> ModelCard:
    return card_of(WholeHead(16, "one", None, known), LENET, bands=(1,), offset=(3.0,), scale=(2.0,), halo=0)


def test_the_distance_is_of_directions_to_the_second_nearest() -> None:
    """From (1, 0): 0 to itself, 45 degrees to (1, 1), a chord of 2 sin(22.5 deg); from (-1, -1): the chords are of 135
    degrees to both (1, 0) and (0, 1), 2 sin(67.5 deg), and 2 to (1, 1). Lengths do not count."""
    known = Familiarity.of(torch.tensor([[1.0, 0.0], [0.0, 3.0], [0.5, 0.5]]))
    far = known.distance(torch.tensor([[5.0, 0.0], [-2.0, -2.0]]))
    assert far.tolist() == pytest.approx([0.765367, 1.847759], abs=1e-5)


def test_what_is_at_the_limit_is_within_it() -> None:
    known = Familiarity.of(torch.eye(2))
    known.limit.fill_(2**0.5)
    assert known(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])).sign().tolist() == [0, -1]


def test_nearly_equal_directions_are_told_apart() -> None:
    """Half precision rounds products of unit vectors to 1/256, a chord of 0.09: differences are finer."""
    known = Familiarity.of(torch.tensor([[1.0, 0.001], [1.0, 0.001]]))
    with torch.autocast("cpu", torch.bfloat16):
        assert known.distance(torch.tensor([[1.0, 0.0]])).item() == pytest.approx(0.001, rel=0.01)


def test_one_training_scene_is_too_few() -> None:
    with pytest.raises(ValueError, match="2 training scenes or more, got 1"):
        Familiarity(1, 4)


def test_a_model_file_gives_back_what_it_is_familiar_with(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, pixels = build_net(card(0)).eval(), torch.rand(5, 1, 16, 16) * 9
    with torch.inference_mode():
        logits = net.classify(pixels)
        net.familiarity = Familiarity.of(net.features(pixels))
        net.familiarity.limit.fill_(0.25)
        made = net.classify(pixels)
        save_model(tmp_path / "m.safetensors", net, card(5))
        read, again = load_model(tmp_path / "m.safetensors")
        assert again.head == WholeHead(16, "one", None, 5)
        torch.testing.assert_close(read.classify(pixels), made)
        torch.testing.assert_close(made[:, :2], logits)
        assert made.shape == (5, 3) and read(pixels).shape == (5, 3, 1, 1)


def test_a_head_that_keeps_nothing_is_written_as_before_there_were_such() -> None:
    assert '"known"' not in card(0).to_json() and '"known": 7' in card(7).to_json()
    assert ModelCard.from_json(card(0).to_json()) == card(0) and ModelCard.from_json(card(7).to_json()) == card(7)


@pytest.mark.parametrize(("labels", "known"), [("many", 3), ("one", -1), ("one", 70_000)])
def test_a_number_of_known_scenes_that_cannot_be_is_refused(labels: str, known: int) -> None:
    with pytest.raises(ValueError, match="known scenes"):
        WholeHead(16, labels, None, known)  # type: ignore[arg-type]

import math

import pytest
import torch
from torch import nn

from detect.learning.finetuning import Layers
from detect.nets.backbones import build_pyramid, parameters_of, stage_layers
from detect.nets.heads.grid import GridDetector
from detect.nets.net_spec import BackboneSpec
from tests.cards import grid_head, schedule

RATES = {"lr": 0.01, "backbone_lr": 0.004, "weight_decay": 0.1, "warmup": 0.1}


def detector() -> GridDetector:
    torch.manual_seed(0)
    return GridDetector(build_pyramid(BackboneSpec("test_resnet", 8), 32), grid_head(), 2)


def layers(net: GridDetector, epochs: int = 10, **change: object) -> Layers:
    return Layers(net, schedule(**RATES | change), epochs)


def learning(net: GridDetector) -> list[int]:
    """Strides of the stages of which something learns."""
    return [
        stride
        for stride, members in stage_layers(net.backbone)
        if any(parameter.requires_grad for layer in members for parameter in layer.parameters())
    ]


def sizes(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_all_learn_unless_told_otherwise() -> None:
    net = detector()
    made = layers(net)
    net.train()
    made.set(0)
    assert learning(net) == [2, 4, 8, 16, 32]
    assert all(module.training for module in net.modules())
    assert sum(p.numel() for group in made.groups() for p in group["params"]) == sizes(net)


def test_a_frozen_backbone_learns_nothing_and_keeps_its_statistics() -> None:
    net = detector()
    made = layers(net, backbone_lr=0.0)
    net.train()
    made.set(0)
    assert learning(net) == []
    assert not any(module.training for module in net.backbone.modules() if isinstance(module, nn.BatchNorm2d))
    assert all(module.training for module in net.tower.modules())
    assert sum(p.numel() for group in made.groups() for p in group["params"]) == sizes(net) - sizes(net.backbone)


@pytest.mark.parametrize(
    ("change", "wanted"), [({"keep": 4}, [8, 16, 32]), ({"top": 1}, [32]), ({"keep": 4, "top": 4}, [8, 16, 32])]
)
def test_early_layers_that_stay(change: dict, wanted: list[int]) -> None:
    net = detector()
    made = layers(net, **change)
    net.train()
    made.set(0)
    assert learning(net) == wanted
    for stride, members in stage_layers(net.backbone):
        norms = [m for layer in members for m in layer.modules() if isinstance(m, nn.BatchNorm2d)]
        assert all(norm.training == (stride in wanted) for norm in norms)


def test_the_head_learns_alone_first() -> None:
    """0.25 of 10 epochs is 2.5: from epoch 3 on the last two stages learn, too, also when a run resumes there."""
    for first in (0, 4):
        net = detector()
        made = layers(net, top=2, unfreeze_at=0.25)
        net.train()
        for epoch in range(first, 5):  # Lightning gives every layer back the mode that it had before validation
            made.set(epoch)
            assert learning(net) == ([] if epoch < 3 else [16, 32])
            norms = [m for m in net.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
            assert any(norm.training for norm in norms) == (epoch >= 3)
        head = sizes(net) - sizes(net.backbone)
        assert parameters_of(net)[0] > head
        starts = {group["start"] for group in made.groups()}
        assert starts == {0, 3}


def test_rates_fall_toward_the_input() -> None:
    """0.004 at the deepest stage, half of it at each stage before; the head has its own."""
    net = detector()
    made = layers(net, decay=0.5)
    for i, (_, members) in enumerate(reversed(stage_layers(net.backbone))):
        for parameter in (each for layer in members for each in layer.parameters()):
            assert made.rates[id(parameter)] == pytest.approx(0.004 / 2**i)
    assert {group["lr"] for group in made.groups()} == {0.01, *(0.004 / 2**i for i in range(5))}


def test_statistics_stay_while_weights_learn() -> None:
    net = detector()
    made = layers(net, freeze_bn=True)
    net.train()
    made.set(0)
    norms = [module for module in net.backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms and not any(norm.training for norm in norms)
    assert all(parameter.requires_grad for norm in norms for parameter in norm.parameters())
    assert all(module.training for module in net.tower.modules())


def test_late_layers_join_the_cosine_with_a_warm_up_of_their_own() -> None:
    """100 steps, a warm-up of 10; layers that begin at 40 rise over steps 40 to 49 to the curve of the others."""
    rates = schedule(**RATES)
    cosine = [0.5 * (1 + math.cos(math.pi * (step - 10) / 90)) for step in range(100)]
    for step in range(10, 100):
        assert rates.factor(step, 100) == pytest.approx(cosine[step])
        late = rates.factor(step, 100, 40)
        assert late == pytest.approx(0 if step < 40 else cosine[step] * min(1, (step - 39) / 10))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decay": 0.0}, r"finetune\.decay.*\(0, 1\], got 0.0"),
        ({"unfreeze_at": 1.0}, r"finetune\.unfreeze_at.*\[0, 1\), got 1.0"),
        ({"top": 0}, r"finetune\.top.*got 0"),
        ({"top": 6}, r"finetune\.top.*\b5, got 6"),
        ({"keep": 5}, r"finetune\.keep.*\[2, 4, 8, 16, 32\], got 5"),
    ],
)
def test_numbers_that_make_no_schedule(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layers(detector(), **change)

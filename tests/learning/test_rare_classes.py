"""Finding before naming: objectness learns from all classes, so that a class of few examples is found all the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from detect.learning.grid import GridLoss, GridModule
from detect.learning.imbalance import ClassLoss
from detect.samples.loading import PatchData
from tests.cards import EVEN, LOADING, loss_weights, schedule
from tests.grids import encode, objects
from tests.learning.test_grid import CARD, fresh, trainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*treespec"),
]

RED, GREEN, BLUE = 0, 1, 2
Item = tuple[Tensor, dict[str, Tensor]]


def crop(place: tuple[int, int], colour: int, look_alike: tuple[int, int], label: int) -> Item:
    """A crop of 64 pixels with a square of 20 pixels of a colour, labelled, and a green one, which is no object."""
    pixels = torch.full((3, 64, 64), 60, dtype=torch.uint8)
    for (x, y), band in ((look_alike, GREEN), (place, colour)):
        pixels[band, y - 10 : y + 10, x - 10 : x + 10] = 220
    targets = encode(objects([place], [(20, 20)], [label]), CARD, (64, 64))
    return pixels, {name: torch.as_tensor(value) for name, value in targets.items()}


def crops(colour: int, number: int, label: int, seed: int) -> list[Item]:
    """Crops with the object on the left and the look-alike on the right, or the other way round."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        sides = rng.permutation([(rng.integers(12, 20), rng.integers(12, 52)), (rng.integers(44, 52), 32)])
        (one, other) = (tuple(map(int, side)) for side in sides)
        made.append(crop(one, colour, other, label))
    return made


@pytest.mark.parametrize("named", [1.0, 0.0])
def test_three_objects_of_a_class_are_enough_to_find_others_of_it(named: float) -> None:
    """24 red objects of class 0, 3 blue ones of class 1: one threshold finds 12 new ones of each, and nothing else.

    The green look-alikes, as bright and as large, are below it by log odds of 1 or more. Also where nothing of the
    classes is learned (a weight of 0), so that it is chance what they are called.
    """
    items = crops(RED, 24, 0, 0) + crops(BLUE, 3, 1, 1)
    net = fresh()
    loss = GridLoss(CARD.head, 8, loss_weights(label=named), ClassLoss(EVEN, np.ones(2), 0.0))
    rates = schedule(lr=0.01, backbone_lr=0.005, weight_decay=0.01, warmup=0.1)
    data = PatchData(lambda epoch: items, items[:2], replace(LOADING, batch_size=9))
    trainer(40).fit(GridModule(net, rates, 7, loss), data)
    new = crops(RED, 12, RED, 2) + crops(BLUE, 12, 1, 3)
    with torch.inference_mode():
        there = net.eval()(torch.stack([pixels for pixels, _ in new]))[:, 0].flatten(1)
    wanted = torch.stack([targets["objectness"][0] for _, targets in new]).flatten(1)
    strongest = there.argmax(dim=1, keepdim=True)
    assert (wanted.gather(1, strongest) > 0.4).all()  # the cell of its centre, or the one beside it
    assert there.amax(dim=1).min() > there[wanted < 0.01].max() + 1


def test_what_an_object_is_called_changes_nothing_of_how_it_is_found() -> None:
    """Of two objects of classes 0 and 1, and the same ones the other way round: no term but the class's differs."""
    loss = GridLoss(CARD.head, 8, loss_weights(), ClassLoss(EVEN, np.array([100.0, 3.0]), 0.0))
    raw = torch.randn(1, 7, 8, 8, generator=torch.Generator().manual_seed(0))
    terms = []
    for labels in ([0, 1], [1, 0]):
        targets = encode(objects([(20, 28), (44, 20)], [(20, 20)] * 2, labels), CARD, (64, 64))
        terms.append(loss(raw, {name: torch.as_tensor(value)[None] for name, value in targets.items()}))
    assert torch.equal(terms[0]["objectness"], terms[1]["objectness"]) and torch.equal(terms[0]["box"], terms[1]["box"])
    assert not torch.equal(terms[0]["label"], terms[1]["label"])

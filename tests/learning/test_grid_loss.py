import math

import numpy as np
import pytest
import torch
from torch import Tensor

from detect.learning.grid import GridLoss
from detect.learning.hyperparameters import LossWeights
from detect.learning.imbalance import ClassLoss
from detect.nets.card import ModelCard
from detect.samples.targets import Objects
from tests.cards import EVEN, loss_weights
from tests.grids import encode, grid_card, objects

SHAPE = (48, 64)
THINGS = objects([(28, 20), (50, 37), (13, 42)], [(32, 8), (10, 14), (20, 20)], [1, 0, 1])
TERMS = {"objectness", "box", "label"}


def targets(card: ModelCard, things: Objects = THINGS) -> dict[str, Tensor]:
    """A batch of one crop."""
    found = encode(things, card, SHAPE)
    return {name: torch.from_numpy(np.asarray(value))[None] for name, value in found.items()}


def perfect(card: ModelCard, wanted: dict[str, Tensor], sure: float = 20.0) -> Tensor:
    """What a head would say that has learnt all: yes where the centres are, no everywhere else."""
    there = torch.where(wanted["objectness"] == 1, sure, -sure)
    slots = torch.cat([there[:, :, None], wanted["box"]], dim=2).flatten(1, 2)
    kinds = torch.stack([(wanted["label"] == i) * sure for i in range(len(card.classes))], dim=1)
    return torch.cat([slots, kinds], dim=1)


def loss_of(card: ModelCard, weights: LossWeights | None = None, classes: tuple[float, ...] = (1.0, 1.0)) -> GridLoss:
    weights = weights or loss_weights()
    label = ClassLoss(weights.classes, np.ones(len(classes)), 0.0)
    label.weight = torch.tensor(classes)
    return GridLoss(card.head, card.stride, weights, label)


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("size", [16.0, None])
def test_nothing_is_lost_where_all_is_right(size: float | None, slots: int) -> None:
    card = grid_card(size, slots)
    wanted = targets(card)
    terms = loss_of(card)(perfect(card, wanted), wanted)
    assert set(terms) == TERMS
    assert all(0 <= float(term) < 1e-6 for term in terms.values())


def objectness(raw: Tensor) -> None:
    raw[0, 0, 2, 3] = -3


def alarm(raw: Tensor) -> None:
    raw[0, 0, 0, 7] = 3


def centre(raw: Tensor) -> None:
    raw[0, 2, 2, 3] += 0.7


def size_of(raw: Tensor) -> None:
    raw[0, 4, 2, 3] -= 1.0


def kind(raw: Tensor) -> None:
    raw[0, 5:, 2, 3] = raw[0, 5:, 2, 3].flip(0)


@pytest.mark.parametrize(
    ("mistake", "term"),
    [(objectness, "objectness"), (alarm, "objectness"), (centre, "box"), (size_of, "box"), (kind, "label")],
)
def test_each_mistake_counts_in_its_own_term(mistake, term: str) -> None:
    card = grid_card(16.0)
    wanted = targets(card)
    raw = perfect(card, wanted)
    mistake(raw)
    terms = loss_of(card)(raw, wanted)
    assert float(terms[term]) > 0.05
    assert all(float(terms[other]) < 1e-6 for other in TERMS - {term})


def test_a_wrong_size_of_a_point_is_no_mistake() -> None:
    card = grid_card(None)
    wanted = targets(card)
    raw = perfect(card, wanted)
    size_of(raw)
    assert float(loss_of(card)(raw, wanted)["box"]) == 0


def test_the_objectness_by_hand() -> None:
    """All log odds 0 with an object in the middle of one cell of two: p = 1/2.

    The positive loses log 2 (1 - p)^2 = log 2 / 4, its neighbour of softness s = exp(-1 / 1.28) log 2 p^2 (1 - s)^4.
    """
    card = grid_card(16.0)
    found = encode(objects([(4, 4)], [(16, 16)]), card, (8, 16))
    wanted = {name: torch.from_numpy(np.asarray(value))[None] for name, value in found.items()}
    raw = torch.zeros(1, 7, 1, 2)
    soft = math.exp(-1 / 1.28)
    by_hand = math.log(2) / 4 * (1 + (1 - soft) ** 4)
    assert float(loss_of(card)(raw, wanted)["objectness"]) == pytest.approx(by_hand, rel=1e-5)
    plain = loss_weights(objectness=3.0, gamma=0.0, beta=0.0)
    assert float(loss_of(card, plain)(raw, wanted)["objectness"]) == pytest.approx(3 * 2 * math.log(2), rel=1e-5)


def test_the_smoothed_objectness_by_hand() -> None:
    """The same two cells with a smoothing of 0.1: of the one with the object 0.9 is wanted, and 1/2 is found.

    It loses its cross-entropy, log 2 whatever the target, times |1/2 - 0.9|^2 = 0.16 instead of 1/4.
    """
    card = grid_card(16.0)
    found = encode(objects([(4, 4)], [(16, 16)]), card, (8, 16))
    wanted = {name: torch.from_numpy(np.asarray(value))[None] for name, value in found.items()}
    soft = math.exp(-1 / 1.28)
    by_hand = math.log(2) * (0.16 + (1 - soft) ** 4 / 4)
    smooth = loss_of(card, loss_weights(smoothing=0.1))
    assert float(smooth(torch.zeros(1, 7, 1, 2), wanted)["objectness"]) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_a_smoothed_objectness_is_best_where_its_target_is(gamma: float) -> None:
    """At 0.9 for a smoothing of 0.1, whatever gamma: from either side the slope leads there; without one it goes on."""
    card = grid_card(16.0)
    wanted = targets(card)

    def slope(at: float, smoothing: float) -> float:
        raw = perfect(card, wanted)
        raw[0, 0, 2, 3] = math.log(at / (1 - at))
        raw.requires_grad_()
        loss_of(card, loss_weights(smoothing=smoothing, gamma=gamma))(raw, wanted)["objectness"].backward()
        assert raw.grad is not None
        return float(raw.grad[0, 0, 2, 3])

    assert slope(0.8, 0.1) < 0 < slope(0.97, 0.1)
    assert slope(0.97, 0.0) < 0


@pytest.mark.parametrize("size", [4.0, 8.0, 50.0])
def test_the_box_by_hand(size: float) -> None:
    """A box of 16 x 16, a cell of 8: found half a cell to the right, so boxes overlap by 12 x 16 of 20 x 16 pixels.

    The hull is their union, so GIoU is IoU, 0.6; the distance, 0.5, is beyond 0.2: smooth L1 is 0.5 - 0.1. The one
    cell weighs 1. On the typical size, by which sizes are divided, neither depends.
    """
    card = grid_card(size)
    wanted = targets(card, objects([(28, 20)], [(16, 16)]))
    wanted["weight"] = torch.where(wanted["weight"] == 1, 1.0, 0.0)
    raw = perfect(card, wanted)
    raw[0, 1, 2, 3] += 0.5
    assert float(loss_of(card)(raw, wanted)["box"]) == pytest.approx(0.4 + (1 - 0.6), rel=1e-5)
    points = grid_card(None)
    assert float(loss_of(points)(raw, wanted)["box"]) == pytest.approx(0.4, rel=1e-5)


def test_the_class_by_hand() -> None:
    """Logits of 0 for the three objects lose log 2 each, whatever their weight's share; class weights multiply."""
    card = grid_card(16.0)
    wanted = targets(card)
    raw = perfect(card, wanted)
    raw[:, 5:] = 0
    assert float(loss_of(card)(raw, wanted)["label"]) == pytest.approx(math.log(2), rel=1e-5)
    share = wanted["weight"][0, 0]
    mean = float((share * torch.tensor([4.0, 0.5])[wanted["label"][0]]).sum() / share.sum())
    assert 0.5 < mean < 4
    found = loss_of(card, classes=(4.0, 0.5))(raw, wanted)["label"]
    assert float(found) == pytest.approx(mean * math.log(2), rel=1e-5)


def test_a_single_class_needs_no_class_loss() -> None:
    card = grid_card(16.0, classes=("a",))
    wanted = targets(card, objects(THINGS.xy, THINGS.wh))
    assert set(loss_of(card, classes=(1.0,))(perfect(card, wanted), wanted)) == {"objectness", "box"}


def test_terms_are_means_over_objects_so_that_twice_the_crops_lose_the_same() -> None:
    card = grid_card(16.0)
    wanted = targets(card)
    raw = torch.randn(perfect(card, wanted).shape, generator=torch.Generator().manual_seed(0))
    one = loss_of(card)(raw, wanted)
    two = loss_of(card)(raw.repeat(2, 1, 1, 1), {name: torch.cat([value] * 2) for name, value in wanted.items()})
    for name, term in one.items():
        assert float(two[name]) == pytest.approx(float(term), rel=1e-5)


def test_what_is_not_seen_teaches_nothing() -> None:
    """An ignored box over the first object: no gradient reaches its cells from any term, however wrong they are."""
    card = grid_card(16.0)
    wanted = targets(card, objects(THINGS.xy, THINGS.wh, THINGS.label, [(16, 8, 40, 32)]))
    raw = torch.randn(1, 7, 6, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
    torch.stack(list(loss_of(card)(raw, wanted).values())).sum().backward()
    assert raw.grad is not None
    assert (raw.grad[:, :, 1:4, 2:5] == 0).all() and (raw.grad[:, 0, 4:] != 0).all()


def test_an_ignored_object_counts_in_no_mean() -> None:
    """All log odds 0: two objects of which one is ignored lose what the other alone does in the same cells."""
    card = grid_card(16.0)
    region = [(16, 8, 40, 32)]
    both = targets(card, objects(THINGS.xy[:2], THINGS.wh[:2], THINGS.label[:2], region))
    one = targets(card, objects(THINGS.xy[1:2], THINGS.wh[1:2], THINGS.label[1:2], region))
    assert float((both["objectness"] == 1).sum()) == 2 and float(both["learned"][0, 2, 3]) == 0
    both["objectness"][both["objectness"] < 1] = one["objectness"][one["objectness"] < 1] = 0
    both["weight"][both["weight"] < 1] = one["weight"][one["weight"] < 1] = 0
    raw = torch.zeros(1, 7, 6, 8)
    found, wanted = loss_of(card)(raw, both), loss_of(card)(raw, one)
    for name in TERMS:
        assert float(found[name]) == pytest.approx(float(wanted[name]), rel=1e-6)


def test_a_crop_without_objects_loses_by_false_alarms_alone_and_stays_finite() -> None:
    card = grid_card(16.0)
    wanted = targets(card, objects(np.empty((0, 2)), np.empty((0, 2))))
    for sure in (20.0, 80.0):
        raw = torch.full((1, 7, 6, 8), sure)
        terms = loss_of(card)(raw, wanted)
        assert float(terms["objectness"]) == pytest.approx(48 * sure, rel=1e-4)
        assert float(terms["box"]) == float(terms["label"]) == 0


def test_descent_leads_to_what_the_encoder_wants() -> None:
    """Gradient descent on the map itself, without a net: the loss falls to a thirtieth, and the centres stand out."""
    card = grid_card(16.0)
    wanted = targets(card)
    raw = torch.zeros(1, 7, 6, 8, requires_grad=True)
    optimizer = torch.optim.Adam([raw], 0.2)
    values = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = torch.stack(list(loss_of(card)(raw, wanted).values())).sum()
        loss.backward()
        optimizer.step()
        values.append(float(loss.detach()))
    assert values[-1] < values[0] / 30
    assert ((raw[0, 0] > 0) == (wanted["objectness"][0, 0] == 1)).all()
    centres = torch.nonzero(wanted["objectness"][0, 0] == 1)
    for row, col in centres.tolist():
        torch.testing.assert_close(raw[0, 1:5, row, col], wanted["box"][0, 0, :, row, col], atol=0.1, rtol=0)
        assert int(raw[0, 5:, row, col].argmax()) == int(wanted["label"][0, row, col])


def test_sizes_beyond_all_bounds_are_drawn_back() -> None:
    """A logarithm of 6, where 4 is the bound: GIoU alone has no slope there; the excess, 2, is lost, and pulls."""
    card = grid_card(8.0)
    wanted = targets(card, objects([(28, 20)], [(16, 16)]))
    wanted["weight"] = torch.where(wanted["weight"] == 1, 1.0, 0.0)
    losses = []
    for size in (3.9999, 6.0, -6.0):
        raw = perfect(card, wanted)
        raw[0, 3, 2, 3] = size
        raw.requires_grad_()
        loss = loss_of(card)(raw, wanted)["box"]
        loss.backward()
        assert raw.grad is not None and float(raw.grad[0, 3, 2, 3]) * np.sign(size) > 0
        losses.append(float(loss.detach()))
    assert losses[1] == pytest.approx(losses[0] + 2, abs=1e-3)


def test_smoothed_labels_leave_room_for_the_others() -> None:
    """With a smoothing of 0.2 the best guess of two classes is 0.9 and 0.1, which loses their entropy."""
    card = grid_card(16.0)
    wanted = targets(card)
    raw = perfect(card, wanted)
    raw[:, 5:] = torch.where(raw[:, 5:] > 0, math.log(9), 0.0)
    smooth = GridLoss(card.head, 8, loss_weights(), ClassLoss(EVEN, np.ones(2), 0.2))
    entropy = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    assert float(smooth(raw, wanted)["label"]) == pytest.approx(entropy, rel=1e-4)
    assert float(smooth(perfect(card, wanted), wanted)["label"]) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": 0.5}, r"net\.loss\.gamma.*got 0.5"),
        ({"smoothing": 0.5}, r"net\.loss\.smoothing.*got 0.5"),
    ],
)
def test_exponents_that_cannot_be(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss_weights(**change)


@pytest.mark.parametrize("name", ["objectness", "box", "label", "gamma", "beta"])
def test_weights_must_not_be_negative(name: str) -> None:
    with pytest.raises(ValueError, match=rf"net\.loss\.{name}\b.*got -0.1"):
        loss_weights(**{name: -0.1})

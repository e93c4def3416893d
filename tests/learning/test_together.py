"""Several processes lose, learn and count as one with all their samples."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, distributed, nn

from detect.learning.grid import GridLoss
from detect.learning.imbalance import ClassLoss
from detect.learning.patch import CellLoss
from detect.learning.together import mean_number, of_all, own_part, samples_of_all, share_buffers, together
from tests.cards import EVEN, loss_weights
from tests.grids import grid_card

PROCESSES = 2


def grid_loss(part: slice) -> tuple[Tensor, Tensor]:
    """The loss of some of six crops, of which the later ones hold more objects, and its gradient."""
    generator, card = torch.Generator().manual_seed(1), grid_card(16.0, 1)
    raw = torch.randn(6, 7, 8, 8, generator=generator)[part].requires_grad_()
    there = (torch.rand(6, 1, 8, 8, generator=generator) < torch.arange(6).view(6, 1, 1, 1) / 12).float()
    targets = {
        "learned": torch.ones(6, 8, 8),
        "objectness": there,
        "box": torch.randn(6, 1, 4, 8, 8, generator=generator) / 4,
        "weight": there,
        "label": torch.randint(2, (6, 8, 8), generator=generator),
    }
    loss = GridLoss(card.head, card.stride, loss_weights(), ClassLoss(EVEN, np.ones(2), 0.0))
    total = torch.stack(list(loss(raw, {name: each[part] for name, each in targets.items()}).values())).sum()
    total.backward()
    return total.detach(), raw.grad


def cell_loss(part: slice) -> tuple[Tensor, Tensor]:
    """The loss of the cells of some of six crops, by the hardest empty ones of all, and its gradient."""
    generator = torch.Generator().manual_seed(2)
    raw = torch.randn(6, 3, 8, 8, generator=generator)[part].requires_grad_()
    drawn = torch.rand(6, 8, 8, generator=generator)
    output = torch.where(drawn < torch.arange(6).view(6, 1, 1) / 30, 1, 0)[part]
    total = CellLoss(ClassLoss(EVEN, np.ones(3), 0.0), 3.0)(raw, output)
    total.backward()
    return total.detach(), raw.grad


def exchanged(place: int) -> list[object]:
    """What else processes tell one another, of which place 0 has one number, and 1 the next."""
    layer = nn.BatchNorm2d(2)
    layer.running_mean += place + 1
    share_buffers(layer)
    alone = of_all({"a": place}, ["a"]), list(own_part("abcde"))
    with together():
        own = own_part("abcde")
        done = of_all({name: name.upper() for name in own}, "abcde")
    validated = samples_of_all([(torch.full((1,), place), torch.tensor([10 + place]))])
    mean = float(mean_number(torch.tensor(4.0 + place)))
    return [layer.running_mean.tolist(), alone, "".join(own), done, [each.tolist() for each in validated], mean]


def member(place: int, folder: Path, done: "multiprocessing.Queue[object]") -> None:
    """One of the processes, which each have half of the crops."""
    where = f"file://{folder / 'met'}"
    distributed.init_process_group("gloo", init_method=where, rank=place, world_size=PROCESSES)
    half = slice(3 * place, 3 * place + 3)
    losses = [[each.tolist() for each in loss(half)] for loss in (grid_loss, cell_loss)]
    done.put((place, losses, exchanged(place)))
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[tuple]:
    """What each process says; they are forked, as importing torch takes long."""
    context = multiprocessing.get_context("fork")
    folder, done = tmp_path_factory.mktemp("group"), context.Queue()
    started = [context.Process(target=member, args=(place, folder, done)) for place in range(PROCESSES)]
    for each in started:
        each.start()
    said = sorted((done.get(timeout=120) for _ in started), key=lambda each: each[0])
    for each in started:
        each.join()
    return said


@pytest.mark.parametrize(("number", "loss"), [(0, grid_loss), (1, cell_loss)])
def test_the_mean_of_the_losses_is_the_loss_of_all(
    number: int, loss: Callable[[slice], tuple[Tensor, Tensor]], members: list[tuple]
) -> None:
    """And so are the gradients, which are averaged: each process's are those of its crops, times their number."""
    total, gradient = loss(slice(0, 6))
    found = [each[1][number] for each in members]
    np.testing.assert_allclose(np.mean([each[0] for each in found]), float(total), rtol=1e-5)
    halves = np.concatenate([np.array(each[1]) for each in found]) / PROCESSES
    np.testing.assert_allclose(halves, gradient.numpy(), rtol=1e-4, atol=1e-7)
    alone = [float(loss(half)[0]) for half in (slice(0, 3), slice(3, 6))]
    assert abs(np.mean(alone) - float(total)) > 1e-3, "the halves alone would lose the same: this test shows nothing"


def test_work_is_shared_out_and_all_know_what_was_done(members: list[tuple]) -> None:
    """Outside of `together` each does all by itself; the numbers 4 and 5 have a mean of 4.5."""
    shared = [each[2] for each in members]
    assert [each[0] for each in shared] == [[1, 1], [1, 1]]
    assert [each[1] for each in shared] == [({"a": place}, list("abcde")) for place in range(2)]
    assert [each[2] for each in shared] == ["ace", "bd"]
    assert all(list(each[3].items()) == [(name, name.upper()) for name in "abcde"] for each in shared)
    assert all(each[4:] == [[[0, 1], [10, 11]], 4.5] for each in shared)

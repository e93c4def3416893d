import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from detect.learning.imbalance import ClassLoss
from tests.cards import EVEN, class_balance

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5], [-3.0, 1.0, 4.0]])
OUTPUT = torch.tensor([0, 2, 1])


def test_a_plain_loss_is_the_cross_entropy_everywhere() -> None:
    """Samples and cells of a map alike; smoothing as torch defines it."""
    for smoothing in (0.0, 0.3):
        loss = ClassLoss(EVEN, np.array([5.0, 5.0, 5.0]), smoothing)
        wanted = F.cross_entropy(LOGITS, OUTPUT, reduction="none", label_smoothing=smoothing)
        torch.testing.assert_close(loss(LOGITS, OUTPUT), wanted)
        cells = LOGITS.T[None, :, None, :]
        torch.testing.assert_close(loss(cells, OUTPUT[None, None])[0, 0], wanted)


def test_shares_of_classes_mix_their_losses() -> None:
    """A sample that is 0.3 class 0 and 0.7 class 2 loses that mixture of the two."""
    loss = ClassLoss(EVEN, np.ones(3), 0.0)
    mixed = loss(LOGITS[:1], torch.tensor([[0.3, 0.0, 0.7]]))
    alone = [float(loss(LOGITS[:1], torch.tensor([c]))) for c in (0, 2)]
    assert float(mixed) == pytest.approx(0.3 * alone[0] + 0.7 * alone[1])


def test_effective_numbers_by_hand() -> None:
    """b = 0.5: of 1, 2 and 3 samples the effective numbers are 1, 1.5 and 1.75; weights 1 on average over samples."""
    weight = class_balance(effective=0.5).weights(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(weight / weight[0], [1, 1 / 1.5, 1 / 1.75])
    assert (weight * [1, 2, 3]).sum() / 6 == pytest.approx(1)
    np.testing.assert_array_equal(EVEN.weights(np.array([1.0, 2.0, 3.0])), 1)
    nearly = class_balance(effective=0.999999).weights(np.array([10.0, 1000.0]))
    assert nearly[0] / nearly[1] == pytest.approx(100, rel=1e-3)
    assert np.isfinite(class_balance(effective=0.9).weights(np.array([0.0, 8.0]))).all()


def test_weights_multiply_the_losses_of_their_class() -> None:
    balance, number = class_balance(effective=0.5), np.array([1.0, 2.0, 3.0])
    plain, weighed = (ClassLoss(each, number, 0.0)(LOGITS, OUTPUT) for each in (EVEN, balance))
    wanted = torch.from_numpy(balance.weights(number)).float()[OUTPUT]
    torch.testing.assert_close(weighed / plain, wanted)


def test_focal_loss_passes_over_what_is_right() -> None:
    """gamma 2: a sample of probability p loses (1 - p)^2 of its entropy; equal logits of 3 classes leave 4 / 9."""
    plain, focal = (ClassLoss(each, np.ones(3), 0.0)(LOGITS, OUTPUT) for each in (EVEN, class_balance(focal=2.0)))
    assert float(focal[1] / plain[1]) == pytest.approx(4 / 9)
    p = float(LOGITS[0].softmax(dim=0)[0])
    assert float(focal[0] / plain[0]) == pytest.approx((1 - p) ** 2, rel=1e-5)


def test_adjusted_logits_learn_what_equal_classes_would_say() -> None:
    """Of 9 to 1 samples a constant's best log odds are log 9; adjusted, with tau 1, they are 0."""
    loss = ClassLoss(class_balance(adjust=1.0), np.array([9.0, 1.0]), 0.0)
    output = torch.tensor([0] * 9 + [1])
    odds = torch.tensor(0.0, requires_grad=True)
    loss(torch.stack([odds, torch.tensor(0.0)]).expand(10, 2), output).sum().backward()
    assert odds.grad is not None and abs(float(odds.grad)) < 1e-5
    plain = ClassLoss(EVEN, np.array([9.0, 1.0]), 0.0)
    best = torch.tensor(math.log(9), requires_grad=True)
    plain(torch.stack([best, torch.tensor(0.0)]).expand(10, 2), output).sum().backward()
    assert best.grad is not None and abs(float(best.grad)) < 1e-5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"effective": 1.0}, r"net\.loss\.classes\.effective.*\[0, 1\), got 1.0"),
        ({"effective": -0.1}, r"net\.loss\.classes\.effective.*\[0, 1\), got -0.1"),
        ({"focal": 0.5}, r"net\.loss\.classes\.focal.*got 0.5"),
        ({"adjust": -1.0}, r"net\.loss\.classes\.adjust.*got -1.0"),
    ],
)
def test_numbers_that_balance_nothing(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_balance(**change)

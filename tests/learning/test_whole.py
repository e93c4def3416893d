import numpy as np
import pytest
import torch
from torch.nn import functional as F

from detect.learning.hyperparameters import ClassBalance
from detect.learning.whole import ManyLoss

EVEN = ClassBalance(effective=0.0, focal=0.0, adjust=0.0)
LOGITS, WANTED = torch.tensor([[2.0, -1.0], [0.5, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])


def loss(balance: ClassBalance, number: tuple[float, float] = (50.0, 50.0), smoothing: float = 0.0) -> torch.Tensor:
    return ManyLoss(balance, np.array(number), 100, smoothing)(LOGITS, WANTED)


def test_without_compensation_it_is_the_mean_binary_cross_entropy() -> None:
    plain = F.binary_cross_entropy_with_logits(LOGITS, WANTED, reduction="none").mean(dim=1)
    torch.testing.assert_close(loss(EVEN), plain)


def test_focal_weighs_what_is_right_less() -> None:
    """Logit 2 of a class that is there: p = 0.881, -log p = 0.127, times (1 - p)^2 = 0.0142; logit -1 of one that is
    not: 1 - p = 0.731, 0.313 times 0.0723."""
    wanted = (0.12693 * 0.01421 + 0.31326 * 0.07233) / 2
    assert float(loss(ClassBalance(0.0, 2.0, 0.0))[0]) == pytest.approx(wanted, rel=1e-3)


def test_a_rare_class_that_is_missed_weighs_more() -> None:
    rare = loss(ClassBalance(0.999, 0.0, 0.0), (500.0, 5.0))
    assert rare[1] > loss(EVEN)[1] and rare[0] < loss(EVEN)[0]


def test_the_adjustment_adds_the_log_odds_of_each_class() -> None:
    """Of 100 images 50 and 20 show the classes: log odds 0 and log(20 / 80)."""
    shifted = F.binary_cross_entropy_with_logits(LOGITS + torch.tensor([0.0, np.log(0.25)]), WANTED, reduction="none")
    torch.testing.assert_close(loss(ClassBalance(0.0, 0.0, 1.0), (50.0, 20.0)), shifted.mean(dim=1).float())


def test_smoothing_wants_less_than_certainty() -> None:
    wanted = WANTED * 0.8 + 0.1
    plain = F.binary_cross_entropy_with_logits(LOGITS, wanted, reduction="none").mean(dim=1)
    torch.testing.assert_close(loss(EVEN, smoothing=0.2), plain)

"""The sanity check of Adebayo et al. (2018): a map that stays as it is with random weights shows no network."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detect.explaining.attribution import Attribution, Question, with_net
from detect.explaining.guided import readable

LIKE = 0.3
"""Rank correlation from which on a method fails the check."""

SHUFFLES = 2
"""Networks of random weights that a map is compared with: one alone may be alike by chance."""

NEAR = 4
"""Sides of the occluding square, which is half an object's, over which maps are compared."""


def randomised(net: nn.Module, seed: int) -> nn.Module:
    """Return a readable copy with the weights of every tensor shuffled, those of batch normalisation too.

    They keep their spread, so that activations stay of a size at which the layers work, and lose all that was learned.
    """
    made = readable(net)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in made.parameters():
            order = torch.randperm(weight.numel(), generator=generator).to(weight.device)
            weight.copy_(weight.flatten()[order].view_as(weight))
        for layer in made.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
                order = torch.randperm(layer.num_features, generator=generator).to(layer.running_mean.device)
                assert layer.running_var is not None
                layer.running_mean.copy_(layer.running_mean[order])
                layer.running_var.copy_(layer.running_var[order])
    return made


def rank_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Spearman's rank correlation of the sizes of two maps (H, W); 0 where one of them is constant.

    Pixels that are 0 in both, which the score is out of reach of, do not count: they are so with any weights.
    """
    from scipy.stats import spearmanr

    first, second = np.abs(one).ravel(), np.abs(other).ravel()
    counting = (first > 0) | (second > 0)
    first, second = first[counting], second[counting]
    if not len(first) or first.min() == first.max() or second.min() == second.max():
        return 0.0
    return float(spearmanr(first, second).statistic)


def likeness(
    method: Callable[[Question], Attribution], question: Question, made: Attribution, shuffled: Sequence[nn.Module]
) -> float:
    """Return the mean rank correlation of a method's map with those that it makes of networks of random weights.

    It is that of a square about the place, `NEAR` times as wide as the occluding one: whatever the weights, gradients
    are large near the cell and small far from it, so that over a whole tile two networks of random weights are alike,
    too (0.2 to 0.4 were measured).
    """
    others = [method(with_net(question, net)).values for net in shuffled]
    side = NEAR * question.square
    return float(np.mean([rank_correlation(middle(made.values, side), middle(other, side)) for other in others]))


def middle(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the square in the middle of a map (H, W), of a side at most."""
    height, width = values.shape
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    return values[top : height - top, left : width - left]

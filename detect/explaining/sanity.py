"""The sanity check of Adebayo et al. (2018): a map that stays as it is with random weights shows no network."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detect.explaining.attribution import Attribution, Question, with_net
from detect.explaining.guided import readable

LIKE = 0.3
"""Rank correlation from which on a method fails the check."""


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
    """Return Spearman's rank correlation of the sizes of two maps (H, W); 0 where one of them is constant."""
    from scipy.stats import spearmanr

    first, second = np.abs(one).ravel(), np.abs(other).ravel()
    if first.min() == first.max() or second.min() == second.max():
        return 0.0
    return float(spearmanr(first, second).statistic)


def likeness(
    method: Callable[[Question], Attribution], question: Question, made: Attribution, shuffled: nn.Module
) -> float:
    """Return the rank correlation of a method's map with the one that it makes of a network of random weights."""
    return rank_correlation(made.values, method(with_net(question, shuffled)).values)

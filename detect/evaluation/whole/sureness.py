"""How sure a classifier of whole images is: its temperature, and how far from its training an image is known."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logit, softmax

LEAST_TEMPERATURE, GREATEST_TEMPERATURE = 0.05, 20.0
"""Bounds of a temperature: a network that was right in all that it was shown would be made infinitely sure."""

LEAST_PROBABILITY = 1e-12
"""Least probability, and least difference to 1, whose logarithm is taken."""

ROOM = 0.05
"""By which part of it a limit is at most beyond the farthest image that is within it."""

DOUBTS = 1.0
"""Images that are counted as wrong beside those that were judged: with few, none wrong is not certainty."""


def temperature_of(truth: NDArray[np.integer] | NDArray[np.floating], probabilities: NDArray[np.floating]) -> float:
    """Return the temperature by which logits are divided, so that the probabilities fit the truth best.

    It minimises the negative log-likelihood (Guo et al. 2017), to which half an image that is wrong, and half that is
    right by chance alone, are added: `DOUBTS` images with equal shares of all classes.

    Args:
        truth: (N,) true outputs, or (N, C) 1 for each class that an image has, else 0.
        probabilities: (N, K) of each output at a temperature of 1, or (N, C) of each class by itself.

    Raises:
        ValueError: nothing was judged.
    """
    if not len(truth):
        raise ValueError("a temperature needs images with known classes, and there are none")
    logits = _logits(probabilities, many=truth.ndim > 1)

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        if truth.ndim > 1:
            fit = -(truth * _log_expit(scaled) + (1 - truth) * _log_expit(-scaled)).sum()
            doubt = -(_log_expit(scaled) + _log_expit(-scaled)).sum(axis=1).mean() / 2
        else:
            log_p = log_softmax(scaled, axis=1)
            fit, doubt = -log_p[np.arange(len(truth)), truth].sum(), -log_p.mean(axis=1).mean()
        return float(fit + DOUBTS * doubt)

    bounds = (np.log(LEAST_TEMPERATURE), np.log(GREATEST_TEMPERATURE))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def at_temperature(probabilities: NDArray[np.floating], temperature: float, *, many: bool) -> NDArray[np.float64]:
    """Return what probabilities (N, K) are when the logits that made them are divided by a temperature."""
    logits = _logits(probabilities, many=many) / temperature
    return np.asarray(expit(logits) if many else softmax(logits, axis=1), np.float64)


def familiar_within(distance: NDArray[np.floating], share: float) -> float:
    """Return the distance up to which an image is of a known class, so that a share of known ones is taken for unknown.

    It lies between two of them, where there is room, as arithmetic of another machine or precision measures a little
    otherwise.

    Args:
        distance: (N,) of some images of known classes that were not learned from, 1 or more.
        share: of them that may be farther, in [0, 1).
    """
    last = float(np.quantile(distance, 1 - share, method="higher"))
    beyond = distance[distance > last]
    room = (1 + ROOM) * last
    return min(room, (last + float(beyond.min())) / 2) if len(beyond) else room


def there_from(truth: NDArray[np.floating], probabilities: NDArray[np.floating]) -> float:
    """Return the probability from which on a class is there, by the highest mean F1 of the classes; the middle of ties.

    Args:
        truth: (N, C) 1 for each class that an image has, else 0.
        probabilities: (N, C) of each.
    """
    tried = np.linspace(0.05, 0.95, 91)
    occurring = truth.sum(axis=0) > 0
    wanted = truth[:, occurring] > 0.5
    found = probabilities[None, :, occurring] >= tried[:, None, None]
    right = (found & wanted).sum(axis=1)
    f1 = (2 * right / (found.sum(axis=1) + wanted.sum(axis=0))).mean(axis=1)
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(tried[best[len(best) // 2]])


def _logits(probabilities: NDArray[np.floating], *, many: bool) -> NDArray[np.float64]:
    inside = np.clip(np.asarray(probabilities, np.float64), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(logit(inside) if many else np.log(inside), np.float64)


def _log_expit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.logaddexp(0, -values)

"""How well a score tells what is of no known class from what is: figures of open-set recognition."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class UnknownFigures:
    """Figures of a confidence, below a threshold of which an example is called unknown.

    Attributes:
        known: examples of known classes.
        unknown: of others.
        auroc: the chance that an unknown one has less confidence than a known one, equal ones counting half (Hendrycks
            and Gimpel 2017); None where there is none of either.
        threshold: least confidence of what is not called unknown.
        false_unknown_rate: share of the known that are called unknown; None where there are none.
        unknown_rate: share of the unknown that are called so; None where there are none.
        false_known_rate_at_95: share of the unknown that pass at the highest threshold that 95 % of the known pass
            (FPR95); None where there is none of either.
        auroc_by_probability: what `auroc` is by the highest probability, where that is another confidence.
    """

    known: int
    unknown: int
    auroc: float | None
    threshold: float
    false_unknown_rate: float | None
    unknown_rate: float | None
    false_known_rate_at_95: float | None
    auroc_by_probability: float | None = None


PASSING = 0.95
"""Share of the known examples that pass in `false_known_rate_at_95`."""


def unknown_figures(known: NDArray[np.floating], unknown: NDArray[np.floating], threshold: float) -> UnknownFigures:
    """Return the figures of the confidence of examples.

    Args:
        known: (N,) confidence of examples of known classes, higher where surer.
        unknown: (M,) of examples of others.
        threshold: least confidence of what is not called unknown.

    Raises:
        ValueError: a confidence, or the threshold, is not a finite number.
    """
    known, unknown = np.asarray(known, np.float64).ravel(), np.asarray(unknown, np.float64).ravel()
    for what, values in (("known", known), ("unknown", unknown), ("threshold", np.array([threshold]))):
        wrong = values[~np.isfinite(values)]
        if len(wrong):
            raise ValueError(f"{what}: a confidence must be a finite number, got {wrong[0]} ({len(wrong)} such)")
    both = bool(len(known) and len(unknown))
    return UnknownFigures(
        len(known),
        len(unknown),
        _auroc(known, unknown) if both else None,
        float(threshold),
        float((known < threshold).mean()) if len(known) else None,
        float((unknown < threshold).mean()) if len(unknown) else None,
        float((unknown >= passing_threshold(known)).mean()) if both else None,
    )


def passing_threshold(known: NDArray[np.floating], share: float = PASSING) -> float:
    """Return the highest threshold that at least a share of the known examples pass.

    Args:
        known: (N,) confidence, 1 or more.
        share: in (0, 1].
    """
    ordered = np.sort(np.asarray(known, np.float64))[::-1]
    return float(ordered[int(np.ceil(share * len(ordered) - 1e-9)) - 1])


def _auroc(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    from sklearn.metrics import roc_auc_score

    of_known = np.repeat([True, False], [len(known), len(unknown)])
    return float(roc_auc_score(of_known, np.concatenate([known, unknown])))

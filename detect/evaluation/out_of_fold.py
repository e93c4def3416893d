"""What short trainings found in the scenes that each of them left out, and what is chosen on all of it together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from detect.evaluation.scene_validation import Candidates, CountSettings, NothingFoundError, select
from detect.evaluation.selection import MAX_F1_SLACK
from detect.labels.detections import Detections


@dataclass(frozen=True, eq=False)
class FoldFound:
    """What a fold's training found.

    Attributes:
        epochs: of the whole training.
        found: for the numbers, from 1, of the epochs after which scenes were counted: what was found in the scenes
            that were left out.
    """

    epochs: int
    found: Mapping[int, Candidates]


@dataclass(frozen=True, eq=False)
class BestEpoch:
    """The share of a training after which its weights are taken, and what was found then.

    Attributes:
        share: in (0, 1].
        candidates: of all folds.
        f1: at the best threshold of each epoch that was counted, by its number.
    """

    share: float
    candidates: Candidates
    f1: Mapping[int, float]


def pooled(folds: Sequence[FoldFound], epoch: int) -> Candidates:
    """Return what all folds found after an epoch, as one: every scene as the fold found it that left it out.

    Args:
        folds: of one division; each has the same separations in the same order, that of preference.
        epoch: number, from 1.
    """
    return {
        value: {name: table for fold in folds for name, table in fold.found[epoch][value].items()}
        for value in folds[0].found[epoch]
    }


def best_epoch(folds: Sequence[FoldFound], truth: Mapping[str, Detections], settings: CountSettings) -> BestEpoch:
    """Choose the epoch by the F1 of all folds together, at one threshold: the last within a standard error of the best.

    The standard error is sqrt(F1 (1 - F1) / n) of n true objects, at most 0.05, as in `select_threshold`: a difference
    below it is none, and the learning rate has fallen farthest at the last.

    Args:
        folds: of one division.
        truth: the annotated objects of all scenes.
        settings: how to count.

    Raises:
        NothingFoundError: nothing was found after any epoch.
        ValueError: no epoch was counted by all folds.
    """
    counted = sorted(set.intersection(*(set(fold.found) for fold in folds)))
    if not counted:
        raise ValueError(
            "no epoch of the short trainings was scored by all of them; raise trainer.max_steps, trainer.max_time or "
            "trainer.max_epochs, or lower finetune.score_every"
        )
    found = {epoch: pooled(folds, epoch) for epoch in counted}
    f1: dict[int, float] = {}
    nothing: NothingFoundError | None = None
    for epoch, candidates in found.items():
        try:
            f1[epoch] = select(candidates, truth, replace(settings, select="f1")).f1
        except NothingFoundError as error:
            nothing = error
    if nothing is not None and not f1:
        raise nothing
    best = max(f1.values())
    slack = min(math.sqrt(best * (1 - best) / sum(map(len, truth.values()))), MAX_F1_SLACK)
    chosen = max(epoch for epoch, value in f1.items() if value >= best - slack)
    return BestEpoch(chosen / folds[0].epochs, found[chosen], f1)

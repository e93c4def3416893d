"""The choice of threshold, separation and epoch on scenes that none of the networks that found objects had learned."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from detect.assembly.folders import TrainingPaths
from detect.assembly.folds.fold_files import read_fold, read_fold_facts, write_fold
from detect.assembly.folds.short_training import short_settings, train_fold
from detect.assembly.material import TrainingMaterial, learned_values
from detect.assembly.settings.train_settings import TrainSettings
from detect.assembly.training.resuming import check_same, longer_settings
from detect.assembly.validation import count_settings
from detect.evaluation.out_of_fold import FoldFound, best_epoch
from detect.evaluation.scene_validation import Judged, choose, truth_of

logger = logging.getLogger(__name__)

LITTLE = 0.25
"""F1 of the folds below which their threshold is called a guess."""


@dataclass(frozen=True, eq=False)
class FoldChoice:
    """What was chosen: by which judgement, and after which share of its epochs a training's weights are taken."""

    judged: Judged
    share: float

    def epochs(self, whole: int) -> int:
        """Return the number of epochs of a whole training after which its weights are taken."""
        return max(1, round(self.share * whole))


def choose_on_folds(
    settings: TrainSettings, material: TrainingMaterial, paths: TrainingPaths, labels: str, *, write: bool
) -> FoldChoice:
    """Train each fold on all scenes but its own, and choose on what they find in those.

    A fold that an earlier process of this run has finished is read from its file.

    Args:
        settings: of the run.
        material: what is learned.
        paths: the output folder.
        labels: the hash of what is labelled.
        write: whether this process keeps what a fold found, the first of several.
    """
    assert material.scenes is not None
    split, found = material.scenes.split, []
    short = short_settings(settings, len(split.folds))
    for number, left_out in enumerate(split.folds, 1):
        kept = _kept(settings, paths, number, left_out, labels)
        if kept is None:
            names = ", ".join(sorted(left_out))
            logger.info(
                "fold %d of %d: %d epochs without %s", number, len(split.folds), short.trainer.max_epochs, names
            )
            kept = train_fold(short, material, left_out, paths.fold_metrics(number))
            if write:
                write_fold(paths.fold(number), kept, settings.config, labels)
        found.append(kept)
    learned_values(settings, split, material.scenes.source)
    truth, counting = truth_of(split.train), count_settings(settings, material)
    best = best_epoch(found, truth, counting)
    choice = choose(best.candidates, truth, counting, material.spec)
    _log(best.f1, found, choice.scores["f1"])
    fold = {name: number for number, names in enumerate(split.folds, 1) for name in names}
    return FoldChoice(Judged(choice, split.train, truth, counting.criterion, fold), best.share)


def _kept(
    settings: TrainSettings, paths: TrainingPaths, number: int, left_out: frozenset[str], labels: str
) -> FoldFound | None:
    """Return what a fold found in an earlier process of this run; None where it is to be trained.

    Raises:
        ValueError: it was found with other settings or labels.
        RunFileError: the file is damaged.
    """
    path = paths.fold(number)
    if not settings.resume or not path.exists():
        return None
    facts = read_fold_facts(path)
    check_same(facts.settings, facts.labels, settings, labels)
    if set(facts.images) != left_out:
        raise ValueError(f"{path} is of {', '.join(facts.images[:3])} ...: overwrite=true starts afresh")
    if longer_settings(facts.settings, settings) and not paths.last_checkpoint.exists():
        logger.info("fold %d was trained with other limits of epochs, steps or time: it is trained anew", number)
        return None
    logger.info("fold %d is done: %s", number, path)
    return read_fold(path)


def _log(f1: Mapping[int, float], found: list[FoldFound], chosen: float) -> None:
    told = ", ".join(f"{value:.3f} after epoch {epoch}" for epoch, value in f1.items())
    logger.info("F1 on scenes left out, of %d folds of %d epochs: %s", len(found), found[0].epochs, told)
    if chosen < LITTLE:
        logger.warning(
            "the short trainings find little in the scenes that they leave out, so that the threshold is a guess: let "
            "them last longer (data.split.fold_epochs, trainer.max_epochs), label more images, or name some for "
            "validation (data.split.val)"
        )

"""Train: `python -m detect.train data.root=DIR data.annotations=FILE [output=DIR] ...`."""

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from detect.assembly.command import DONE, command

if TYPE_CHECKING:
    from detect.assembly.folders import TrainingPaths
    from detect.assembly.settings.train_settings import TrainSettings

logger = logging.getLogger("detect.train")

WORKERS_END_S = 15.0
"""Seconds in which the worker processes of a training that was killed have ended."""


def run(settings: "TrainSettings") -> int:
    """Train a network on labelled images and write the model; see `conf/train.yaml`."""
    from detect.assembly.folders import TrainingPaths
    from detect.assembly.multirun import run_folder
    from detect.assembly.starting.given_model import check_given
    from detect.reporting.output.journal import lock_folder

    if settings.init is not None:
        check_given(settings.init)
    if settings.trainer.overfit:
        from detect.assembly.given_labels import read_labels

        labels = read_labels(settings.data)

        from detect.assembly.training.overfit_check import check_overfit

        return check_overfit(settings, labels)
    paths = TrainingPaths(run_folder(settings.output))
    first = _prepare(settings, paths)
    wait_s = WORKERS_END_S if settings.data.loading.workers != 0 else 0.0
    with lock_folder(paths.folder, wait_s) if first else contextlib.nullcontext():
        return _train(settings, paths, first)


def _train(settings: "TrainSettings", paths: "TrainingPaths", first: bool) -> int:
    """Train in a prepared folder, into which the first of several processes writes.

    Folds of short trainings choose threshold, separation and epoch on scenes that each of them leaves out; then the
    model learns from all of them. Where images are named for validation, the model itself is judged on those.
    """
    from detect.assembly.given_labels import labels_digest, read_labels

    started = time.monotonic()
    labels = read_labels(settings.data)
    digest = labels_digest(labels)

    import pytorch_lightning as pl

    from detect.assembly.engine.network_runtime import check_runtime
    from detect.assembly.evaluation.evaluating_model import score_test
    from detect.assembly.folds.choosing import choose_on_folds
    from detect.assembly.folds.learner import make_learner
    from detect.assembly.starting.first_net import labels_and_start, with_start
    from detect.assembly.training.finishing import check_test_images, finish
    from detect.assembly.training.fitting import best_by, fit, load_best
    from detect.assembly.training.material import training_material
    from detect.assembly.training.resuming import keep_config, resumed_run
    from detect.assembly.training.trainer import end_after, make_trainer
    from detect.samples.loading import PatchData

    check_runtime(settings.runtime)
    digest = labels_and_start(digest, settings.init)
    resumed = resumed_run(settings, paths, digest)
    pl.seed_everything(settings.seed, verbose=False)
    material = with_start(settings, training_material(settings, labels))
    check_test_images(settings, labels, material)
    learner = make_learner(settings, material)
    monitor = None if material.folds else "val/f1" if learner.validator else best_by(material.spec.head)
    trainer = make_trainer(settings, paths, monitor, material, learner.callbacks, resumed, digest)
    if first:
        paths.clear_unfinished()
    if first and resumed is None:
        paths.clear(keep_folds=settings.resume)
        keep_config(settings, paths, resumed)
    chosen = choose_on_folds(settings, material, paths, digest, write=first) if material.folds else None
    if chosen is not None:
        end_after(trainer, chosen.epochs(settings.trainer.max_epochs))
    pl.seed_everything(settings.seed, verbose=False)
    samples, shared = material.samples, settings.trainer.use_distributed_sampler
    data = PatchData(samples.epoch, samples.val, material.loading, shared=shared)
    state = None if resumed is None else paths.last_checkpoint
    fit(trainer, learner.module, data, state, kept="the last whole epoch")
    if not first:
        return DONE
    load_best(learner.module, paths.best_checkpoint, settings.runtime.device, scored=chosen is None)
    keep_config(settings, paths, resumed)
    judged = chosen.judged if chosen else learner.validator.judged(learner.net) if learner.validator else None
    finish(settings, material, learner.net, learner.halo, judged, paths, started)
    logger.info("wrote %s in %.1f minutes", paths.model, (time.monotonic() - started) / 60)
    return score_test(settings, paths) if settings.trainer.test else DONE


def _prepare(settings: "TrainSettings", paths: "TrainingPaths") -> bool:
    """Make the output folder, and return whether this process writes into it; others of several devices are silent."""
    from detect.assembly.output_folders import output_folder
    from detect.assembly.training.first_process import first_process

    if not first_process(settings.trainer):
        logging.getLogger("detect").setLevel(logging.WARNING)
        return False
    output_folder(
        paths.folder,
        results=paths.results,
        allowed=settings.resume or settings.overwrite,
        way_out="resume=true goes on with it, overwrite=true starts afresh, or name another folder",
    )
    return True


main = command("train")(run)

if __name__ == "__main__":
    main()

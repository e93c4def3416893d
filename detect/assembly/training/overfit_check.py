"""The check before a training: whether one batch can be learned by heart."""

import logging
from dataclasses import replace

import pytorch_lightning as pl

from detect.assembly.command import DONE, SOME_FAILED
from detect.assembly.heads.choice import head_builder
from detect.assembly.settings.train_settings import AugmentSettings, TrainSettings
from detect.assembly.starting.first_net import first_net
from detect.assembly.training.fitting import interrupted
from detect.assembly.training.material import training_material
from detect.assembly.training.trainer import tool_trainer
from detect.assembly.validation import exact_halo
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.learning.trials.overfit import Losses, learned, one_batch

logger = logging.getLogger(__name__)


def check_overfit(settings: TrainSettings, labels: Annotations | PatchFolder) -> int:
    """Learn one batch by heart and return whether that went; see `conf/trainer/overfit.yaml`."""
    settings = _without_regularisation(settings)
    pl.seed_everything(settings.seed, verbose=False)
    material = training_material(settings, labels)
    net = first_net(settings, material, dropout=0.0, drop_path=0.0)
    exact_halo(settings, net, material)
    module = head_builder(settings.net).module(settings, net, material, None)
    noted = Losses()
    trainer = tool_trainer(settings, None, noted)
    with interrupted(trainer):
        trainer.fit(module, one_batch(material.samples, material.loading))
    losses = noted.values
    good = learned(losses)
    logger.info(
        "one batch of %d: loss %.4f at the start, %.4f at the end: %s",
        material.loading.batch_size,
        losses[0],
        losses[-1],
        "learned" if good else "NOT learned; more steps (trainer.overfit), or look at labels, rates and layers",
    )
    return DONE if good else SOME_FAILED


def _without_regularisation(settings: TrainSettings) -> TrainSettings:
    """Return the settings without augmentation, dropout, weight decay, label smoothing and late layers."""
    given = settings.augment
    augment = AugmentSettings(
        {},
        replace(given.exchange, p=0.0),
        replace(given.superimpose, p=0.0),
        replace(given.background, p=0.0),
        replace(given.patterns, superpose=0.0, drop=0.0, add=0.0),
        replace(given.mixup, p=0.0),
        replace(given.cutmix, p=0.0),
    )
    finetune = replace(settings.finetune, label_smoothing=0.0, weight_decay=0.0, unfreeze_at=0.0)
    trainer = replace(settings.trainer, max_epochs=settings.trainer.overfit)
    return replace(settings, augment=augment, finetune=finetune, trainer=trainer)

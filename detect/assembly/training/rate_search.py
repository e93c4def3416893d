"""The search for a learning rate: the loss of batches while one factor of all rates rises."""

from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl

from detect.assembly.heads.choice import head_builder
from detect.assembly.settings.train_settings import FindLrSettings
from detect.assembly.starting.first_net import first_net
from detect.assembly.training.fitting import interrupted
from detect.assembly.training.material import training_material
from detect.assembly.training.trainer import tool_trainer
from detect.assembly.validation import exact_halo
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.learning.trials.rates import BesideOutput, RateCurve, find_rates
from detect.samples.loading import PatchData


def rate_curve(settings: FindLrSettings, labels: Annotations | PatchFolder, folder: Path) -> RateCurve:
    """Return the loss at each factor of the configured rates; all layers learn from the start.

    Args:
        settings: of the training, and the span of factors.
        labels: what is learned.
        folder: takes a checkpoint for the time being.
    """
    pl.seed_everything(settings.seed, verbose=False)
    material = training_material(settings, labels)
    net = first_net(settings, material, settings.net.dropout, settings.net.drop_path)
    exact_halo(settings, net, material)
    settings = replace(
        settings,
        finetune=replace(settings.finetune, unfreeze_at=0.0),
        trainer=replace(settings.trainer, max_epochs=settings.span.steps),
    )
    module = head_builder(settings.net).module(settings, net, material, None)
    data = PatchData(material.samples.epoch, material.samples.val, material.loading)
    trainer = tool_trainer(settings, folder, BesideOutput())
    with interrupted(trainer):
        return find_rates(trainer, module, data, settings.span)

"""The search for a learning rate: the loss of batches while one factor of all rates rises."""

from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl

from detect.assembly.heads.choice import head_builder
from detect.assembly.material import training_material, weights_of
from detect.assembly.settings import FindLrSettings
from detect.assembly.trainer import tool_trainer
from detect.assembly.validation import exact_halo, set_normalisation
from detect.labels.annotations import Annotations
from detect.labels.formats.patch_folder import PatchFolder
from detect.learning.rates import BesideOutput, RateCurve, find_rates
from detect.nets.modelfile import build_pretrained
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
    net = build_pretrained(material.spec, weights_of(settings), settings.net.dropout, settings.net.drop_path)
    set_normalisation(net, material)
    exact_halo(settings, net, material)
    settings = replace(
        settings,
        finetune=replace(settings.finetune, unfreeze_at=0.0),
        trainer=replace(settings.trainer, max_epochs=settings.span.steps),
    )
    module = head_builder(settings.net).module(settings, net, material, None)
    data = PatchData(material.samples.epoch, material.samples.val, material.loading)
    return find_rates(tool_trainer(settings, folder, BesideOutput()), module, data, settings.span)

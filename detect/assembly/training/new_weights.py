"""The schedule of a training by the weights that it starts from: new ones learn everywhere and from the start."""

import logging
from dataclasses import replace

from detect.assembly.material import weights_of
from detect.assembly.settings.train_settings import LearningSettings
from detect.learning.hyperparameters import Schedule

logger = logging.getLogger(__name__)

PHOTOGRAPH_BANDS = (1, 3)
"""Numbers of bands for which pretrained first layers are what they were, or their sum."""


def schedule_of(settings: LearningSettings, bands: int) -> Schedule:
    """Return the schedule; a network with new weights learns from the first layer on.

    Args:
        settings: of the run.
        bands: of the images.

    Raises:
        ValueError: settings that hold new weights where they are.
    """
    schedule = settings.finetune
    if weights_of(settings) != "none" or settings.init is not None:
        if schedule.keep and bands not in PHOTOGRAPH_BANDS:
            logger.info(
                "finetune.keep=%d keeps the first layers, made from those of three bands, as they are for %d bands: "
                "with finetune.keep=0 they learn, slower",
                schedule.keep,
                bands,
            )
        return schedule
    if schedule.backbone_lr == 0:
        raise ValueError(
            "finetune.backbone_lr=0 keeps new weights as they are; use finetune=scratch or pretrained ones"
        )
    if schedule.interpolate != 1:
        raise ValueError(
            f"finetune.interpolate={schedule.interpolate:g} is between trained and pretrained weights, and these are "
            "new: use pretrained ones (net.weights), or leave it out"
        )
    unused = [
        f"{n}={getattr(schedule, n)}" for n in ("keep", "freeze_bn", "top", "unfreeze_at") if getattr(schedule, n)
    ]
    if unused:
        logger.info(
            "new weights: all layers learn from the start, finetune.%s not followed", ", finetune.".join(unused)
        )
    return replace(schedule, keep=0, freeze_bn=False, top=None, unfreeze_at=0.0)

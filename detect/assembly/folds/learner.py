"""From what is learned to what learns it: the network, its Lightning module, and what judges and mines on the way."""

from collections.abc import Callable
from dataclasses import dataclass

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from detect.assembly.heads.choice import head_builder
from detect.assembly.material import TrainingMaterial
from detect.assembly.settings.train_settings import LearningSettings
from detect.assembly.starting.first_net import first_net
from detect.assembly.training.trainer import weight_interpolation
from detect.assembly.validation import exact_halo, hard_negative_mining, scene_validator
from detect.evaluation.scene_validation import SceneValidator
from detect.learning.module import CountingModule, SceneScores
from detect.nets.modelfile import Net


@dataclass(frozen=True, eq=False)
class Learner:
    """What learns.

    Attributes:
        net: the network.
        halo: the context in pixels that makes its tiles exact; None for a classifier of bare patches where none does.
        validator: counts the validation scenes; None where there are none.
        module: trains the network.
        callbacks: what looks for hard negatives, and what interpolates weights.
    """

    net: Net
    halo: int | None
    validator: SceneValidator | None
    module: CountingModule
    callbacks: list[Callback]


def make_learner(
    settings: LearningSettings,
    material: TrainingMaterial,
    watched: Callable[[SceneValidator], SceneScores] | None = None,
) -> Learner:
    """Make what learns, from the run's seed: alike, whatever was trained before in this process.

    Args:
        settings: of the training.
        material: that is learned.
        watched: makes what counts while training out of the validator; None for the validator itself.
    """
    pl.seed_everything(settings.seed, verbose=False)
    net = first_net(settings, material, settings.net.dropout, settings.net.drop_path)
    halo = exact_halo(settings, net, material)
    validator = scene_validator(settings, material, net, halo)
    counts = validator if validator is None or watched is None else watched(validator)
    module = head_builder(settings.net).module(settings, net, material, counts)
    callbacks = hard_negative_mining(settings, material, net, halo) + weight_interpolation(settings, material)
    return Learner(net, halo, validator, module, callbacks)

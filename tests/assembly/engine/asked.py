"""Settings of predictions, on a CPU by torch."""

import numpy as np

from detect.assembly.settings.predict_settings import PredictSettings
from detect.nets.facts.looks import Looks
from tests.typed import settings_of


def settings(*overrides: str) -> PredictSettings:
    return settings_of("predict", "model=m", "images=i", "output=o", *overrides)


CPU_TORCH = ("runtime=torch", "runtime.device=cpu")


def looks_of_noise() -> Looks:
    made = Looks.of(127 + 40 * np.random.default_rng(0).standard_normal((3, 5000)))
    assert made is not None
    return made

"""How sure a trained classifier of whole images is: its temperature and thresholds, from the validation images."""

import logging
from dataclasses import dataclass
from typing import Any

from detect.assembly.heads.whole import WholeNet
from detect.assembly.material import TrainingMaterial
from detect.assembly.settings import TrainSettings
from detect.evaluation.classification import Classified, classify
from detect.evaluation.whole.sureness import at_temperature, known_from, temperature_of, there_from
from detect.inference.runtimes.torch_runtime import pick_device
from detect.nets.heads.whole import WholeClassifier

logger = logging.getLogger(__name__)

WHOLE_SEPARATION = 1.0
"""Greatest IoU of two boxes over the same scene, of different patterns."""


@dataclass(frozen=True, eq=False)
class Sureness:
    """What the validation images say of a classifier.

    Attributes:
        classified: their true outputs, and the probabilities that were made to fit.
        threshold: least probability of a pattern: below it, of one pattern an image, none is known; of many, none is
            there.
        notes: sentences on temperature and threshold.
        record: both, for the model's record.
    """

    classified: Classified
    threshold: float
    notes: tuple[str, ...]
    record: dict[str, float]


def sure(settings: TrainSettings, net: WholeClassifier, material: TrainingMaterial) -> Sureness:
    """Make a network's probabilities fit, for good, and choose the threshold."""
    assert isinstance(settings.net, WholeNet)
    judged = classify(
        net,
        material.spec,
        material.samples.val,
        device=pick_device(settings.runtime.device),
        batch_size=settings.data.loading.batch_size,
        tta="none",
        tta_combine="mean",
    )
    truth, many = judged.truth, settings.net.labels == "many"
    temperature = temperature_of(truth, judged.probabilities)
    net.divide_logits(temperature)
    probabilities = at_temperature(judged.probabilities, temperature, many=many)
    if many:
        threshold = there_from(truth, probabilities)
        note = f"a pattern is there from a probability of {threshold:.3f} on, by the best mean F1 of the classes"
    else:
        threshold = known_from(probabilities.max(axis=1), settings.net.unknown)
        below = int((probabilities.max(axis=1) < threshold).sum())
        note = (
            f"an image is of no known class below a probability of {threshold:.3f}, as {below} of {len(truth)} "
            f"validation images of known classes are (net.unknown={settings.net.unknown:g})"
        )
    fit = f"logits are divided by a temperature of {temperature:.3g}, so that probabilities fit the validation images"
    for each in (fit, note):
        logger.info("%s", each)
    record: dict[str, Any] = {"temperature": temperature, "known_from": threshold}
    return Sureness(Classified(truth, probabilities), threshold, (fit, note), record)

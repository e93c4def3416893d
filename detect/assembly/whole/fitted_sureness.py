"""How sure a trained classifier of whole images is: its temperature and limits, from the validation images."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from detect.assembly.heads.whole import WholeNet
from detect.assembly.material import TrainingMaterial
from detect.assembly.settings.train_settings import TrainSettings
from detect.evaluation.classification import Classified, Showing, classify, distances, features_of
from detect.evaluation.whole.sureness import at_temperature, familiar_within, temperature_of, there_from
from detect.inference.runtimes.torch_runtime import pick_device
from detect.nets.heads.familiarity import Familiarity
from detect.nets.heads.specs import WholeHead
from detect.nets.heads.whole import WholeClassifier
from detect.nets.net_spec import NetSpec

logger = logging.getLogger(__name__)

WHOLE_SEPARATION = 1.0
"""Greatest IoU of two boxes over the same scene, of different patterns."""

MOST_KEPT = 4096
"""Training images whose features are kept, at most: each image is compared with all of them."""


@dataclass(frozen=True, eq=False)
class Sureness:
    """What the validation images say of a classifier.

    Attributes:
        spec: of the network, with the number of training images that it now keeps.
        classified: their true outputs, and the probabilities that were made to fit.
        threshold: least probability of a pattern: of many, below it none is there; of one an image 0, as its
            `Familiarity` tells which are of no known class.
        notes: sentences on temperature and limits.
        record: both, for the model's record.
    """

    spec: NetSpec
    classified: Classified
    threshold: float
    notes: tuple[str, ...]
    record: dict[str, float]


def sure(settings: TrainSettings, net: WholeClassifier, material: TrainingMaterial) -> Sureness:
    """Make a network's probabilities fit, for good, and choose the threshold, or what it is not familiar with."""
    assert isinstance(settings.net, WholeNet)
    how = Showing.plain(pick_device(settings.runtime.device), settings.data.loading.batch_size)
    judged = classify(net, material.spec, material.samples.val, how)
    truth, many = judged.truth, settings.net.labels == "many"
    temperature = temperature_of(truth, judged.probabilities)
    net.divide_logits(temperature)
    probabilities = at_temperature(judged.probabilities, temperature, many=many)
    fit = f"logits are divided by a temperature of {temperature:.3g}, so that probabilities fit the validation images"
    notes = [fit]
    record, threshold, spec = {"temperature": temperature}, 0.0, material.spec
    if many:
        threshold = there_from(truth, probabilities)
        notes.append(f"a pattern is there from a probability of {threshold:.3f} on, by the best mean F1 of the classes")
    elif settings.net.unknown:
        spec, note = remember(net, material, settings.net.unknown, settings.seed, how)
        assert net.familiarity is not None
        notes.append(note)
        record["familiar_within"] = float(net.familiarity.limit)
    for each in notes:
        logger.info("%s", each)
    record["known_from"] = threshold
    return Sureness(spec, Classified(truth, probabilities), threshold, tuple(notes), record)


def remember(
    net: WholeClassifier, material: TrainingMaterial, share: float, seed: int, how: Showing
) -> tuple[NetSpec, str]:
    """Keep the features of the training images in a network, with a limit that a share of those of validation pass.

    Args:
        net: the network, changed in place.
        material: its images.
        share: of the validation images, that may be told to be of no known class.
        seed: of the draw where there are more than `MOST_KEPT`.
        how: the network is shown images.

    Returns:
        What the network is now, and a sentence on it.
    """
    learned, head = material.samples.learned, material.spec.head
    assert learned is not None and isinstance(head, WholeHead)
    familiarity = Familiarity.of(kept(features_of(net, learned, how), seed))
    far = distances(net, familiarity, material.samples.val, how)
    limit = np.float32(familiar_within(far, share))
    familiarity.limit.fill_(float(limit))
    net.familiarity = familiarity
    number, beyond = len(familiarity.known), int((far > limit).sum())
    note = (
        f"an image is of no known class where its features are farther than {limit:.3f} from the second nearest of "
        f"{number} training images, as {beyond} of {len(far)} validation images of known classes are "
        f"(net.unknown={share:g})"
    )
    return replace(material.spec, head=replace(head, known=number)), note


def kept(features: Tensor, seed: int) -> Tensor:
    """Return the features (N, C) of training images that are kept: all, or `MOST_KEPT`, drawn by chance and told."""
    if len(features) <= MOST_KEPT:
        return features
    logger.info("features of %d of the %d training images are kept, drawn by chance", MOST_KEPT, len(features))
    rows = np.sort(np.random.default_rng(seed).permutation(len(features))[:MOST_KEPT])
    return features[torch.from_numpy(rows).to(features.device)]

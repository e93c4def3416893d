"""Classifying bare patches with a patch classifier, and the scores of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, softmax
from torch.utils.data import DataLoader

from detect.evaluation.calibration import reliability_of
from detect.evaluation.classes.class_figures import unknown_of
from detect.evaluation.classes.classified import Classification, of_many_classes, of_one_class
from detect.evaluation.patch_scores import score_patches
from detect.evaluation.whole.many_scores import score_many
from detect.inference.decoding.decoder import decoder_of
from detect.inference.views import Views
from detect.nets.heads.familiarity import Familiarity
from detect.nets.heads.patch import PatchClassifier
from detect.nets.heads.specs import WholeHead
from detect.nets.heads.whole import WholeClassifier
from detect.nets.machine.device_memory import InParts
from detect.nets.net_spec import NetSpec
from detect.samples.loading import PatchSet


@dataclass(frozen=True)
class Showing:
    """How a network is shown samples.

    Attributes:
        device: where it runs.
        batch_size: samples at once.
        tta: the views of every sample.
        tta_combine: how views are combined.
    """

    device: torch.device
    batch_size: int
    tta: str
    tta_combine: str

    @classmethod
    def plain(cls, device: torch.device, batch_size: int) -> "Showing":
        """Return how each sample is shown as it is."""
        return cls(device, batch_size, "none", "mean")


class Classified(NamedTuple):
    """What a classifier says of samples.

    Attributes:
        truth: (N,) int64 true outputs; where a sample may have any number of classes, (N, C) float64, 1 for each.
        probabilities: (N, K) of each output; there of each class by itself.
    """

    truth: NDArray[Any]
    probabilities: NDArray[np.floating]


def classify(net: PatchClassifier | WholeClassifier, spec: NetSpec, patches: PatchSet, showing: Showing) -> Classified:
    """Classify patches, or whole images.

    Args:
        net: the network.
        spec: its outputs.
        patches: what it is shown.
        showing: how.

    Returns:
        Their true outputs and the probabilities.
    """
    truth, logits = _logits(net, spec, patches, showing)
    return Classified(truth, _probabilities(logits[:, : len(spec.outputs)], many=truth.ndim > 1))


def _probabilities(logits: NDArray[np.float32], *, many: bool) -> NDArray[np.float32]:
    return np.asarray(expit(logits) if many else softmax(logits, axis=1).clip(0, 1), np.float32)


def _logits(
    net: PatchClassifier | WholeClassifier, spec: NetSpec, patches: PatchSet, showing: Showing
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the true outputs of samples, and all channels of the network's (N, K)."""
    device = showing.device
    net = net.eval().to(device)

    def as_map(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        logits = net.classify(torch.from_numpy(pixels).to(device)).float()
        return np.asarray(logits.cpu().numpy()[..., None, None], np.float32)

    views = Views(partial(InParts(str(device)), as_map), decoder_of(spec), showing.tta, showing.tta_combine)
    truth, logits = [], []
    with torch.inference_mode():
        for pixels, output in DataLoader(patches, batch_size=showing.batch_size):
            logits.append(views(pixels.numpy())[..., 0, 0])
            truth.append(output.numpy())
    known = np.concatenate(truth)
    return known.astype(np.float64 if known.ndim > 1 else np.int64), np.concatenate(logits)


def distances(
    net: WholeClassifier, familiarity: Familiarity, images: PatchSet, showing: Showing
) -> NDArray[np.float64]:
    """Return how far images are from those of the training: (N,) in [0, 2]."""
    return familiarity.distance(features_of(net, images, showing)).double().cpu().numpy()


@torch.inference_mode()
def features_of(net: WholeClassifier, images: PatchSet, showing: Showing) -> torch.Tensor:
    """Return the features (N, C) of whole images, of the scene as it is."""
    net = net.eval().to(showing.device)
    loaded = DataLoader(images, showing.batch_size)
    return torch.cat([net.features(pixels.to(showing.device)).float() for pixels, _ in loaded])


def classification_of(
    net: Any, spec: NetSpec, patches: PatchSet, showing: Showing, names: Sequence[str] = (), least: float = 0.0
) -> Classification:
    """Return samples as a network classifies them.

    Args:
        net: the network.
        spec: its outputs.
        patches: what it is shown.
        showing: how.
        names: of the samples.
        least: probability from which on a class is found.

    Raises:
        ValueError: the network finds objects in images and classifies no patches, or a probability is none.
    """
    if not isinstance(net, PatchClassifier | WholeClassifier):
        raise ValueError(  # noqa: TRY004, a wrong use, not a wrong type
            f"a model of net={spec.head.name} finds objects in images; it cannot classify a folder of patches"
        )
    truth, logits = _logits(net, spec, patches, showing)
    return classified_by(truth, logits, spec, names, least)


def classified_by(
    truth: NDArray[Any], logits: NDArray[np.float32], spec: NetSpec, names: Sequence[str] = (), least: float = 0.0
) -> Classification:
    """Return samples as the channels of a network, or of an exported one, classify them.

    Args:
        truth: (N,) true outputs, -1 of none of them; or (N, C) 1 for each class of samples that may have any number.
        logits: (N, K) of all channels.
        spec: the outputs.
        names: of the samples.
        least: probability from which on a class is found.

    Raises:
        ValueError: a probability is none.
    """
    probabilities, last = _probabilities(logits[:, : len(spec.outputs)], many=truth.ndim > 1), logits.shape[1] - 1
    if truth.ndim > 1:
        return of_many_classes(truth, probabilities, spec.outputs, names, least)
    familiar = logits[:, last] if last == len(spec.outputs) else None
    return of_one_class(truth, probabilities, spec.outputs, names, least, familiar)


def scores_of(made: Classification, spec: NetSpec, threshold: float | None = None) -> dict[str, Any]:
    """Return the scores of samples that a network classified; see `scores_of_patches`.

    Those of none of its classes are left out, and are in numbers of their own (`unknown_figures`): `unknown_auroc`,
    `unknown_rate` and `false_unknown_rate`.

    Raises:
        ValueError: all are of none of its classes.
    """
    if made.many:
        return scores_of_patches(made.truth.astype(np.float64), made.probabilities, spec, threshold)
    known, told = made.truth.any(axis=1), unknown_of(made)
    if not known.any():
        raise ValueError(f"no sample is of a class that the model knows ({', '.join(spec.outputs)}): nothing is scored")
    scores = scores_of_patches(made.truth[known].argmax(axis=1), made.probabilities[known], spec, threshold)
    if told is None:
        return scores
    rates = {"unknown_rate": told.unknown_rate, "false_unknown_rate": told.false_unknown_rate}
    return {**scores, "unknown_auroc": told.auroc, **rates}


def scores_of_patches(
    truth: NDArray[Any], probabilities: NDArray[np.floating], spec: NetSpec, threshold: float | None = None
) -> dict[str, Any]:
    """Return the scores of classified patches, and how well the probability of the likeliest class holds.

    Args:
        truth: (N,) true outputs, or (N, C) 1 for each class of samples that may have any number.
        probabilities: (N, K) of each output.
        spec: the outputs.
        threshold: probability from which on a class is there, where there may be any number; a half by default.
    """
    whole = isinstance(spec.head, WholeHead)
    if truth.ndim > 1:
        return _named(score_many(truth, probabilities, spec.outputs, 0.5 if threshold is None else threshold), whole)
    likeliest = probabilities.argmax(axis=1)
    held = reliability_of(probabilities.max(axis=1).astype(np.float64).clip(0, 1), likeliest == truth)
    return _named({**score_patches(truth, probabilities, spec.outputs), **held}, whole)


def _named(scores: dict[str, Any], whole: bool) -> dict[str, Any]:
    """Return scores of patches; where these are whole images their number is called so."""
    return {"images" if whole and name == "patches" else name: value for name, value in scores.items()}

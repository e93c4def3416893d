"""Classifying bare patches with a patch classifier, and the scores of that."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch.utils.data import DataLoader

from detect.evaluation.calibration import reliability_of
from detect.evaluation.classes.classified import Classification, of_one_class
from detect.evaluation.scores import score_patches
from detect.inference.decoding.decoder import decoder_of
from detect.inference.views import Views
from detect.nets.card import NetSpec
from detect.nets.device_memory import InParts
from detect.nets.heads.patch import PatchClassifier
from detect.samples.loading import PatchSet


def classify(
    net: PatchClassifier,
    spec: NetSpec,
    patches: PatchSet,
    *,
    device: torch.device,
    batch_size: int,
    tta: str,
    tta_combine: str,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Classify patches.

    Args:
        net: the network.
        spec: its outputs.
        patches: what it is shown.
        device: where to run.
        batch_size: patches at once.
        tta: the views of every patch.
        tta_combine: how views are combined.

    Returns:
        Their true outputs (N,), and the probabilities (N, K).
    """
    net = net.eval().to(device)

    def as_map(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
        logits = net.classify(torch.from_numpy(pixels).to(device)).float()
        return np.asarray(logits.cpu().numpy()[..., None, None], np.float32)

    views = Views(partial(InParts(str(device)), as_map), decoder_of(spec), tta, tta_combine)
    truth: list[int] = []
    logits = []
    with torch.inference_mode():
        for pixels, output in DataLoader(patches, batch_size=batch_size):
            logits.append(views(pixels.numpy())[..., 0, 0])
            truth.extend(output.tolist())
    return np.array(truth, np.int64), np.asarray(softmax(np.concatenate(logits), axis=1).clip(0, 1), np.float32)


def classified_patches(
    net: Any, spec: NetSpec, patches: PatchSet, names: Sequence[str] = (), **options: Any
) -> Classification:
    """Return bare patches as a network classifies them; options as of `classify`.

    Args:
        net: the network.
        spec: its outputs.
        patches: what it is shown.
        names: of the patches.
        options: as of `classify`.

    Raises:
        ValueError: the network finds objects in images and classifies no patches, or a probability is none.
    """
    if not isinstance(net, PatchClassifier):
        raise ValueError(  # noqa: TRY004, a wrong use, not a wrong type
            f"a model of net={spec.head.name} finds objects in images; it cannot classify a folder of patches"
        )
    return of_one_class(*classify(net, spec, patches, **options), spec.outputs, names)


def scores_of_patches(truth: NDArray[np.int64], probabilities: NDArray[np.floating], spec: NetSpec) -> dict[str, Any]:
    """Return the scores of classified patches, and how well the probability of the likeliest class holds.

    Args:
        truth: (N,) true outputs.
        probabilities: (N, K) of each output.
        spec: the outputs.
    """
    likeliest = probabilities.argmax(axis=1)
    held = reliability_of(probabilities.max(axis=1).astype(np.float64).clip(0, 1), likeliest == truth)
    return {**score_patches(truth, probabilities, spec.outputs), **held}

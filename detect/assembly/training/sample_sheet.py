"""A sheet of training samples as a run of these settings draws and varies them."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from detect.assembly.material import TrainingMaterial
from detect.assembly.settings.train_settings import PreviewSettings
from detect.assembly.variation import make_mixer
from detect.labels.detections import Detections
from detect.learning.module import epoch_seed
from detect.reporting.pictures.sample_sheets import LabelledCrop, crop_samples, patch_samples
from detect.samples.crops import CropDataset
from detect.samples.loading import PatchSet

if TYPE_CHECKING:
    from PIL.Image import Image


def draw_samples(settings: PreviewSettings, material: TrainingMaterial) -> "Image":
    """Draw the first samples of the first epoch with their labels.

    Raises:
        ValueError: more samples than an epoch has.
    """
    samples: Any = material.samples.epoch(0)
    number = settings.samples
    if not 1 <= number <= len(samples):
        raise ValueError(f"samples must be in [1, {len(samples)}], the samples of an epoch, got {number}")
    if isinstance(samples, CropDataset):
        return _crops(samples, number, material)
    return _patches(samples, settings, material)


def _crops(samples: CropDataset, number: int, material: TrainingMaterial) -> "Image":
    crops = []
    for pixels, objects, valid in (samples.sample(i) for i in range(number)):
        truth = Detections(objects.xy, np.ones(len(objects.xy)), objects.label, material.spec.classes, objects.wh)
        crops.append(LabelledCrop(pixels, truth, objects.ignored, valid))
    return crop_samples(crops, material.spec.stride)


def _patches(samples: PatchSet, settings: PreviewSettings, material: TrainingMaterial) -> "Image":
    """Draw patches batch by batch, mixed as training mixes them."""
    outputs, size = material.spec.outputs, material.loading.batch_size
    mixer = make_mixer(settings.augment, len(outputs))
    torch.manual_seed(epoch_seed(settings.seed, 0))
    patches: list[np.ndarray] = []
    names: list[str] = []
    for start in range(0, settings.samples, size):
        drawn = [samples[i] for i in range(start, min(settings.samples, start + size))]
        pixels, output = (
            torch.stack([each[0] for each in drawn]),
            torch.stack([torch.as_tensor(each[1]) for each in drawn]),
        )
        if mixer is not None:
            mixed, output = mixer(pixels.float(), output)
            pixels = mixed.round().to(pixels.dtype) if not pixels.is_floating_point() else mixed
        patches += list(pixels.numpy())
        names += [_name(each, outputs) for each in output]
    return patch_samples(patches, names, material.spec.head.typical_size)


def _name(output: Tensor, outputs: tuple[str, ...]) -> str:
    """Return a class, the classes of a mixed patch with their shares, or all that a whole image has."""
    if output.ndim == 0:
        return outputs[int(output)]
    shares = [(share, name) for share, name in zip(output.tolist(), outputs, strict=True) if share > 0]
    return "\n".join(name if share == 1 else f"{share:.0%} {name}" for share, name in shares) or "(none)"

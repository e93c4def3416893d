"""Preview: `python -m detect.preview data.root=DIR data.annotations=FILE [output=sheet.jpg]` draws training samples."""

import logging
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor

from detect.assembly.command import DONE, command
from detect.assembly.given_labels import read_labels
from detect.assembly.material import TrainingMaterial, training_material
from detect.assembly.variation import mixer_of
from detect.labels.detections import Detections
from detect.learning.module import epoch_seed
from detect.reporting.pictures.sample_sheets import LabelledCrop, crop_samples, patch_samples
from detect.reporting.writing import write_picture
from detect.samples.crops import CropDataset
from detect.samples.loading import PatchSet

logger = logging.getLogger("detect.preview")


def run(cfg: DictConfig) -> int:
    """Draw a sheet of the first epoch's samples with their labels; see `conf/preview.yaml`."""
    path = _sheet_path(cfg)
    job = training_material(cfg, read_labels(cfg))
    samples = job.task.train(0)
    number = int(cfg.samples)
    if not 1 <= number <= len(samples):  # type: ignore[arg-type]
        raise ValueError(f"samples must be in [1, {len(samples)}], the samples of an epoch, got {number}")  # type: ignore[arg-type]
    sheet = _crops(samples, number, job) if isinstance(samples, CropDataset) else _patches(samples, number, job, cfg)
    write_picture(sheet, path)
    logger.info("wrote %d of the first epoch's samples to %s", number, path)
    return DONE


def _sheet_path(cfg: DictConfig) -> Path:
    path = Path(str(cfg.output)).expanduser()
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        raise ValueError(f"output={path} must end in .jpg: the sheet is a JPEG")
    if path.exists() and not cfg.overwrite:
        raise FileExistsError(f"output={path} is there already; overwrite=true replaces it, or name another file")
    return path


def _crops(samples: CropDataset, number: int, job: TrainingMaterial) -> Image.Image:
    crops = []
    for pixels, objects, valid in (samples.sample(i) for i in range(number)):
        found = Detections(objects.xy, np.ones(len(objects.xy)), objects.label, job.card.classes, objects.wh)
        crops.append(LabelledCrop(pixels, found, objects.ignored, valid))
    return crop_samples(crops, job.card.backbone.stride)


def _patches(samples: PatchSet, number: int, job: TrainingMaterial, cfg: DictConfig) -> Image.Image:
    """Draw patches batch by batch, mixed as training mixes them."""
    mixer = mixer_of(cfg, len(job.card.outputs), scenes=job.split is not None)
    torch.manual_seed(epoch_seed(cfg.seed, 0))
    size = job.loading.batch_size
    patches: list[np.ndarray] = []
    names: list[str] = []
    for start in range(0, number, size):
        drawn = [samples[i] for i in range(start, min(number, start + size))]
        pixels, output = torch.stack([each[0] for each in drawn]), torch.tensor([each[1] for each in drawn])
        if mixer is not None:
            mixed, output = mixer(pixels.float(), output)
            pixels = mixed.round().to(pixels.dtype) if not pixels.is_floating_point() else mixed
        patches += list(pixels.numpy())
        names += [_name(each, job.card.outputs) for each in output]
    return patch_samples(patches, names, job.card.patch_size)


def _name(output: Tensor, outputs: tuple[str, ...]) -> str:
    """Say a class, or the classes of a mixed patch with their shares."""
    if output.ndim == 0:
        return outputs[int(output)]
    return "\n".join(f"{share:.0%} {name}" for share, name in zip(output.tolist(), outputs, strict=True) if share > 0)


main = command("preview")(run)

if __name__ == "__main__":
    main()

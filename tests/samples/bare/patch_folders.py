"""Folders of small patches, and what a classifier of one is built from."""

from pathlib import Path

import numpy as np
from PIL import Image

from detect.imagery.resolution import Resolution
from detect.labels.formats.patch_folder import PatchFolder
from detect.nets.net_spec import BackboneSpec, NetSpec
from detect.samples.bare.folder_spec import folder_spec

AS_THEY_ARE = Resolution()


def backbone(bands: int) -> BackboneSpec:
    return BackboneSpec("test_resnet", 16, bands=bands)


def spec_of(
    folder: PatchFolder,
    negatives: list[str],
    bands: tuple[int, ...] | None = None,
    resolution: Resolution = AS_THEY_ARE,
) -> NetSpec:
    """What a classifier of a folder is built from, on the smallest backbone."""
    return folder_spec(folder, negatives, backbone, bands, resolution)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def patches(root: Path, *files: str, shape: tuple[int, ...] = (32, 32, 3)) -> Path:
    for file in files:
        save(root / file, np.zeros(shape, np.uint8))
    return root

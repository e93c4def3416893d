"""Torch datasets of patches: cut from scenes with context, or whole small files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from detect.imagery.reading import read_window
from detect.imagery.scenes import open_scene
from detect.imagery.windows import Window
from detect.learning.augment import Augment
from detect.learning.pixels import PixelSource
from detect.learning.sampling import Sample
from detect.learning.splits import LabelledScene
from detect.learning.transplant import Transplant
from detect.nets.modelfile import ModelCard


class SampleDataset(Dataset[tuple[Tensor, int]]):
    """Patches with their margin, cut around samples.

    Args:
        scenes: what the samples' scene numbers mean.
        samples: the patches.
        source: where pixels come from.
        side: patch_size + 2 * margin in pixels.
        augment: applied to every patch; None for validation and test.
        seed: with an item's place it decides its augmentation.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        samples: Sequence[Sample],
        source: PixelSource,
        side: int,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        self.scenes = scenes
        self.samples = samples
        self.source = source
        self.side = side
        self.augment = augment
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Give (pixels (bands, side, side) in the image's dtype, output)."""
        sample = self.samples[index]
        row, col = round(sample.y - self.side / 2), round(sample.x - self.side / 2)
        pixels = self.source.read(self.scenes[sample.scene].scene, Window(row, col, self.side, self.side))
        return _varied(pixels, self.augment, self.seed + index), sample.output


class PatchFiles:
    """Reads bare patches, a file each, all of one size and kind; each once in a process.

    Args:
        card: bands, dtype and patch size that every patch must have.
    """

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self._pixels: dict[Path, NDArray[np.generic]] = {}

    def read(self, path: Path) -> NDArray[np.generic]:
        """Give a file's pixels (bands, side, side).

        Raises:
            ValueError: another size or dtype than the others'.
        """
        if path not in self._pixels:
            scene = self.card.resolution.seen(open_scene(path))
            side = (self.card.patch_size, self.card.patch_size)
            if (scene.shape, scene.dtype) != (side, self.card.dtype):
                raise ValueError(
                    f"{path}: {scene.dtype} of {scene.shape}, others are {self.card.dtype}, {side}; make them alike"
                )
            self._pixels[path] = read_window(scene, scene.window, self.card.bands)
        return self._pixels[path]


class FolderDataset(Dataset[tuple[Tensor, int]]):
    """Bare patches.

    Args:
        paths: the files.
        outputs: the network's output that each should raise.
        files: reads them; shared, so that a file is read once.
        augment: applied to every patch; None for validation and test.
        seed: with an item's place it decides its augmentation.
        transplant: lays objects onto empty patches; those of output 0 are left alone. None for validation and test.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        outputs: NDArray[np.int64],
        files: PatchFiles,
        augment: Augment | None = None,
        seed: int = 0,
        transplant: Transplant | None = None,
    ) -> None:
        self.paths = paths
        self.outputs = outputs
        self.files = files
        self.augment = augment
        self.seed = seed
        self.transplant = transplant

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Give (pixels (bands, side, side) in the image's dtype, output)."""
        path, output = self.paths[index], int(self.outputs[index])
        if self.transplant is not None and output:
            pixels = self.transplant(path, output, self.seed + index)
        else:
            pixels = self.files.read(path)
        return _varied(pixels, self.augment, self.seed + index), output


def _varied(pixels: NDArray[np.generic], augment: Augment | None, seed: int) -> Tensor:
    if augment is not None:
        pixels, _ = augment(pixels, np.empty((0, 2)), seed)
    return torch.from_numpy(np.ascontiguousarray(pixels))

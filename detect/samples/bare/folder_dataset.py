"""Bare patches as a dataset, augmented and pasted upon."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from detect.samples.augment import Augment
from detect.samples.bare.patch_files import PatchFiles
from detect.samples.pasting.transplant import PasteOnOtherGround


def augmented(pixels: NDArray[np.generic], augment: Augment | None, seed: int) -> Tensor:
    """Return the pixels (C, H, W) of a patch as a tensor of their dtype, augmented unless `augment` is None."""
    if augment is not None:
        pixels, _ = augment(pixels, np.empty((0, 2)), seed)
    return torch.from_numpy(np.ascontiguousarray(pixels))


class FolderDataset(Dataset[tuple[Tensor, int]]):
    """Bare patches.

    Args:
        paths: the files.
        outputs: (N,) the target output of each.
        files: reads them; shared, so that a file is read once.
        augment: applied to every patch; None for validation and test.
        seed: the augmentation of a patch depends on it and on the patch's position.
        paste: pastes objects onto empty patches; patches of output 0 are not changed. None for validation and test.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        outputs: NDArray[np.int64],
        files: PatchFiles,
        augment: Augment | None = None,
        seed: int = 0,
        paste: PasteOnOtherGround | None = None,
    ) -> None:
        self.paths = paths
        self.outputs = outputs
        self.files = files
        self.augment = augment
        self.seed = seed
        self.paste = paste

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return (pixels (bands, side, side) in the image's dtype, output)."""
        return self.made(self.part(index))

    def part(self, index: int) -> tuple[Path, int, int]:
        """Return a patch's file, its output, and the seed of what varies it."""
        return self.paths[index], int(self.outputs[index]), self.seed + index

    def made(self, part: tuple[Path, int, int]) -> tuple[Tensor, int]:
        """Return the sample of a file, an output and a seed, of any epoch."""
        path, output, seed = part
        pixels = self.paste(path, output, seed) if self.paste is not None and output else self.files.read(path)
        return augmented(pixels, self.augment, seed), output

    def preload(self) -> None:
        """Read the patches, as many as are kept, for all processes to share."""
        pasted = self.paste is not None
        self.files.preload(
            [path for path, output in zip(self.paths, self.outputs, strict=True) if not (pasted and output)]
        )

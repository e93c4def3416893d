"""Crops of scenes: around objects and on empty ground, with their targets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from detect.imagery.windows import Window, clamp_far_edges
from detect.labels.regions import in_pieces
from detect.samples.augment import Augment, augmented_crop
from detect.samples.crop_draws import Crop, CropSampler
from detect.samples.epochs import SEED_STEP, CropDraw, Samples, balanced, check_objects, objects_and_notes
from detect.samples.labelled_scenes import LabelledScene, SceneSplit
from detect.samples.pasting.collage import PasteObjects
from detect.samples.pixel_cache import PixelSource
from detect.samples.sizes import close_objects_note
from detect.samples.targets import Objects
from detect.samples.varying.interleaved import interleaved

if TYPE_CHECKING:
    from detect.samples.loading import PatchSet  # imports lightning, which processes that cut crops do not need

PIECES = 8
"""Parts of a crop's side that an ignored box has at most: larger ones are cut, as what turns grows."""


class CropEncoder(Protocol):
    """What makes the targets of a head from the objects of a crop."""

    @property
    def stride(self) -> int:
        """Pixels per cell of the targets."""

    def __call__(self, objects: Objects, valid: NDArray[np.bool_]) -> dict[str, Tensor]:
        """Return the targets of a crop, each a tensor of its cells.

        Args:
            objects: in pixels of the crop.
            valid: (H, W), which pixels belong to the image.
        """


class CropDataset(Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """Crops of scenes with their targets.

    Args:
        scenes: the scenes that the crops number.
        crops: the crops.
        source: reads the pixels.
        encoder: makes the targets.
        augment: applied to every crop; None for validation.
        seed: the augmentation of a crop depends on it and on the crop's position.
        paste: pastes other objects and ground onto a crop before it is augmented; None for validation.
    """

    def __init__(
        self,
        scenes: Sequence[LabelledScene],
        crops: Sequence[Crop],
        source: PixelSource,
        encoder: CropEncoder,
        augment: Augment | None = None,
        seed: int = 0,
        paste: PasteObjects | None = None,
    ) -> None:
        self.scenes = scenes
        self.crops = crops
        self.source = source
        self.encoder = encoder
        self.augment = augment
        self.seed = seed
        self.paste = paste

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (pixels (bands, side, side) in the image's dtype, targets)."""
        return self.made(self.part(index))

    def part(self, index: int) -> tuple[Crop, int]:
        """Return a crop and the seed of what varies it."""
        return self.crops[index], self.seed + index

    def made(self, part: tuple[Crop, int]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sample of a crop and a seed, of any epoch."""
        pixels, objects, valid = self._sample(*part)
        return torch.from_numpy(interleaved(pixels)).permute(2, 0, 1), self.encoder(objects, valid)

    def preload(self) -> None:
        """Decode the photographs that are not decoded yet, for all processes to share."""
        self.source.preload([labelled.scene for labelled in self.scenes])

    def sample(self, index: int) -> tuple[NDArray[np.generic], Objects, NDArray[np.bool_]]:
        """Return a crop's pixels (bands, side, side), its objects, and the mask (side, side) of its valid ones."""
        return self._sample(*self.part(index))

    def _sample(self, crop: Crop, seed: int) -> tuple[NDArray[np.generic], Objects, NDArray[np.bool_]]:
        """Return what `sample` does, of a crop and a seed."""
        labelled, window = self.scenes[crop.scene], crop.window
        pixels, there = self.source.read_valid(labelled.scene, window)
        objects = objects_in_window(labelled, window)
        valid = there if window.inside(labelled.scene.shape) else there & _inside(window, labelled.scene.shape)
        if self.paste is not None:
            pixels, objects = self.paste(pixels, objects, valid, seed)
        if self.augment is not None:
            pixels, objects, valid = augmented_crop(pixels, objects, valid, self.augment, seed, crop.scene)
            if not there.all():
                pixels = self.source.filled(pixels, self.augment.moved_mask(there, seed))
        return pixels, objects, valid


def _inside(window: Window, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the pixels of a window that are in a scene (height, width)."""
    rows, cols = np.arange(window.row, window.row_stop), np.arange(window.col, window.col_stop)
    return ((rows >= 0) & (rows < shape[0]))[:, None] & ((cols >= 0) & (cols < shape[1]))


def objects_in_window(labelled: LabelledScene, window: Window) -> Objects:
    """Return the objects, and ignored boxes, in a window or up to half its side outside, in pixels of the window."""
    around, known = window.grown(window.width // 2), labelled.objects
    near = around.contains_xy(known.xy).nonzero()[0]
    corner = np.array([window.col, window.row], np.float64)
    xy = clamp_far_edges(known.xy[near], labelled.scene.shape) - corner
    wh, ignored = None if known.wh is None else known.wh[near], labelled.ignored
    if len(ignored):
        frame = np.array([around.col, around.row, around.col_stop, around.row_stop], np.float64)
        meets = (ignored[:, :2] < frame[2:]).all(axis=1) & (ignored[:, 2:] > frame[:2]).all(axis=1)
        ignored = in_pieces(ignored[meets], frame, window.width / PIECES) - np.tile(corner, 2)
    return Objects(xy, wh, known.label[near], ignored)


def crop_samples_of(
    split: SceneSplit,
    source: PixelSource,
    encoder: CropEncoder,
    recipe: CropDraw,
    augment: Augment | None,
    seed: int,
    paste: PasteObjects | None = None,
) -> Samples:
    """Make the samples of scenes: crops around objects and on empty ground.

    Args:
        split: the scenes; every epoch is drawn from those that train.
        source: reads their pixels.
        encoder: makes the targets.
        recipe: the shares.
        augment: applied to training crops; None for none.
        seed: of the draws, the augmentation and the pasting.
        paste: pastes objects and ground onto training crops; None for none.

    Raises:
        ValueError: a side without objects.
    """
    check_objects(split)
    sampler = CropSampler(split.train, recipe, seed)

    def train(epoch: int) -> "PatchSet":
        seeds = (seed + 1) * SEED_STEP + epoch * recipe.samples
        return CropDataset(split.train, sampler.draw(epoch), source, encoder, augment, seeds, paste)

    number, notes = objects_and_notes(split)
    note = close_objects_note(split.train, encoder.stride)
    drawn = balanced(list(number.values()), recipe.balance)
    val = CropDataset(split.val, CropSampler(split.val, recipe, seed).fixed() if split.val else [], source, encoder)
    return Samples(train, val, number, notes + ((note,) if note else ()), drawn, sampler.hard_negatives)

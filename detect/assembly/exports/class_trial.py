"""Whole images, or bare patches, that calibrate and try a network of 8 bits that classifies them: by the macro F1."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.classification import classified_by
from detect.inference.exports.parity import Run
from detect.nets.card import ModelCard
from detect.nets.heads.specs import WholeHead
from detect.samples.bare.patch_files import PatchFiles


@dataclass(frozen=True, eq=False)
class ClassTrial:
    """Classified images, a file each, of which some calibrate a network and others try it.

    Attributes:
        train: those that calibrate.
        val: those that try it.
        truth: of these, (N,) outputs, or (N, C) 1 for each class of images that may have any number.
        card: of the model.
    """

    score: ClassVar = "macro F1"

    train: Sequence[Path]
    val: Sequence[Path]
    truth: NDArray[Any]
    card: ModelCard

    def tiles(self, number: int) -> list[NDArray[np.generic]]:
        """Return tiles (1, bands, side, side), each a file, drawn by chance, the same in every run; all if few."""
        order = np.random.default_rng(0).permutation(len(self.train))[:number]
        files = PatchFiles(self.card, self.card.offset)
        return [files.read(self.train[i])[None] for i in sorted(order)]

    def tried(self, run: Run) -> float:
        """Return the mean F1 of the classes that occur, of what an exported network finds in the images that try it.

        An image that it tells to be of no known class is one whose class is missed.
        """
        head, files = self.card.head, PatchFiles(self.card, self.card.offset)
        least = self.card.threshold if isinstance(head, WholeHead) else 0.0
        cell = 0 if isinstance(head, WholeHead) else head.typical_size // self.card.stride // 2
        logits = np.stack([run(files.read(path)[None])[0, :, cell, cell] for path in self.val])
        made = classified_by(self.truth, logits, self.card, [path.name for path in self.val], least)
        right, true, found = ((each.sum(axis=0)) for each in (made.truth & made.found, made.truth, made.found))
        occurring = true > 0
        return float((2 * right[occurring] / (true + found)[occurring]).mean())

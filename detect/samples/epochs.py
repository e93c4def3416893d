"""How an epoch's samples are drawn: shares of objects, backgrounds and classes; and the samples of a training run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from detect.samples.hard_negatives import HardNegatives
    from detect.samples.labelled_scenes import SceneSplit
    from detect.samples.loading import PatchSet
    from detect.samples.sizes import ObjectSizes


FEW_OBJECTS = 30
"""Training objects of a class below which it is named before training: what is learned of it is what these are."""


@dataclass(frozen=True)
class Loading:
    """How batches are loaded.

    Attributes:
        batch_size: samples a batch.
        workers: processes that cut and augment samples; 0 for the main process alone, None for as many as suit the
            machine.
        cache: bytes of decoded photographs, or of patches and whole images, that are kept in memory.

    Raises:
        ValueError: a batch size below 2, or fewer than 0 workers.
    """

    batch_size: int
    workers: int | None
    cache: int

    def __post_init__(self) -> None:
        if self.batch_size < 2:
            raise ValueError(f"data.loading.batch_size must be 2 or more (batch normalisation), got {self.batch_size}")
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"data.loading.workers must be 0 or more, or auto, got {self.workers}")


@dataclass(frozen=True)
class CropDraw:
    """How an epoch's crops are drawn.

    Attributes:
        samples: crops an epoch.
        side: of a crop in pixels.
        empty_fraction: share of them without objects, in [0, 1).
        negative_fraction: share of the empty ones drawn around hard negatives, where there are any, in [0, 1].
        balance: 0 draws classes as often as they occur, 1 all equally often; between, by a power of their share.
        context: pixels around a crop that are shown with it, for a head that learns nothing there.

    Raises:
        ValueError: a number out of its range.
    """

    samples: int
    side: int
    empty_fraction: float
    negative_fraction: float
    balance: float
    context: int = 0

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"data.sampling.samples must be 1 or more, got {self.samples}")
        if not 0 <= self.empty_fraction < 1:
            raise ValueError(f"data.sampling.empty_fraction must be in [0, 1), got {self.empty_fraction}")
        for name in ("negative_fraction", "balance"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"data.sampling.{name} must be in [0, 1], got {getattr(self, name)}")


SEED_STEP = 1_000_003
"""Difference between the augmentation seeds of two runs with consecutive seeds."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a training run.

    Attributes:
        epoch: returns the samples of an epoch, from 0.
        val: the validation samples.
        outputs: number of training patches or objects of each output of the network.
        notes: sentences for the log and the report.
        drawn: (outputs,) how often each output of the network is drawn, relative to the others.
        hard_negatives: of the sampler that draws the epochs; None for bare patches.
        warnings: sentences on settings that do not suit the objects.
        sizes: the sizes of the training objects; None for bare patches, and for points without neighbours.
        learned: the training images as they are, each once; None of anything but whole images.
    """

    epoch: Callable[[int], "PatchSet"]
    val: "PatchSet"
    outputs: dict[str, int]
    notes: tuple[str, ...]
    drawn: NDArray[np.float64]
    hard_negatives: "HardNegatives | None" = None
    warnings: tuple[str, ...] = ()
    sizes: "ObjectSizes | None" = None
    learned: "PatchSet | None" = None

    def with_notes(self, sizes: "ObjectSizes | None", notes: tuple[str, ...], warnings: tuple[str, ...]) -> "Samples":
        """Return these samples with the objects' sizes, and notes and warnings added."""
        return replace(self, notes=(*self.notes, *notes), warnings=(*self.warnings, *warnings), sizes=sizes)


def class_weights(label: NDArray[np.integer], balance: float) -> NDArray[np.float64]:
    """Return the weight (N,) with which each object is drawn: the number of its class to the power of -balance.

    Args:
        label: (N,) class numbers.
        balance: 0 draws classes as they occur, 1 all equally often.
    """
    return np.bincount(label)[label].astype(np.float64) ** -balance


def balanced(number: Sequence[int], balance: float) -> NDArray[np.float64]:
    """Return how often each class is drawn (C,), as many in all as there are objects.

    Args:
        number: (C,) objects of each class.
        balance: 0 draws classes as they occur, 1 all equally often.
    """
    count = np.array(number, np.float64)
    share = np.where(count > 0, np.maximum(count, 1) ** (1 - balance), 0)
    return share * count.sum() / max(share.sum(), 1)


def check_objects(split: "SceneSplit") -> None:
    """Check that there are objects to train on, and to validate with where folds do not.

    Raises:
        ValueError: no object on one of the two sides.
    """
    for side, scenes in (("training", split.train), ("validation", split.val)):
        if split.folds and side == "validation":
            continue
        if not any(len(labelled.objects) for labelled in scenes):
            raise ValueError(f"the {side} images hold no objects; choose them with data.split.val and data.split.test")


def objects_and_notes(split: "SceneSplit") -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the number of training objects of each class, and notes for the log and the report."""
    classes = split.train[0].objects.classes
    number = {name: sum(s.objects.counts()[name] for s in split.train) for name in classes}
    missing = [name for name, n in number.items() if not n]
    notes: tuple[str, ...] = (split.note,)
    if missing:
        notes += (f"no training object of class {', '.join(missing)}: the model cannot find them",)
    few = [f"{name} ({n})" for name, n in number.items() if 0 < n < FEW_OBJECTS]
    if few:
        notes += (
            f"fewer than {FEW_OBJECTS} training objects of class {', '.join(few)}: what helps is more of them, "
            "labelled in other images, then data.sampling.balance, and augment.superimpose.p with .rare",
        )
    return number, notes

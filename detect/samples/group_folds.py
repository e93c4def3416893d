"""Draws of whole groups of images, for validation and for cross-validation, with the classes shared out evenly."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import RepeatedKFold, ShuffleSplit

from detect.labels.annotations import AnnotatedImage

DRAWS = 200
"""Draws among which the one is taken that shares the classes out most evenly."""


Part = NDArray[np.intp]
"""Positions of groups that are held back together."""


def group_of(image: AnnotatedImage) -> str:
    """Give the name of an image's group; an image without one is its own."""
    return image.group or image.name


def class_counts(images: Sequence[AnnotatedImage], groups: Sequence[str]) -> NDArray[np.int64]:
    """Count the objects of each class in each group: (groups, classes)."""
    place = {name: i for i, name in enumerate(groups)}
    counts = np.zeros((len(groups), len(images[0].objects.classes) if images else 0), np.int64)
    for image in images:
        np.add.at(counts[place[group_of(image)]], image.objects.label, 1)
    return counts


def deal(counts: NDArray[np.int64], parts: int, seed: int) -> list[Part]:
    """Deal groups into parts of equal size, give or take one, each to be held back in turn.

    Of `DRAWS` deals that one is taken that leaves most classes something to train on, then most parts with objects,
    then the classes' shares nearest to equal. As many parts as groups are the groups in their order.

    Args:
        counts: (groups, classes) objects.
        parts: how many, at least 2.
        seed: of the draws.
    """
    if parts == len(counts):
        return [np.array([i]) for i in range(parts)]
    held = [part for _, part in RepeatedKFold(n_splits=parts, n_repeats=DRAWS, random_state=seed).split(counts)]
    deals = (held[i : i + parts] for i in range(0, len(held), parts))
    return max(deals, key=lambda dealt: _evenness(counts, dealt))


def draw(counts: NDArray[np.int64], number: int, seed: int) -> Part:
    """Draw groups to hold back; of `DRAWS` draws the one that `deal` would prefer.

    Args:
        counts: (groups, classes) objects.
        number: how many groups.
        seed: of the draws.
    """
    draws = ShuffleSplit(n_splits=DRAWS, test_size=number, random_state=seed).split(counts)
    return max((held for _, held in draws), key=lambda held: _evenness(counts, [held]))


def _evenness(counts: NDArray[np.int64], parts: Sequence[Part]) -> tuple[int, int, float]:
    """Rate parts that are held back in turn: classes left to train on, parts with objects, nearness of the shares."""
    total = counts.sum(axis=0)
    held = np.array([counts[part].sum(axis=0) for part in parts])
    wanted = np.array([[len(part) / len(counts)] for part in parts])
    apart = np.abs(held / np.maximum(total, 1) - wanted)[:, total > 0]
    return int((held < total).sum()), int(held.any(axis=1).sum()), -float(apart.sum())

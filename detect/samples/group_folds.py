"""Draws of whole groups of images, for validation and cross-validation, with every class spread evenly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detect.labels.annotations import AnnotatedImage
from detect.labels.regions import outside
from detect.samples.labelled_scenes import ChosenOn

CANDIDATE_DRAWS = 200
"""Draws of which the one with the most evenly spread classes is taken."""


MAX_NAMED = 5
"""Images of a fold that a note names, at most."""


@dataclass(frozen=True)
class Folds:
    """Which images each short training of a run leaves out.

    Attributes:
        names: of the images, a set a fold; none where there are no two to leave out in turn.
        note: a sentence on them, and what they cannot tell.
        chosen_on: the same in a word.
    """

    names: tuple[frozenset[str], ...]
    note: str
    chosen_on: ChosenOn


Part = NDArray[np.intp]
"""Positions (n,) of the groups that validate, or are tested, together."""


def group_of(image: AnnotatedImage) -> str:
    """Return the name of an image's group; an image without a group is its own."""
    return image.group or image.name


def class_counts(images: Sequence[AnnotatedImage], groups: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of objects of each class in each group: (groups, classes)."""
    place = {name: i for i, name in enumerate(groups)}
    counts = np.zeros((len(groups), len(images[0].objects.classes) if images else 0), np.int64)
    for image in images:
        np.add.at(counts[place[group_of(image)]], image.objects.label, 1)
    return counts


def divide(counts: NDArray[np.int64], parts: int, seed: int) -> list[Part]:
    """Divide groups into parts whose sizes differ by one at most, each to be tested in turn.

    Of `CANDIDATE_DRAWS` random divisions the one is taken that leaves the most classes something to train on, then has
    the most parts with objects, then the most equal shares of the classes. As many parts as groups are the groups in
    their order.

    Args:
        counts: (groups, classes) objects.
        parts: number of parts, 2 or more.
        seed: of the draws.
    """
    from sklearn.model_selection import RepeatedKFold

    if parts == len(counts):
        return [np.array([i]) for i in range(parts)]
    tested = [
        part for _, part in RepeatedKFold(n_splits=parts, n_repeats=CANDIDATE_DRAWS, random_state=seed).split(counts)
    ]
    divisions = (tested[i : i + parts] for i in range(0, len(tested), parts))
    return max(divisions, key=lambda division: _evenness(counts, division))


def fold_names(images: Sequence[AnnotatedImage], number: int, seed: int) -> tuple[frozenset[str], ...]:
    """Return the names of the images that each fold of a training leaves out: whole groups, and objects in each fold.

    Groups without objects are dealt to the folds in turn. Fewer than two groups with objects give no folds.

    Args:
        images: those that train.
        number: folds wanted; there are never more than groups with objects.
        seed: of the division.
    """
    labelled = [image for image in images if len(outside(image.objects, image.ignored))]
    groups = sorted({group_of(image) for image in labelled})
    parts = min(number, len(groups))
    if parts < 2:
        return ()
    divided = divide(class_counts(labelled, groups), parts, seed)
    fold_of = {groups[i]: fold for fold, part in enumerate(divided) for i in part.tolist()}
    bare = sorted({group_of(image) for image in images} - set(groups))
    fold_of |= {group: i % parts for i, group in enumerate(bare)}
    return tuple(frozenset(image.name for image in images if fold_of[group_of(image)] == fold) for fold in range(parts))


def chosen_folds(images: Sequence[AnnotatedImage], number: int, seed: int) -> Folds:
    """Return folds of whole groups; of the images of the only one with objects; none of a single image with objects.

    Args:
        images: those that train.
        number: folds wanted.
        seed: of the division.
    """
    names = fold_names(images, number, seed)
    if names:
        return Folds(names, _fold_note(names), "folds of other scenes")
    names = fold_names([replace(image, group=None) for image in images], number, seed)
    only = ", ".join(sorted({group_of(image) for image in images if len(image.objects)}))
    note = (
        f"{_fold_note(names)}; all objects are of one group, {only}: its images are alike, so these scores flatter, "
        "and how the model does on another scene is not known; label another group"
    )
    return Folds(names, note, "folds of one scene")


def _fold_note(folds: Sequence[frozenset[str]]) -> str:
    """Return by which short trainings is chosen, each with the first of the images that it leaves out."""
    shown = "; ".join(
        ", ".join(sorted(names)[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
        for names in folds
    )
    return (
        f"threshold, separation and epoch are chosen by {len(folds)} short trainings, each judged by the images that "
        f"it leaves out: {shown}"
    )


def draw(counts: NDArray[np.int64], number: int, seed: int) -> Part:
    """Draw groups for validation; of `CANDIDATE_DRAWS` draws the one that `divide` would prefer.

    Args:
        counts: (groups, classes) objects.
        number: number of groups to draw.
        seed: of the draws.
    """
    from sklearn.model_selection import ShuffleSplit

    draws = ShuffleSplit(n_splits=CANDIDATE_DRAWS, test_size=number, random_state=seed).split(counts)
    return max((drawn for _, drawn in draws), key=lambda drawn: _evenness(counts, [drawn]))


def _evenness(counts: NDArray[np.int64], parts: Sequence[Part]) -> tuple[int, int, float]:
    """Return the rank of a division: classes left to train on, parts with objects, and evenness of the shares."""
    total = counts.sum(axis=0)
    inside = np.array([counts[part].sum(axis=0) for part in parts])
    wanted = np.array([[len(part) / len(counts)] for part in parts])
    unevenness = np.abs(inside / np.maximum(total, 1) - wanted)[:, total > 0]
    return int((inside < total).sum()), int(inside.any(axis=1).sum()), -float(unevenness.sum())

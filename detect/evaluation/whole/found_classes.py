"""Scores of the classes that a run found in whole images, against known ones: of what is told, not of probabilities."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN, NONE = "unknown", "none found"
"""Columns of the confusion for images of no known class, and for those with none where each has one."""

Classes = Mapping[str, Collection[str]]
"""The classes of each image, by its name."""


def score_found(found: Classes, truth: Classes, classes: Sequence[str], unknown: Collection[str]) -> dict[str, Any]:
    """Score classes of whole images, of which each may have one or any number.

    `macro_f1` and `balanced_accuracy` (the mean recall) are means over the classes that occur in the truth. An image of
    no known class is one whose classes are missed.

    Args:
        found: by image; the same images as of `truth`.
        truth: the known ones.
        classes: all that may occur.
        unknown: the images that are told to be of no known class.

    Returns:
        `accuracy`, the share of the images whose classes are all right, `f1`, `precision` and `recall` of all labels
        together, `macro_f1`, `balanced_accuracy`, `unknown`, the number of images, and `unknown_share`; `per_class`,
        `per_image`, and, where each image has one class at the most, `confusion` (rows true, columns found).

    Raises:
        ValueError: no images, or other ones.
    """
    if not truth or found.keys() != truth.keys():
        raise ValueError(f"found and true classes must be of the same images, one or more, got {len(truth)} true ones")
    there, wanted = (_table(each, truth, classes) for each in (found, truth))
    right = there & wanted
    per_class = {
        name: _rates(int(right[:, i].sum()), int(there[:, i].sum()), int(wanted[:, i].sum()))
        for i, name in enumerate(classes)
    }
    occurring = [each for each in per_class.values() if each["true"]]
    scores = {
        "accuracy": float((there == wanted).all(axis=1).mean()),
        **{
            name: _rates(int(right.sum()), int(there.sum()), int(wanted.sum()))[name]
            for name in ("f1", "precision", "recall")
        },
        "macro_f1": float(np.mean([each["f1"] for each in occurring])) if occurring else None,
        "balanced_accuracy": float(np.mean([each["recall"] for each in occurring])) if occurring else None,
        "images": len(truth),
        UNKNOWN: len(unknown),
        "unknown_share": len(unknown) / len(truth),
        "per_class": per_class,
        "per_image": {
            name: {
                "true": len(truth[name]),
                "found": len(found[name]),
                "right": bool(set(truth[name]) == set(found[name])),
            }
            for name in truth
        },
    }
    single = max(there.sum(axis=1).max(), wanted.sum(axis=1).max()) <= 1 and bool(wanted.any(axis=1).all())
    return scores | ({"confusion": _confusion(found, truth, classes, unknown)} if single else {})


def _table(by_image: Classes, order: Classes, classes: Sequence[str]) -> NDArray[np.bool_]:
    """Return which image has which class: (images, classes)."""
    place = {name: i for i, name in enumerate(classes)}
    table = np.zeros((len(order), len(classes)), bool)
    for row, image in enumerate(order):
        table[row, [place[name] for name in by_image[image]]] = True
    return table


def _confusion(
    found: Classes, truth: Classes, classes: Sequence[str], unknown: Collection[str]
) -> dict[str, list[Any]]:
    """Return the numbers of images by their class and by what was found; the last two columns are no classes."""
    labels = [*classes, NONE, UNKNOWN] if not {NONE, UNKNOWN} & {*classes} else [*classes, f"({NONE})", f"({UNKNOWN})"]
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    for name, known in truth.items():
        row = classes.index(next(iter(known)))
        col = classes.index(next(iter(found[name]))) if found[name] else len(classes) + (name in unknown)
        matrix[row, col] += 1
    return {"labels": labels, "matrix": matrix.tolist()}


def _rates(right: int, found: int, true: int) -> dict[str, Any]:
    return {
        "precision": right / found if found else None,
        "recall": right / true if true else 0.0,
        "f1": 2 * right / (found + true) if found + true else 0.0,
        "true": true,
        "found": found,
    }

"""Classification examples: what is true of each, the probabilities of the classes, and the classes found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN, NONE = "unknown", "none"
"""What an example is called that is of none of the classes, or in which none was found: of those of one class each, and
of those of any number."""


@dataclass(frozen=True, eq=False)
class Classification:
    """Examples (patches, or whole images), each of one class, or of any number of them.

    A row of `truth` or `found` without a class is an example of none of them: unknown.

    Attributes:
        truth: (N, K) bool, the classes that each example is of.
        probabilities: (N, K) float64 in [0, 1].
        found: (N, K) bool, the classes found in each.
        classes: the K class names.
        names: of the N examples; none where they have none.
        least: the probability from which on a class is found.
        many: whether an example may be of several classes.
        familiar: (N,) by how much each is within what the classifier knows, below 0 where it is of no class that it
            knows; None where that goes by the highest probability.
    """

    truth: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    found: NDArray[np.bool_]
    classes: tuple[str, ...]
    names: tuple[str, ...]
    least: float
    many: bool = False
    familiar: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        """Check the shapes, the names and the probabilities.

        Raises:
            ValueError: no examples, shapes or numbers of names that disagree, a class named twice, a probability that
                is none, or more than one class of an example that has one.
        """
        shape = (len(self.truth), len(self.classes))
        shapes = {"truth": self.truth.shape, "probabilities": self.probabilities.shape, "found": self.found.shape}
        wrong = [f"{name} {each}" for name, each in shapes.items() if each != shape]
        if wrong or not shape[0] or not shape[1]:
            raise ValueError(f"examples must be of shape {shape}, 1 or more of 1 or more classes; got {shapes}")
        if self.names and len(self.names) != shape[0]:
            raise ValueError(f"{len(self.names)} names for {shape[0]} examples; give one each, or none")
        if len(set(self.classes)) < shape[1]:
            raise ValueError(f"class names must differ, got {list(self.classes)}")
        self._check_probabilities()
        for what, marks in (("is", self.truth), ("was found as", self.found)):
            if not self.many and (several := np.flatnonzero(marks.sum(axis=1) > 1)).size:
                raise ValueError(f"{self.name(int(several[0]))} {what} more than one class; give many=True")

    def _check_probabilities(self) -> None:
        inside = (self.probabilities >= 0) & (self.probabilities <= 1)
        if inside.all():
            return
        row, column = (int(each[0]) for each in np.nonzero(~inside))
        raise ValueError(
            f"{self.name(row)}: the probability of {self.classes[column]} is {self.probabilities[row, column]}, and "
            f"must be in [0, 1] ({int((~inside).any(axis=1).sum())} of {len(inside)} examples): look at the values of "
            "that image, and at the loss of the training"
        )

    def __len__(self) -> int:
        return len(self.truth)

    def name(self, row: int) -> str:
        """Return the name of an example, or its number from 1."""
        return self.names[row] if self.names else f"example {row + 1}"

    @property
    def ties(self) -> int:
        """The number of examples whose highest probability is that of several classes."""
        highest = self.probabilities.max(axis=1, keepdims=True)
        return int(((self.probabilities == highest).sum(axis=1) > 1).sum())


def of_one_class(
    truth: NDArray[Any],
    probabilities: NDArray[np.floating],
    classes: Sequence[str],
    names: Sequence[str] = (),
    least: float = 0.0,
    familiar: NDArray[np.floating] | None = None,
) -> Classification:
    """Return examples of one class each; found is the most probable class, the first of several that are equal.

    Args:
        truth: (N,) positions in `classes`, -1 of an example of none of them.
        probabilities: (N, K) in [0, 1].
        classes: the K class names.
        names: of the examples.
        least: the probability below which nothing is found.
        familiar: (N,) below 0 where nothing is found either; None where that is not told.

    Raises:
        ValueError: a position that no class has, or as of `Classification`.
    """
    truth, values = np.asarray(truth, np.int64), np.asarray(probabilities, np.float64)
    number = len(classes)
    if len(truth) and not (truth.min() >= -1 and truth.max() < number):
        raise ValueError(f"labels must be in [0, {number}), or -1, got {truth.min()} to {truth.max()}")
    if values.ndim != 2 or values.shape[1] != number or not number:
        raise ValueError(f"expected probabilities of shape ({len(truth)}, {number}), got {values.shape}")
    each = np.arange(number)
    found = (values.argmax(axis=1)[:, None] == each) & (values >= least)
    if familiar is not None:
        familiar = np.asarray(familiar, np.float64)
        found &= (familiar >= 0)[:, None]
    return Classification(truth[:, None] == each, values, found, tuple(classes), tuple(names), least, familiar=familiar)


def of_many_classes(
    truth: NDArray[Any],
    probabilities: NDArray[np.floating],
    classes: Sequence[str],
    names: Sequence[str] = (),
    least: float = 0.5,
) -> Classification:
    """Return examples of any number of classes; found are those of a probability or more.

    Args:
        truth: (N, K) the classes that each is of, 1 or True for each.
        probabilities: (N, K) in [0, 1].
        classes: the K class names.
        names: of the examples.
        least: the probability.

    Raises:
        ValueError: as of `Classification`.
    """
    values = np.asarray(probabilities, np.float64)
    found = values >= least
    return Classification(np.asarray(truth, np.bool_), values, found, tuple(classes), tuple(names), least, many=True)

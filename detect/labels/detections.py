"""`Detections`: points or boxes with score and class, for what a model found and for what a person labelled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects of one scene, a struct of arrays; every method returns a new one.

    Attributes:
        xy: (N, 2) float64, centres in pixels, x to the right and y down; pixel i spans [i, i + 1).
        score: (N,) float64 in [0, 1]; 1 for ground truth.
        label: (N,) int64, positions in `classes`.
        classes: the class names, without the background.
        wh: (N, 2) float64, widths and heights in pixels, or None for points.

    Raises:
        ValueError: lengths disagree, a coordinate or score is not finite, a size is not positive, a score is outside
            [0, 1], a label is outside the classes, or a class name comes twice.
    """

    xy: NDArray[np.float64]
    score: NDArray[np.float64]
    label: NDArray[np.int64]
    classes: tuple[str, ...]
    wh: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "xy", np.asarray(self.xy, np.float64).reshape(-1, 2))
        object.__setattr__(self, "score", np.asarray(self.score, np.float64).reshape(-1))
        object.__setattr__(self, "label", np.asarray(self.label, np.int64).reshape(-1))
        if self.wh is not None:
            object.__setattr__(self, "wh", np.asarray(self.wh, np.float64).reshape(-1, 2))
        self._check()

    def _check(self) -> None:
        """Check lengths, class names and the range of every number."""
        lengths = {len(self.xy), len(self.score), len(self.label), len(self.xy if self.wh is None else self.wh)}
        if len(lengths) > 1:
            raise ValueError(f"xy, wh, score and label must be of one length, got {sorted(lengths)}")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"class names must differ, got {self.classes}")
        if not np.isfinite(self.xy).all():
            raise ValueError("coordinates must be finite numbers")
        if self.wh is not None and not (np.isfinite(self.wh).all() and (self.wh > 0).all()):
            raise ValueError("widths and heights must be positive numbers")
        if len(self.score) and not ((self.score >= 0) & (self.score <= 1)).all():
            raise ValueError(f"scores must be in [0, 1], got {self.score.min()} to {self.score.max()}")
        if len(self.label) and not (self.label.min() >= 0 and self.label.max() < len(self.classes)):
            raise ValueError(
                f"labels must be in [0, {len(self.classes)}), got {self.label.min()} to {self.label.max()}"
            )

    @classmethod
    def empty(cls, classes: Sequence[str], *, boxes: bool = False) -> "Detections":
        """Make a table of no objects."""
        return cls(
            np.empty((0, 2)), np.empty(0), np.empty(0, np.int64), tuple(classes), np.empty((0, 2)) if boxes else None
        )

    @classmethod
    def truth(
        cls,
        xy: NDArray[np.floating],
        names: Sequence[str],
        classes: Sequence[str],
        wh: NDArray[np.floating] | None = None,
    ) -> "Detections":
        """Make ground truth (score 1) from class names.

        Raises:
            ValueError: a name is not in `classes`.
        """
        unknown = sorted(set(names) - set(classes))
        if unknown:
            raise ValueError(f"unknown labels {unknown}; the classes are {list(classes)}")
        position = {name: i for i, name in enumerate(classes)}
        label = np.array([position[name] for name in names], np.int64)
        return cls(
            np.asarray(xy, np.float64),
            np.ones(len(names)),
            label,
            tuple(classes),
            None if wh is None else np.asarray(wh, np.float64),
        )

    def __len__(self) -> int:
        return len(self.xy)

    def __getitem__(self, index: NDArray[np.bool_] | NDArray[np.integer] | slice) -> "Detections":
        """Return the objects chosen by a mask, positions or a slice."""
        wh = None if self.wh is None else self.wh[index]
        return Detections(self.xy[index], self.score[index], self.label[index], self.classes, wh)

    def shifted(self, x: float, y: float) -> "Detections":
        """Move every object by `x` and `y` pixels."""
        return Detections(self.xy + np.array([x, y]), self.score, self.label, self.classes, self.wh)

    def scaled(self, x: float, y: float) -> "Detections":
        """Multiply centres and sizes by `x` along x and by `y` along y."""
        factors = np.array([x, y])
        wh = None if self.wh is None else self.wh * factors
        return Detections(self.xy * factors, self.score, self.label, self.classes, wh)

    def with_classes(self, classes: Sequence[str]) -> "Detections":
        """Renumber the labels for another list of classes, which must hold every name in use.

        Raises:
            ValueError: a name in use is not in `classes`.
        """
        if tuple(classes) == self.classes:
            return self
        unknown = sorted(set(self.names) - set(classes))
        if unknown:
            raise ValueError(f"unknown labels {unknown}; the classes are {list(classes)}")
        places = np.array([classes.index(name) if name in classes else -1 for name in self.classes], np.int64)
        return Detections(self.xy, self.score, places[self.label], tuple(classes), self.wh)

    @property
    def names(self) -> list[str]:
        """The class name of each object."""
        return [self.classes[i] for i in self.label]

    @property
    def boxes_xyxy(self) -> NDArray[np.float64]:
        """(N, 4) boxes as x1, y1, x2, y2 in pixels.

        Raises:
            ValueError: the objects are points.
        """
        if self.wh is None:
            raise ValueError("these detections are points and have no boxes")
        return np.concatenate([self.xy - self.wh / 2, self.xy + self.wh / 2], axis=1)

    def counts(self) -> dict[str, int]:
        """Count the objects of every class, zeros too."""
        number = np.bincount(self.label, minlength=len(self.classes))
        return {name: int(number[i]) for i, name in enumerate(self.classes)}


def concatenate(parts: Sequence[Detections]) -> Detections:
    """Join tables of the same classes and kind, in order.

    Raises:
        ValueError: no parts, other classes, or points among boxes.
    """
    if not parts:
        raise ValueError("nothing to concatenate: give at least one table")
    first = parts[0]
    if any(part.classes != first.classes or (part.wh is None) != (first.wh is None) for part in parts):
        raise ValueError("only tables of the same classes and kind (points or boxes) can be joined")
    return Detections(
        np.concatenate([part.xy for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.label for part in parts]),
        first.classes,
        None if first.wh is None else np.concatenate([part.wh for part in parts if part.wh is not None]),
    )

"""True causes of coordinates that fit no image, found over a whole file where the evidence is clear.

A cause is one error that names it and the way out, in place of a list of rows that are outside of their images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.labels.entries import Entry, Problems, SourceImage, plain_number
from detect.labels.rules.edges import EDGE_TOLERANCE_PX, LEAST_SHARE_INSIDE, is_nothing, outside_text

FEW_ROWS, FEW_SHARE = 2, 0.05
"""So many rows, or this share of all, may be wrong without anything being wrong with the file."""

FITS_SHARE = 0.99
"""A cause is clear where this share of all objects fits by it."""


@dataclass(frozen=True, eq=False)
class _Objects:
    """The objects of a file: entries, their numbers (N, 2 or 4), and each one's image sides (N, 2) as width, height."""

    entries: Sequence[Entry]
    images: Sequence[SourceImage]
    numbers: NDArray[np.float64]
    sides: NDArray[np.float64] | None

    def fit(self, numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Mark the objects (N,) that would be wholly in their images by other numbers, in whatever order of corners."""
        assert self.sides is not None
        limits = np.tile(self.sides, numbers.shape[1] // 2)
        return np.asarray(((numbers >= -EDGE_TOLERANCE_PX) & (numbers <= limits + EDGE_TOLERANCE_PX)).all(axis=1))

    def outside(self) -> NDArray[np.bool_]:
        """Mark the objects (N,) that are outside of their images, or boxes all but a sliver."""
        assert self.sides is not None
        numbers, sides = self.numbers, self.sides
        if numbers.shape[1] == 2:
            return np.asarray(((numbers < -EDGE_TOLERANCE_PX) | (numbers > sides + EDGE_TOLERANCE_PX)).any(axis=1))
        low, high = np.minimum(numbers[:, :2], numbers[:, 2:]), np.maximum(numbers[:, :2], numbers[:, 2:])
        part = np.clip(np.minimum(high, sides) - np.maximum(low, 0), 0, None)
        size = high - low
        return (size > 0).all(axis=1) & (part.prod(axis=1) < LEAST_SHARE_INSIDE * size.prod(axis=1))


def find_causes(by_image: Mapping[SourceImage, Sequence[Entry]], problems: Problems) -> None:
    """Add the cause of a file's coordinates that cannot be pixels of its images as they are written.

    Causes are: normalised to [0, 1]; width and height where corners should be; x and y exchanged; a decimal point that
    was taken for a thousands separator; y counted upwards below zero; labels of a larger image. More than a few rows
    outside of their images, of whatever cause, are a problem too.
    """
    objects = _objects(by_image)
    if objects is None:
        return
    for cause in (_normalised, _sizes_as_corners):
        text = cause(objects)
        if text is not None:
            problems.add(objects.entries[0].place, text)
            return
    if objects.sides is None:
        return
    outside = objects.outside()
    number = int(outside.sum())
    if number == 0 or (number <= max(FEW_ROWS, FEW_SHARE * len(outside)) and number < len(outside)):
        return
    first = int(np.flatnonzero(outside)[0])
    place, text = objects.entries[first].place, outside_text(objects.images[first], objects.entries[first])
    cause_text = _cause_outside(objects)
    if cause_text is not None:
        problems.add(place, f"{text}; {cause_text}")
        return
    for row in np.flatnonzero(outside).tolist():
        text = outside_text(objects.images[row], objects.entries[row])
        problems.add(objects.entries[row].place, f"{text}; are these the images that were labelled?")


def _objects(by_image: Mapping[SourceImage, Sequence[Entry]]) -> _Objects | None:
    """Collect the objects of a file that are points or boxes; None without any."""
    rows = [(image, entry) for image, lines in by_image.items() for entry in lines if _is_placed(entry)]
    if not rows:
        return None
    numbers = np.array([entry.numbers for _, entry in rows], np.float64)
    shapes = [image.shape for image, _ in rows]
    known = [shape for shape in shapes if shape is not None]
    sides = np.array(known, np.float64)[:, ::-1] if len(known) == len(shapes) else None
    return _Objects([entry for _, entry in rows], [image for image, _ in rows], numbers, sides)


def _is_placed(entry: Entry) -> bool:
    return entry.is_object and not is_nothing(entry)


def _ordered(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the rows (N,) whose corners are in order; points always are."""
    if numbers.shape[1] == 2:
        return np.ones(len(numbers), bool)
    return np.asarray((numbers[:, :2] < numbers[:, 2:]).all(axis=1))


def _normalised(objects: _Objects) -> str | None:
    """Return that coordinates are shares of the image's sides: all in [0, 1], and not all whole numbers."""
    numbers = objects.numbers
    if not ((numbers >= 0) & (numbers <= 1)).all() or (numbers == np.floor(numbers)).all():
        return None
    if numbers.shape[1] == 2 and len(numbers) < 2:
        return None
    if objects.sides is not None and (objects.sides < 3).any():
        return None
    return (
        f"{_shown(numbers[0])}: all coordinates are in [0, 1], so they are shares of the image's sides and not pixels; "
        "multiply x by the width and y by the height of its image"
    )


def _sizes_as_corners(objects: _Objects) -> str | None:
    """Return that boxes are written as corner and size: as corners many have no order, as sizes all fit."""
    numbers = objects.numbers
    if numbers.shape[1] == 2:
        return None
    wrong = int((~_ordered(numbers)).sum())
    if wrong <= max(FEW_ROWS, FEW_SHARE * len(numbers)) or not (numbers[:, 2:] > 0).all():
        return None
    corners = np.concatenate([numbers[:, :2], numbers[:, :2] + numbers[:, 2:]], axis=1)
    if objects.sides is not None and objects.fit(corners).mean() < FITS_SHARE:
        return None
    if objects.sides is None and wrong < len(numbers) / 2:
        return None
    return (
        f"{_shown(numbers[0])}: of {wrong} boxes the third and fourth number are not beyond the first and second, so "
        "they are width and height and not a corner; call the columns left,top,width,height, or add the corner to them"
    )


def _cause_outside(objects: _Objects) -> str | None:
    """Return why so many objects are outside, where one cause puts them all inside; None where none does."""
    for numbers, text in _readings(objects):
        if objects.fit(numbers).mean() >= FITS_SHARE:
            return text
    assert objects.sides is not None
    reach = objects.numbers.reshape(len(objects.numbers), -1, 2).max(axis=1)
    factor = float((reach / objects.sides).max())
    if (objects.numbers >= -EDGE_TOLERANCE_PX).all() and 1 < factor <= _LARGEST_FACTOR:
        return (
            f"the labels reach to {factor:.2g} times the side of the images, as if made for larger ones; give the "
            "images that were labelled"
        )
    return None


_LARGEST_FACTOR, _FAR_OUT = 64.0, 10.0
"""Images are not reduced by more than the first; beyond the second, in sides of an image, a number is misread."""


def _readings(objects: _Objects) -> Iterator[tuple[NDArray[np.float64], str]]:
    """Yield other readings of the numbers, and what to tell where they fit."""
    numbers = objects.numbers
    swap = [1, 0, 3, 2][: numbers.shape[1]]
    yield (
        numbers[:, swap],
        "with x and y exchanged all are inside, so the columns are exchanged; rename them",
    )
    flipped = numbers.copy()
    flipped[:, 1::2] *= -1
    yield (
        flipped,
        "with the sign of y turned all are inside, so y is counted upwards; write it downwards from 0 at the top",
    )
    assert objects.sides is not None
    limits = np.tile(objects.sides, numbers.shape[1] // 2)
    far = numbers > _FAR_OUT * limits
    if far.any() and (numbers >= 0).all():
        yield (
            np.where(far, numbers / 1000, numbers),
            "divided by 1000 the numbers that are too large fit, so a decimal point or comma was taken for a thousands "
            "separator; export the table anew with decimal points",
        )


def _shown(numbers: NDArray[np.float64]) -> str:
    return ",".join(plain_number(float(f"{value:.6g}")) for value in numbers)

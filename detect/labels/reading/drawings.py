"""Collecting what people drew: shapes of images, as entries of points or of boxes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from detect.labels.annotations import AnnotationError
from detect.labels.entries import MAX_COORDINATE, Entry, Problems
from detect.labels.reading.shapes import ShapeError

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Drawn:
    """A shape in a file.

    Attributes:
        line: its line, or its number among the shapes, from 1.
        label: the class, as the file has it.
        make: returns its points or boxes; a `ShapeError` where it cannot be used.
    """

    line: int
    label: Any
    make: Callable[[], Sequence[Numbers]]


def one(make: Callable[..., Numbers], *given: Any) -> Callable[[], Sequence[Numbers]]:
    """Return a function that makes one point or box of what is given, for `Drawn`."""
    return lambda: [make(*given)]


@dataclass
class Drawings:
    """The entries of files in which shapes are drawn.

    Attributes:
        problems: collects shapes that cannot be used.
        entries: of the images so far.
    """

    problems: Problems
    entries: list[Entry] = field(default_factory=list)

    def add(self, image: Entry, shapes: Iterable[Drawn]) -> None:
        """Add the shapes of an image: entries like `image`, or itself where nothing is drawn.

        An image of which no shape can be used is left out, as it is not without objects.
        """
        number, made = 0, []
        for number, each in enumerate(shapes, start=1):  # noqa: B007
            place = replace(image, line=each.line).place
            if not isinstance(each.label, str) or not each.label.strip():
                self.problems.skip(place, f"has no class, its label is {str(each.label)[:60]!r}", image.image)
                continue
            try:
                found = [_checked(numbers) for numbers in each.make()]
            except ShapeError as error:
                self.problems.skip(place, str(error), image.image)
                continue
            made += [replace(image, line=each.line, numbers=numbers, label=each.label.strip()) for numbers in found]
        if number and not made:
            return
        self.entries += made or [image]

    def finished(self) -> tuple[list[Entry], bool]:
        """Return the entries, and whether they are boxes.

        Raises:
            AnnotationError: some are points and some are boxes.
        """
        kinds = {len(entry.numbers): entry for entry in self.entries if entry.is_object and entry.numbers is not None}
        if len(kinds) > 1:
            counts = {kind: sum(len(each.numbers or ()) == kind for each in self.entries) for kind in kinds}
            raise AnnotationError(
                f"{self.problems.source}: {counts[2]} points, such as {kinds[2].place}, and {counts[4]} boxes or "
                f"outlines, such as {kinds[4].place}; keep one kind of shape"
            )
        return self.entries, 4 in kinds


def _checked(numbers: Numbers) -> Numbers:
    if any(abs(value) > MAX_COORDINATE for value in numbers):
        raise ShapeError(f"lies beyond {MAX_COORDINATE:g} pixels, which is no place in an image")
    return tuple(float(value) for value in numbers)

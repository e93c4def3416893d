"""What names a head: its kind and shape, as a model's card has it; without torch."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from detect.nets.bounds import (
    LARGEST_PATCH,
    LARGEST_SIDE,
    LEAST_SIDE,
    LEAST_SIZE,
    MOST_KNOWN,
    MOST_PIXELS,
    MOST_SLOTS,
    MOST_STRIDE,
    MOST_WIDTH,
    ONE_OR_MANY,
    check_name,
    check_number,
    check_one_of,
    check_whole,
)


@dataclass(frozen=True)
class PatchHead:
    """A classifier of squares, run densely: in every cell the logits of the background, if any, and of the classes.

    Attributes:
        patch_size: side of the square in resampled pixels.
        background: name of the background, which is the first output; None for a classifier of patches alone.

    Raises:
        ValueError: a side out of its bounds, or a name that cannot be written.
    """

    name: ClassVar = "patch"

    patch_size: int
    background: str | None

    def __post_init__(self) -> None:
        check_whole("net.patch_size", self.patch_size, 1, LARGEST_PATCH)
        if self.background is not None:
            check_name("background", self.background)

    @property
    def boxes(self) -> bool:
        """Whether it finds boxes; else points."""
        return False

    @property
    def finds(self) -> bool:
        """Whether it finds objects in images; without a background it classifies patches alone."""
        return self.background is not None

    @property
    def square_separation(self) -> bool:
        """Whether the separation of points is a square of whole cells; else a circle."""
        return True

    @property
    def typical_size(self) -> int:
        """Side of a typical object in resampled pixels, as far as the labels tell."""
        return self.patch_size

    def outputs(self, classes: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the network's outputs, the background first."""
        return classes if self.background is None else (self.background, *classes)

    def cell(self, stride: int) -> int:
        """Return the resampled pixels per cell of the map, of features of a stride."""
        return stride

    def alignment(self, stride: int) -> int:
        """Return the pixels on whose multiples tiles begin, so that strided layers sample as in the whole image."""
        return stride

    def cell_offset(self, stride: int) -> float:
        """Return the pixel position, along both axes, of the place that cell 0 of the map describes."""
        return self.patch_size // stride % 2 * stride / 2


@dataclass(frozen=True)
class GridHead:
    """A grid on a feature pyramid: for each cell an object's presence, place, size and class.

    Attributes:
        deepest: stride of the pyramid's coarsest level; it sets the context and the alignment of tiles.
        width: channels of the pyramid and the head.
        slots: most objects of a cell.
        object_size: side in resampled pixels of a box whose logarithms are 0; None for points.
        typical_size: side of a typical object in resampled pixels, as far as the labels tell.

    Raises:
        ValueError: a number out of its bounds.
    """

    name: ClassVar = "grid"

    deepest: int
    width: int
    slots: int
    object_size: float | None
    typical_size: int

    def __post_init__(self) -> None:
        check_whole("net.deepest", self.deepest, 1, MOST_STRIDE)
        check_whole("net.slots", self.slots, 1, MOST_SLOTS)
        check_whole("net.width", self.width, 8, MOST_WIDTH)
        check_whole("typical_size", self.typical_size, 0, MOST_PIXELS)
        if self.object_size is not None:
            check_number("net.object_size", self.object_size, LEAST_SIZE, MOST_PIXELS)

    @property
    def boxes(self) -> bool:
        """Whether it finds boxes; else points."""
        return self.object_size is not None

    @property
    def finds(self) -> bool:
        """Whether it finds objects in images: always."""
        return True

    @property
    def square_separation(self) -> bool:
        """Whether the separation of points is a square of whole cells; else a circle."""
        return False

    def outputs(self, classes: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the classes; there is no background among them."""
        return classes

    def cell(self, stride: int) -> int:
        """Return the resampled pixels per cell of the map, of features of a stride."""
        return stride

    def alignment(self, stride: int) -> int:
        """Return the pixels on whose multiples tiles begin, so that strided layers sample as in the whole image."""
        return self.deepest

    def cell_offset(self, stride: int) -> float:
        """Return the pixel position, along both axes, of the place that cell 0 of the map describes."""
        return stride / 2


@dataclass(frozen=True)
class WholeHead:
    """A classifier of whole scenes, each resampled to a square: one cell of the map is one scene.

    Attributes:
        side: of the square in resampled pixels.
        labels: `one` pattern a scene, or `many`: any number of them.
        background: name of the scenes without a pattern, which is the first output; None where there are none such, and
            of `many`, where a scene without a pattern has no label.
        known: how many training scenes' features the network keeps, to tell scenes that are like none of them; 0 of one
            that does not, of `many`, and before a training has ended.

    Raises:
        ValueError: a side out of its bounds, other labels, a background among many, a name that cannot be written, or
            a number of known scenes that cannot be.
    """

    name: ClassVar = "whole"

    side: int
    labels: Literal["one", "many"]
    background: str | None
    known: int = 0

    def __post_init__(self) -> None:
        check_whole("net.side", self.side, LEAST_SIDE, LARGEST_SIDE)
        check_one_of("net.labels", self.labels, ONE_OR_MANY)
        if self.background is not None:
            check_name("background", self.background)
            if self.labels == "many":
                raise ValueError(
                    f"net.labels=many has no background, got {self.background!r}: leave such scenes without a label"
                )
        check_whole("known scenes", self.known, 0, MOST_KNOWN if self.labels == "one" else 0)

    @property
    def boxes(self) -> bool:
        """Whether it finds boxes, which are whole scenes here; else points."""
        return True

    @property
    def finds(self) -> bool:
        """Whether it finds something in images: always, what they show as a whole."""
        return True

    @property
    def square_separation(self) -> bool:
        """Whether the separation of points is a square of whole cells; else a circle."""
        return False

    @property
    def typical_size(self) -> int:
        """Side of what it finds in resampled pixels: that of a scene."""
        return self.side

    def outputs(self, classes: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the network's outputs, the background first."""
        return classes if self.background is None else (self.background, *classes)

    def cell(self, stride: int) -> int:
        """Return the resampled pixels per cell of the map: a scene's side, whatever the features' stride."""
        return self.side

    def alignment(self, stride: int) -> int:
        """Return the pixels on whose multiples tiles begin: a scene is never cut."""
        return self.side

    def cell_offset(self, stride: int) -> float:
        """Return the pixel position, along both axes, of the place that cell 0 of the map describes."""
        return self.side / 2


Head = PatchHead | GridHead | WholeHead
"""The form of a network's outputs; every choice by it is a `match` that ends in `assert_never`."""

HEADS: dict[str, type[Head]] = {head.name: head for head in get_args(Head)}
"""Heads by the name that they have in every room and in model files."""

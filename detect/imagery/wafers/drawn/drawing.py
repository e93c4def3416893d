"""How a wafer's list of defects is drawn: part of what a network learned from, so that its card has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, fields
from typing import Any

from detect.imagery.wafers.notches import AS_GIVEN, check_notch

SMALLEST_SIDE, LARGEST_SIDE = 8, 1_000_000
"""Bounds of the side of a drawn wafer in pixels; of the largest wafer, 450 mm, a pixel is half a micrometre then."""

LARGEST_MARK = 1000
"""Largest side in pixels of the mark of a defect whose size is not drawn."""

LARGEST_EXCLUSION_MM = 50.0
"""Widest ring at a wafer's edge that is left out: a few millimetres are usual."""

WHITE = 255
"""Greatest value of a pixel."""


@dataclass(frozen=True)
class Drawing:
    """How a list of defects becomes the pixels of an image: black, with a mark where a defect is.

    Attributes:
        side: pixels along the wafer's diameter; the image is the square around the wafer.
        edge_exclusion_mm: width of the ring at the edge in which pixels are not valid, as outside of the wafer.
        mark: side in pixels of the square that is drawn for a defect.
        sized: whether a defect that is larger than its mark is drawn as large as it is.
        value: of a defect's pixels, 1 to 255; where several lie on a pixel, their values are added, up to 255.
        notch: the side to which wafers are turned by their notch or flat, or `AS_GIVEN`.

    Raises:
        ValueError: a number out of its bounds, or no such side.
    """

    side: int
    edge_exclusion_mm: float
    mark: int
    sized: bool
    value: int
    notch: str

    def __post_init__(self) -> None:
        for name, least, most in (
            ("side", SMALLEST_SIDE, LARGEST_SIDE),
            ("edge_exclusion_mm", 0, LARGEST_EXCLUSION_MM),
            ("mark", 1, LARGEST_MARK),
            ("value", 1, WHITE),
        ):
            given = getattr(self, name)
            whole = name == "edge_exclusion_mm" or isinstance(given, int)
            if isinstance(given, bool) or not isinstance(given, int | float) or not whole or not least <= given <= most:
                kind = "a number" if name == "edge_exclusion_mm" else "a whole number"
                raise ValueError(f"data.wafers.{name} must be {kind} from {least:,} to {most:,}, got {given!r:.40}")
        if not isinstance(self.sized, bool):
            raise ValueError(f"data.wafers.sized must be true or false, got {self.sized!r:.40}")  # noqa: TRY004
        check_notch(self.notch, "data.wafers.notch")

    def record(self) -> dict[str, Any]:
        """Return it for files; of one that does not turn as versions write and read it that cannot."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("notch", AS_GIVEN)}


def drawing_of(record: Any) -> Drawing | None:
    """Return a drawing from its record, as `Drawing.record` makes it; None of None.

    Raises:
        ValueError: it is no such record, or has a number out of its bounds.
    """
    if record is None:
        return None
    names = {each.name for each in fields(Drawing)}
    if not isinstance(record, dict) or {*record, "notch"} != names:
        raise ValueError(f"a drawing of wafers must have {', '.join(sorted(names))}, is {record!r:.80}")
    return Drawing(**{"notch": AS_GIVEN, **record})


_opening: ContextVar[tuple[Drawing | None, bool]] = ContextVar("opening", default=(None, False))


@contextmanager
def drawn_by(drawing: Drawing | None, keep: bool = False) -> Iterator[None]:
    """Open lists of defects in the block as images that are drawn so; every scene keeps how it is drawn and read.

    Args:
        drawing: how they are drawn; None where that is not known.
        keep: whether a list that is cut off, or has other counts than it says, is read as far as it goes, which the
            scene's remarks say; else it is an error.
    """
    token = _opening.set((drawing, keep))
    try:
        yield
    finally:
        _opening.reset(token)


def current_drawing() -> Drawing | None:
    """Return how lists of defects are drawn now, None where that is not known."""
    return _opening.get()[0]


def keeps_truncated() -> bool:
    """Return whether lists that are cut off, or have other counts than they say, are read as far as they go now."""
    return _opening.get()[1]

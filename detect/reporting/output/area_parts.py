"""What each image of a run has of the areas in which is counted, as the journal keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_SIZE = 1e15
"""Pixels or square metres of a part of an area that are not believed: the earth has 5.1e14 square metres."""


@dataclass(frozen=True, eq=False)
class AreaPart:
    """The part of an area that is on an image.

    Attributes:
        area: the area's position in the file of areas.
        rows: positions of the image's detections in it, ascending.
        pixels: of the image's file in it.
        surveyed_pixels: those of them that have data.
        surveyed_m2: square metres of these on the ground; None where they are not known.
    """

    area: int
    rows: NDArray[np.int64]
    pixels: float
    surveyed_pixels: float
    surveyed_m2: float | None

    def to_record(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**vars(self), "rows": self.rows.tolist()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any], detections: int) -> "AreaPart":
        """Return it from plain values of others.

        Args:
            record: as `to_record` makes it.
            detections: number of the image's.

        Raises:
            KeyError, TypeError, ValueError: it is not such a record.
        """
        rows = np.array(record["rows"], np.int64).reshape(-1)
        if len(rows) and not (rows.min() >= 0 and rows.max() < detections):
            raise ValueError(f"an area has detections {rows.min()} to {rows.max()} of {detections}")
        area, metres = int(record["area"]), record["surveyed_m2"]
        pixels, surveyed = float(record["pixels"]), float(record["surveyed_pixels"])
        sizes = [pixels, surveyed, 0.0 if metres is None else float(metres)]
        if area < 0 or not all(0 <= size < MOST_SIZE for size in sizes):
            raise ValueError(f"a part of area {area} cannot have the sizes {sizes}")
        return cls(area, rows, pixels, surveyed, None if metres is None else sizes[2])

"""A wafer with its defects: where each is on the wafer, how large, of which kind and on which die."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

SMALLEST_MM, LARGEST_MM = 10.0, 1000.0
"""Bounds of a wafer's diameter: pieces of an inch lie above, the largest wafer that was made (450 mm) below."""

SMALLEST_DIE_MM = 0.02
"""Least pitch of dies: the smallest chips that are sold measure 0.05 mm, and a pitch in a wrong unit is far smaller."""

MOST_OUTSIDE = 1.05
"""Greatest distance of a defect from the centre, in radii: further out lies none, and a unit is wrong."""


@dataclass(frozen=True, eq=False)
class Wafer:
    """One wafer and the list of its defects; the arrays cannot be written to.

    Attributes:
        lot: the lot's id, empty where the file gives none.
        name: the wafer's id.
        diameter_mm: the wafer's diameter.
        xy_mm: (N, 2) float64, from the wafer's centre, x to the right and y up, the orientation mark as it is given.
        size_mm: (N,) float64, nan where a size is unknown.
        kinds: (N,) int64, class numbers.
        kind_names: what a class number is called; numbers may be missing.
        die: (N, 2) int64, column and row of the die, rows upwards and either sign; None where the list has no dies.
        pitch_mm: the distance of dies (x, y), or None.
        mark: the orientation mark and where it lies, such as "notch down", or None.
        images: (N,) a defect's image names, several joined by ";", none as ""; empty where no defect has any.
        remarks: what a person should know of how the list was read.
        inspected: (M, 2) int64, the dies that were inspected, or None where that is not said.

    Raises:
        ValueError: a shape, type or value that is not as above.
    """

    lot: str
    name: str
    diameter_mm: float
    xy_mm: NDArray[np.float64]
    size_mm: NDArray[np.float64]
    kinds: NDArray[np.int64]
    kind_names: Mapping[int, str] = field(default_factory=dict)
    die: NDArray[np.int64] | None = None
    pitch_mm: tuple[float, float] | None = None
    mark: str | None = None
    images: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    inspected: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        check_diameter(self.diameter_mm)
        count = len(self.xy_mm)
        _freeze(self, "xy_mm", (count, 2), np.float64)
        _freeze(self, "size_mm", (count,), np.float64)
        _freeze(self, "kinds", (count,), np.int64)
        if self.die is not None:
            _freeze(self, "die", (count, 2), np.int64)
        if self.inspected is not None:
            _freeze(self, "inspected", (len(self.inspected), 2), np.int64)
        if not np.isfinite(self.xy_mm).all():
            raise ValueError(f"wafer {self.name!r}: xy_mm must be finite")
        if (self.size_mm < 0).any() or np.isinf(self.size_mm).any():
            raise ValueError(f"wafer {self.name!r}: size_mm must be 0 or more, or nan where it is unknown")
        if self.pitch_mm is not None and not all(0 < pitch < np.inf for pitch in self.pitch_mm):
            raise ValueError(f"wafer {self.name!r}: pitch_mm must be above 0, is {self.pitch_mm}")
        if self.images and len(self.images) != count:
            raise ValueError(f"wafer {self.name!r}: {len(self.images)} images for {count} defects")
        object.__setattr__(self, "kind_names", MappingProxyType(dict(self.kind_names)))

    def __len__(self) -> int:
        """Return the number of defects."""
        return len(self.kinds)


def check_diameter(diameter_mm: float) -> None:
    """Check that a diameter is one of a wafer, by which wrong units are found.

    Raises:
        ValueError: it is outside `SMALLEST_MM` to `LARGEST_MM`, or not a number.
    """
    if not SMALLEST_MM <= diameter_mm <= LARGEST_MM:
        raise ValueError(
            f"a wafer's diameter must be {SMALLEST_MM:g} to {LARGEST_MM:g} mm, is {diameter_mm:g} mm; "
            "is it given in the unit that the file's version asks for?"
        )


def check_pitch(pitch_mm: tuple[float, float], diameter_mm: float) -> None:
    """Check that a distance of dies is one of a wafer's, by which wrong units are found.

    Raises:
        ValueError: one of the two is outside `SMALLEST_DIE_MM` to twice the diameter, or not a number.
    """
    if not all(SMALLEST_DIE_MM <= each <= 2 * diameter_mm for each in pitch_mm):
        raise ValueError(
            f"a distance of dies must be {SMALLEST_DIE_MM:g} to {2 * diameter_mm:g} mm on this wafer, is "
            f"{pitch_mm[0]:g} x {pitch_mm[1]:g} mm"
        )


def _freeze(wafer: Wafer, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    """Check an array's shape and dtype, and make it read-only."""
    values = getattr(wafer, name)
    if values.shape != shape or values.dtype != dtype:
        raise ValueError(
            f"wafer {wafer.name!r}: {name} must be {dtype.__name__} of shape {shape}, "
            f"is {values.dtype} of shape {values.shape}"
        )
    values = values.view()
    values.flags.writeable = False
    object.__setattr__(wafer, name, values)

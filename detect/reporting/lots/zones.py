"""Zones of a wafer: rings from the centre to the edge, and sectors by angle; how many defects and how much area."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detect.imagery.wafers.notches import check_notch

ROUNDING = 1e-9
"""Part of a radius by which a place may lie beyond it, by rounding alone, and is on it."""

MM2_PER_CM2 = 100.0
"""Square millimetres in a square centimetre."""


@dataclass(frozen=True)
class Zones:
    """How wafers are parted.

    Attributes:
        rings: outer radii of all rings but the last, ascending, as parts of the radius in (0, 1).
        sectors: equal angles, from the right and counter-clockwise, 1 or more.
        exclusion_mm: width of the edge in which nothing counts, in millimetres.
    """

    rings: tuple[float, ...]
    sectors: int
    exclusion_mm: float

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: radii that do not ascend in (0, 1), no sector, or a negative width.
        """
        if not all(low < high for low, high in zip((0.0, *self.rings), (*self.rings, 1.0), strict=True)):
            raise ValueError(f"zones.rings must ascend between 0 and 1, such as [0.4,0.8], got {list(self.rings)}")
        if self.sectors < 1:
            raise ValueError(f"zones.sectors must be 1 or more, got {self.sectors}")
        if not 0 <= self.exclusion_mm < math.inf:
            raise ValueError(f"zones.exclusion_mm must be 0 or more, got {self.exclusion_mm:g}")

    @property
    def ring_names(self) -> tuple[str, ...]:
        """The names of the rings: centre, middle and edge of three, else the edge and numbers from 1."""
        number = len(self.rings) + 1
        named = {1: ("whole",), 2: ("centre", "edge"), 3: ("centre", "middle", "edge")}
        return named.get(number, (*(f"ring {i}" for i in range(1, number)), "edge"))

    def degrees(self, sector: int) -> tuple[float, float]:
        """Return the angles in which a sector, from 0, begins and ends."""
        return 360 * sector / self.sectors, 360 * (sector + 1) / self.sectors


@dataclass(frozen=True)
class LotSettings:
    """How the wafers of a run are parted and read.

    Attributes:
        zones: of a wafer.
        diameter_mm: of wafers whose file does not say it; None where it is not known.
        values: least and greatest value of a failing die in the first band of die maps; None of other images.
        notch: the side to which lists of defects are turned by their notch or flat; None as the run's model does.
        keep: whether a list of defects that is cut off, or has other counts than it says, is read as it is; None as in
            the run.
    """

    zones: Zones
    diameter_mm: float | None
    values: tuple[float, float] | None
    notch: str | None
    keep: bool | None

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: values that are not two in order, a diameter that is not one, or no side of a wafer.
        """
        if self.notch is not None:
            check_notch(self.notch, "zones.notch")
        if self.values is not None and not self.values[0] <= self.values[1]:
            raise ValueError(f"zones.values must be [least, greatest], got {list(self.values)}")
        if self.diameter_mm is not None and not 0 < self.diameter_mm < math.inf:
            raise ValueError(f"zones.diameter_mm must be above 0, got {self.diameter_mm:g}")


@dataclass(frozen=True)
class Disc:
    """A wafer in some unit of length.

    Attributes:
        radius: of the wafer in that unit, above 0.
        unit_mm: millimetres of the unit, None where that is not known.
    """

    radius: float
    unit_mm: float | None

    def usable(self, zones: Zones) -> float:
        """Return the radius without the edge in which nothing counts.

        Raises:
            ValueError: the edge is as wide as the wafer, or is given of a wafer whose size is not known.
        """
        if not zones.exclusion_mm:
            return self.radius
        if self.unit_mm is None:
            raise ValueError(
                f"zones.exclusion_mm={zones.exclusion_mm:g} needs wafers of a known size: give zones.diameter_mm"
            )
        left = self.radius - zones.exclusion_mm / self.unit_mm
        if left <= 0:
            raise ValueError(
                f"zones.exclusion_mm={zones.exclusion_mm:g} is as wide as a wafer of a radius of "
                f"{self.radius * self.unit_mm:g} mm; give less"
            )
        return left


@dataclass(frozen=True, eq=False)
class ZoneCounts:
    """Defects and area of each zone; those of several wafers add up.

    Attributes:
        numbers: (rings, sectors) int64.
        outside: defects beyond the last ring: in the excluded edge, or beyond the wafer.
        area_cm2: (rings, sectors) float64; NaN where the size of a wafer is not known.
    """

    numbers: NDArray[np.int64]
    outside: int
    area_cm2: NDArray[np.float64]

    @property
    def total(self) -> int:
        """All defects."""
        return int(self.numbers.sum()) + self.outside

    @property
    def inside(self) -> int:
        """The defects in zones."""
        return int(self.numbers.sum())

    def __add__(self, other: "ZoneCounts") -> "ZoneCounts":
        """Return the defects and the area of both."""
        return ZoneCounts(self.numbers + other.numbers, self.outside + other.outside, self.area_cm2 + other.area_cm2)


def empty_zones(disc: Disc, zones: Zones) -> ZoneCounts:
    """Return the zones of a wafer without defects."""
    usable = disc.usable(zones)
    unit = math.nan if disc.unit_mm is None else disc.unit_mm
    edges = np.array([0.0, *zones.rings, 1.0]) * usable * unit
    rings = np.pi * np.diff(edges**2) / MM2_PER_CM2 / zones.sectors
    area = np.repeat(rings[:, None], zones.sectors, axis=1)
    return ZoneCounts(np.zeros(area.shape, np.int64), 0, area)


def count_zones(xy: NDArray[np.floating], disc: Disc, zones: Zones) -> ZoneCounts:
    """Count places in zones; one on a border is in the outer ring, and in the sector that begins there.

    Args:
        xy: (N, 2) from the wafer's centre, x to the right, y up, in the disc's unit.
        disc: the wafer.
        zones: how it is parted.

    Raises:
        ValueError: as of `Disc.usable`.
    """
    empty, usable = empty_zones(disc, zones), disc.usable(zones)
    x, y = np.asarray(xy, np.float64).reshape(-1, 2).T
    distance = np.hypot(x, y) / usable
    inside = distance <= 1 + ROUNDING
    ring = np.searchsorted(np.array(zones.rings), distance[inside] * (1 + ROUNDING), side="right")
    turn = np.arctan2(y[inside], x[inside]) / (2 * np.pi) % 1.0
    sector = np.minimum((turn * zones.sectors * (1 + ROUNDING)).astype(np.int64), zones.sectors - 1)
    numbers = empty.numbers.copy()
    np.add.at(numbers, (ring, sector), 1)
    return ZoneCounts(numbers, int((~inside).sum()), empty.area_cm2)

"""Tables of lots: `wafers.csv`, `lots.csv` and `zones.csv`; the defects of each add up to the same."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detect.labels.sheets import sheet_text
from detect.reporting.lots.lot_wafers import UNKNOWN, LotWafer
from detect.reporting.lots.zones import ZoneCounts, Zones
from detect.reporting.tables import IMAGE, TOTAL, table_bytes

WAFERS, LOTS, ZONES = "wafers.csv", "lots.csv", "zones.csv"
TABLES = (WAFERS, LOTS, ZONES)
"""The names of the tables."""

LOT, WAFER, DEFECTS, OUTSIDE, AREA, DENSITY = "lot", "wafer", "defects", "outside", "area_cm2", "density_per_cm2"
LOT_COLUMNS = (LOT, "wafers", TOTAL, UNKNOWN, "wafers_with_defects_known", DEFECTS, OUTSIDE, AREA, DENSITY)
"""Columns of `lots.csv` beside the classes."""

BY_RING, BY_ANGLE, BY_BOTH = "ring", "angle", "ring and angle"
"""How the rows of a wafer in `zones.csv` part it: each way has all its defects, with a row of those outside."""


@dataclass(frozen=True, eq=False)
class Lot:
    """The wafers of a lot.

    Attributes:
        name: empty of wafers of which nothing says the lot.
        wafers: in the order of the run.
    """

    name: str
    wafers: tuple[LotWafer, ...]

    @property
    def zones(self) -> ZoneCounts | None:
        """The defects of its wafers whose defects are known; None where there are none such."""
        known = [each.zones for each in self.wafers if each.zones is not None]
        return sum(known[1:], known[0]) if known else None

    @property
    def known(self) -> int:
        """The number of wafers whose defects are known."""
        return sum(each.zones is not None for each in self.wafers)


def lots_of(wafers: Sequence[LotWafer]) -> list[Lot]:
    """Return the wafers by lot, in the order of the lots' names."""
    names = sorted({each.lot for each in wafers})
    return [Lot(name, tuple(each for each in wafers if each.lot == name)) for name in names]


def lot_tables(lots: Sequence[Lot], classes: Sequence[str]) -> dict[str, bytes]:
    """Return the tables of wafers and lots as CSV by name; a cell of what is not known is empty.

    - `wafers.csv`: a row a wafer: lot, id, image, orientation mark, pattern, confidence, whether it is unknown,
      defects, those outside of the zones, area, density, and what the defects are (`list`, `map`, `found`).
    - `lots.csv`: a row a lot: wafers, a column a class with what was found, as in `counts.csv`, and the same numbers.

    Args:
        lots: of the run.
        classes: the class names.
    """
    tables = {
        WAFERS: pd.DataFrame([_wafer_row(wafer) for lot in lots for wafer in lot.wafers], columns=list(_WAFER_COLUMNS)),
        LOTS: pd.DataFrame([_lot_row(lot, classes) for lot in lots], columns=lot_columns(classes)),
    }
    return {name: table_bytes(table) for name, table in tables.items()}


def write_zones(path: Path, lots: Sequence[Lot], zones: Zones) -> None:
    """Write `zones.csv`, a wafer at a time; a cell of what is not known is empty.

    For each wafer, and for each lot (with an empty wafer), it has a row a ring, a row an angle, and a row a ring and
    angle, each with the defects, the area, the density, and that as a multiple of the wafer's.

    Args:
        path: the file.
        lots: of the run.
        zones: how wafers are parted.
    """
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(sheet_text(_ZONE_COLUMNS, ()))
        for rows in _all_zone_rows(lots, zones):
            text = sheet_text(_ZONE_COLUMNS, ([str(cell) for cell in row] for row in rows))
            file.write(text.partition("\n")[2])


def _wafer_row(wafer: LotWafer) -> dict[str, Any]:
    return {
        LOT: wafer.lot,
        WAFER: wafer.wafer,
        IMAGE: wafer.image,
        "mark": wafer.mark,
        "pattern": wafer.pattern,
        "confidence": "" if wafer.confidence is None else f"{wafer.confidence:.6g}",
        UNKNOWN: int(wafer.unknown),
        **_numbers(wafer.zones),
        "defects_are": wafer.counted,
    }


def _numbers(zones: ZoneCounts | None) -> dict[str, Any]:
    """Return the defects, those outside of the zones, the area of those and the density on it."""
    if zones is None:
        return dict.fromkeys((DEFECTS, OUTSIDE, AREA, DENSITY), "")
    area = float(zones.area_cm2.sum())
    return {
        DEFECTS: zones.total,
        OUTSIDE: zones.outside,
        AREA: digits(area),
        DENSITY: digits(zones.inside / area),
    }


def digits(value: float) -> str:
    """Return six significant digits of a number; empty for NaN."""
    return "" if math.isnan(value) else f"{value:.6g}"


def _lot_row(lot: Lot, classes: Sequence[str]) -> dict[str, Any]:
    counts = {
        column: sum(wafer.counts[name] for wafer in lot.wafers)
        for column, name in zip(lot_class_columns(classes), classes, strict=True)
    }
    return {
        LOT: lot.name,
        "wafers": len(lot.wafers),
        **counts,
        TOTAL: sum(counts.values()),
        UNKNOWN: sum(wafer.unknown for wafer in lot.wafers),
        "wafers_with_defects_known": lot.known,
        **_numbers(lot.zones),
    }


def lot_columns(classes: Sequence[str]) -> list[str]:
    """Return the columns of `lots.csv`."""
    return [*LOT_COLUMNS[:2], *lot_class_columns(classes), *LOT_COLUMNS[2:]]


def lot_class_columns(classes: Sequence[str]) -> list[str]:
    """Return the columns of classes in `lots.csv`: one that is called like another column begins with `class_`."""
    columns: list[str] = []
    for each in classes:
        name = each
        while name in LOT_COLUMNS or (name != each and name in classes):
            name = f"class_{name}"
        columns.append(name)
    return columns


_WAFER_COLUMNS = (
    *(LOT, WAFER, IMAGE, "mark", "pattern", "confidence", UNKNOWN),
    *(DEFECTS, OUTSIDE, AREA, DENSITY, "defects_are"),
)

_ZONE_COLUMNS = (
    *(LOT, WAFER, IMAGE, "by", "ring", "from_radius", "to_radius", "from_degrees", "to_degrees"),
    *(DEFECTS, AREA, DENSITY, "relative_density"),
)
OUTSIDE_ZONE = "outside"
"""The ring of defects that lie beyond the last one."""


def _all_zone_rows(lots: Sequence[Lot], zones: Zones) -> Iterator[Iterator[tuple[Any, ...]]]:
    """Yield the rows of each wafer, and behind them those of its lot."""
    for lot in lots:
        for wafer in lot.wafers:
            if wafer.zones is not None:
                yield _of((lot.name, wafer.wafer, wafer.image), zone_rows(wafer.zones, zones))
        if lot.zones is not None:
            yield _of((lot.name, "", ""), zone_rows(lot.zones, zones))


def _of(whose: tuple[str, str, str], rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    return ((*whose, *row) for row in rows)


def zone_rows(counts: ZoneCounts, zones: Zones) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a wafer's or a lot's zones, without the columns that say whose they are.

    Radii are parts of the usable radius; the relative density is a multiple of that of all zones, known where no area
    is, too: of a wafer whose size is not known, zones are parts of its area.
    """
    radii = (0.0, *zones.rings, 1.0)
    shares = np.repeat(np.diff(np.square(radii))[:, None] / zones.sectors, zones.sectors, axis=1)
    rings = [(name, *_four(radii[i], radii[i + 1])) for i, name in enumerate(zones.ring_names)]
    turns = [tuple(map(_four_digits, zones.degrees(i))) for i in range(zones.sectors)]

    def row(by: str, where: tuple[Any, ...], which: Any) -> tuple[Any, ...]:
        number, area = int(counts.numbers[which].sum()), float(counts.area_cm2[which].sum())
        share = float(shares[which].sum())
        relative = number / counts.inside / share if counts.inside else math.nan
        return (by, *where, number, digits(area), digits(number / area), digits(relative))

    for i, ring in enumerate(rings):
        yield row(BY_RING, (*ring, "0", "360"), np.s_[i, :])
    for j, turn in enumerate(turns):
        yield row(BY_ANGLE, ("", "0", "1", *turn), np.s_[:, j])
    for i, ring in enumerate(rings):
        for j, turn in enumerate(turns):
            yield row(BY_BOTH, (*ring, *turn), np.s_[i : i + 1, j : j + 1])
    for by in (BY_RING, BY_ANGLE, BY_BOTH):
        yield (by, OUTSIDE_ZONE, "1", "", "0", "360", counts.outside, "", "", "")


def _four(low: float, high: float) -> tuple[str, str]:
    return _four_digits(low), _four_digits(high)


def _four_digits(value: float) -> str:
    return f"{value:.4g}"

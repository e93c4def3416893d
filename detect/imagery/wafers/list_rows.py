"""Rows of a list of defects as wafers: numbers out of texts, in millimetres, checked, with classes by number."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detect.imagery.spreadsheet_cells import unguarded
from detect.imagery.wafers.errors import CUT, CutOffError, WaferError
from detect.imagery.wafers.list_columns import ListColumns
from detect.imagery.wafers.list_kinds import MOST_OF_A_NAME, KindNumbers
from detect.imagery.wafers.wafer import MOST_OUTSIDE, Wafer, check_diameter, check_pitch

_SAME = ("diameter", "pitch_x", "pitch_y", "mark")


class Row(NamedTuple):
    """The fields of a row and its line."""

    fields: list[str]
    line: int


class Fixed(NamedTuple):
    """What is the same for every row of a wafer; `texts` are the fields that say so."""

    lot: str
    name: str
    diameter_mm: float
    pitch_mm: tuple[float, float] | None
    mark: str | None
    texts: tuple[str, ...]


class ListRows:
    """Makes wafers of rows: `begin` with a wafer's first row, `part` with its rows, then `close`.

    Args:
        columns: the columns of the list.
        path: the file, for messages, and for the wafer's name where the list gives none.
    """

    def __init__(self, columns: ListColumns, path: Path) -> None:
        self._columns, self._path = columns, path
        self._stem = path.name.removesuffix(".gz").removesuffix(path.suffix).removesuffix(".wafer")
        self._kinds = KindNumbers(columns, path)
        self._fixed = Fixed("", "", 0.0, None, None, ())
        self._has_dies = False
        self._outside = self._count = 0
        self._raw: tuple[str, ...] | None = None
        self._wafer_of_raw = ("", "")
        self._same_at = [columns.at[name] for name in _SAME if name in columns.at]

    def wafer_of(self, fields: list[str]) -> tuple[str, str]:
        """Return the lot and the wafer that a row belongs to."""
        at = self._columns.at
        raw = tuple([fields[at[name]] for name in ("lot", "wafer") if name in at])
        if raw != self._raw:
            self._raw, self._wafer_of_raw = raw, (self._text(fields, "lot"), self._text(fields, "wafer") or self._stem)
        return self._wafer_of_raw

    def begin(self, row: Row) -> None:
        """Begin a wafer with its first row.

        Raises:
            WaferError: there is no diameter, or it or the pitch is none.
        """
        lot, name = self.wafer_of(row.fields)
        if len(lot) + len(name) > MOST_OF_A_NAME:
            raise WaferError(self._path, row.line, f"ids of lot and wafer of more than {MOST_OF_A_NAME:,} letters")
        diameter = self._length(row, "diameter")
        if diameter is None:
            raise WaferError(
                self._path, row.line, "no diameter; give a column diameter_mm or '# diameter_mm: 300' before the header"
            )
        pitch_x, pitch_y = self._length(row, "pitch_x"), self._length(row, "pitch_y")
        pitch = None if pitch_x is None or pitch_y is None else (pitch_x, pitch_y)
        if (pitch_x is None) != (pitch_y is None):
            raise WaferError(self._path, row.line, "pitch_x and pitch_y go together; one is missing")
        try:
            check_diameter(diameter)
            if pitch is not None:
                check_pitch(pitch, diameter)
        except ValueError as error:
            raise WaferError(self._path, row.line, str(error)) from None
        self._fixed = Fixed(lot, name, diameter, pitch, self._text(row.fields, "mark") or None, self._same(row.fields))
        self._has_dies = bool(self._text(row.fields, "die_col"))
        self._outside = self._count = 0
        self._kinds.begin()

    def part(self, rows: Sequence[Row]) -> Wafer:
        """Return some rows of the wafer; a row without x and y is none of a defect.

        Raises:
            WaferError: a value is none, or is another than in the wafer's first row, or lies outside the wafer.
        """
        at = self._columns.at
        if rows and {*map(self._same, (row.fields for row in rows))} != {self._fixed.texts}:
            wrong = next(row for row in rows if self._same(row.fields) != self._fixed.texts)
            raise WaferError(self._path, wrong.line, f"another {' or '.join(_SAME)} than in the wafer's first row")
        if any(not row.fields[at["x"]].strip() for row in rows):
            rows = [row for row in rows if row.fields[at["x"]].strip() or row.fields[at["y"]].strip()]
        xy_mm = np.stack([self._lengths(rows, "x"), self._lengths(rows, "y")], axis=1)
        self._check_inside(xy_mm, rows)
        self._count += len(rows)
        size_mm = self._lengths(rows, "size") if "size" in at else np.full(len(rows), np.nan)
        unsized = (size_mm < 0) | np.isinf(size_mm)
        self._check(
            ~unsized, rows, lambda row: f"a size must be 0 or more, or blank for unknown, {_is(row, at['size'])}"
        )
        images = tuple(self._text(row.fields, "images") for row in rows) if "images" in at else ()
        kinds = self._kinds.numbers(rows)
        return self._wafer(xy_mm, size_mm, kinds, self._dies(rows), images=images if any(images) else ())

    def close(self, cut: Sequence[CutOffError]) -> Wafer:
        """Return the wafer's last part, without defects, with the remarks.

        Args:
            cut: the error of a list that was cut off in this wafer, or none.
        """
        unread = self._columns.unread
        remarks = [f"columns that are not read: {', '.join(map(repr, unread))[:200]}"] if unread else []
        if self._outside:
            remarks.append(f"defects outside the wafer, by 5 % of its radius at most: {self._outside:,}")
        remarks += [f"{CUT}: line {each.line}, whole defects before: {self._count:,}" for each in cut]
        none = np.empty(0, np.int64)
        return self._wafer(
            np.empty((0, 2)),
            np.empty(0),
            none,
            none.reshape(0, 2) if self._has_dies else None,
            remarks=(*remarks,),
        )

    def _check_inside(self, xy_mm: NDArray[np.float64], rows: Sequence[Row]) -> None:
        """Check that defects lie on the wafer, and count those that lie a little outside."""
        diameter = self._fixed.diameter_mm
        radii = np.hypot(*xy_mm.T) / (diameter / 2)
        what = (
            f"a defect outside the wafer, whose diameter is {diameter:g} mm; are places in the unit that the columns "
            "name, from the wafer's centre?"
        )
        self._check(radii <= MOST_OUTSIDE, rows, lambda row: what)
        self._outside += int((radii > 1).sum())

    def _text(self, fields: list[str], name: str) -> str:
        """Return a field of a row, or what holds for all rows, "" where neither is given."""
        at = self._columns.at.get(name)
        return self._columns.fixed.get(name, "") if at is None else unguarded(fields[at].strip())

    def _same(self, fields: list[str]) -> tuple[str, ...]:
        """Return the fields of a row that are the same for the whole wafer."""
        return tuple([fields[at] for at in self._same_at])

    def _length(self, row: Row, name: str) -> float | None:
        """Return a length in millimetres, None where none is given."""
        text = self._text(row.fields, name)
        return self._number(text, row, name) / self._columns.units[name] if text else None

    def _lengths(self, rows: Sequence[Row], name: str) -> NDArray[np.float64]:
        """Return a column of lengths in millimetres; of sizes, a blank one is nan."""
        at = self._columns.at[name]
        texts = [row.fields[at] for row in rows]
        if name == "size":
            texts = [text if text.strip() else "nan" for text in texts]
        try:
            values = np.array([*map(float, texts)])
        except ValueError:
            values = np.array([self._number(text, row, name) for text, row in zip(texts, rows, strict=True)])
        if name != "size":
            self._check(np.isfinite(values), rows, lambda row: f"{name} must be a number, is {row.fields[at][:40]!r}")
        return values / self._columns.units[name]

    def _number(self, text: str, row: Row, name: str) -> float:
        """Return a number of a row."""
        try:
            return float(text)
        except ValueError:
            raise WaferError(self._path, row.line, f"{name} must be a number, is {text[:40]!r}") from None

    def _dies(self, rows: Sequence[Row]) -> NDArray[np.int64] | None:
        """Return the dies, None where the wafer's first row has none."""
        if "die_col" not in self._columns.at:
            return None
        places = [self._columns.at[name] for name in ("die_col", "die_row")]
        if not self._has_dies and not any(row.fields[at].strip() for row in rows for at in places):
            return None
        values = np.array([[whole(row.fields[at]) for at in places] for row in rows]).reshape(len(rows), 2)
        self._check(
            (np.abs(values) <= 2**20) if self._has_dies else np.zeros(values.shape, bool),
            rows,
            lambda row: (
                f"die_col and die_row must be whole numbers, of every defect of a wafer or of none, {_is(row, *places)}"
            ),
        )
        return values.astype(np.int64)

    def _check(self, right: NDArray[np.bool_], rows: Sequence[Row], what: Callable[[Row], str]) -> None:
        """Check that every row is right, and name the first that is not."""
        if not right.all():
            row = rows[int(np.flatnonzero(~right.reshape(len(rows), -1).all(axis=1))[0])]
            raise WaferError(self._path, row.line, what(row))

    def _wafer(
        self,
        xy_mm: NDArray[np.float64],
        size_mm: NDArray[np.float64],
        kinds: NDArray[np.int64],
        die: NDArray[np.int64] | None,
        *,
        images: tuple[str, ...] = (),
        remarks: tuple[str, ...] = (),
    ) -> Wafer:
        """Return some of the wafer's defects."""
        lot, name, diameter, pitch, mark, _ = self._fixed
        names = self._kinds.names()
        return Wafer(lot, name, diameter, xy_mm, size_mm, kinds, names, die, pitch, mark, images, remarks)


def _is(row: Row, *at: int) -> str:
    """Return what fields of a row are, in words."""
    return f"is {', '.join(repr(row.fields[each][:40]) for each in at)}"


def whole(text: str) -> float:
    """Return a text's whole number, nan where it is none."""
    try:
        return float(int(text))
    except (ValueError, OverflowError):
        return math.nan

"""Defects of a KLARF list on their wafer, and whether as many were there as the file says."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detect.imagery.wafers.errors import CUT, MISCOUNTED, WAY_TO_KEEP, CutOffError
from detect.imagery.wafers.klarf.events import DefectRows
from detect.imagery.wafers.klarf.heads import KlarfHead, Promised
from detect.imagery.wafers.klarf.number_rows import Rows
from detect.imagery.wafers.klarf.text_blocks import TextBlocks
from detect.imagery.wafers.wafer import MOST_OUTSIDE, Wafer

MOST_DIES = 1_000_000
"""Dies with defects that are counted; more are not compared with the summary."""

MOST_TESTS = 10_000
"""Tests of a wafer."""

_PLACE = ("XREL", "YREL", "XINDEX", "YINDEX")
_DIES = 2**31


class _Columns(NamedTuple):
    """Where the columns of a list are; None where it has none."""

    place: tuple[int, ...]
    size: tuple[int, ...]
    kind: int | None
    test: int | None


class Tally:
    """The defects of one wafer as they are read, and their counts.

    Args:
        head: what the file says of the wafer.
        text: the text, for errors.
        keep: whether wrong counts are told in the remarks instead of being errors.
        cut: the error of a file that was cut off in this wafer or after it.
    """

    def __init__(self, head: KlarfHead, text: TextBlocks, keep: bool, cut: CutOffError | None) -> None:
        self._head, self._text, self._keep, self._cut = head, text, keep, cut
        self._remarks = [*head.remarks]
        self._tests: dict[int, int] = {}
        self._dies = np.empty(0, np.int64)
        self._tested = True
        self._planned = None if head.inspected is None else np.unique(_numbered(head.inspected))
        self._total = self._outside_die = self._outside = self._unsized = self._unplanned = 0

    def read(self, listed: DefectRows) -> Iterator[Wafer]:
        """Yield the defects of a list, a block of them at once.

        Raises:
            WaferError: a column is missing, a value is none or impossible, or the list has another number of rows.
        """
        columns = self._columns(listed)
        before = self._total
        for rows in listed.read():
            yield self._part(rows, columns)
        found = self._total - before
        if listed.count is not None and found != listed.count:
            self._differs(f"defects: the list of line {listed.line} says {listed.count:,}, and {found:,} follow")

    def close(self) -> Wafer:
        """Return the wafer's last part, without defects, with the remarks.

        Raises:
            WaferError: the summary promises other counts.
        """
        if self._cut is not None:
            self._remarks.append(f"{CUT}: line {self._cut.line}, whole defects before: {self._total:,}")
        else:
            self._check_summary()
        counted = {
            "outside the die that they name": self._outside_die,
            "on dies that the sample test plan has not": self._unplanned,
            "outside the wafer, by 5 % of its radius at most": self._outside,
            "with a size below 0, taken as unknown": self._unsized,
        }
        self._remarks += [f"defects {what}: {count:,}" for what, count in counted.items() if count]
        return self._wafer(
            np.empty((0, 2)), np.empty(0), np.empty(0, np.int64), np.empty((0, 2), np.int64), remarks=(*self._remarks,)
        )

    def _columns(self, listed: DefectRows) -> _Columns:
        """Return where the columns are that are read."""
        names = listed.columns
        missing = [name for name in _PLACE if name not in names]
        if missing:
            raise self._text.error(f"the list of defects has no column {missing[0]}", listed.line)
        size = ("DSIZE",) if "DSIZE" in names else tuple(name for name in ("XSIZE", "YSIZE") if name in names)
        said = {
            "the greater of XSIZE and YSIZE is taken for the size: there is no DSIZE": bool(size)
            and size != ("DSIZE",),
            "there is no CLASSNUMBER: every defect is of class 0": "CLASSNUMBER" not in names,
        }
        self._remarks += [what for what, holds in said.items() if holds and what not in self._remarks]
        self._tested &= "TEST" in names
        return _Columns(
            tuple(names.index(name) for name in _PLACE),
            tuple(names.index(name) for name in size),
            names.index("CLASSNUMBER") if "CLASSNUMBER" in names else None,
            names.index("TEST") if "TEST" in names else None,
        )

    def _part(self, rows: Rows, columns: _Columns) -> Wafer:
        """Return a block's defects as a wafer."""
        head = self._head
        rel = rows.values[:, columns.place[:2]]
        self._check(np.isfinite(rel), rows, "XREL and YREL must be numbers")
        die = self._whole(rows, columns.place[2:], 2**20, "XINDEX and YINDEX")
        pitch = np.array(head.pitch_mm)
        rel_mm = rel / head.units.length
        xy_mm = die * pitch + rel_mm - np.array(head.centre_mm)
        radii = np.hypot(*xy_mm.T) / (head.diameter_mm / 2)
        self._check(
            radii <= MOST_OUTSIDE,
            rows,
            f"a defect outside the wafer, whose diameter is {head.diameter_mm:g} mm; "
            f"this version of KLARF gives places in {head.units.name}",
        )
        self._outside += int((radii > 1).sum())
        self._outside_die += int(((rel_mm < 0) | (rel_mm > pitch * (1 + 1e-9))).any(axis=1).sum())
        self._count(rows, columns, die)
        kinds = np.zeros(len(die), np.int64)
        if columns.kind is not None:
            kinds = self._whole(rows, (columns.kind,), 2**53, "CLASSNUMBER")[:, 0]
        return self._wafer(xy_mm, self._size_mm(rows, columns), kinds, die, images=rows.images)

    def _size_mm(self, rows: Rows, columns: _Columns) -> NDArray[np.float64]:
        """Return sizes, nan where one is unknown."""
        if not columns.size:
            return np.full(len(rows.values), np.nan)
        sizes = rows.values[:, columns.size].max(axis=1) / self._head.units.length
        self._check(~np.isinf(sizes), rows, "a size must be a number")
        unknown = sizes < 0
        self._unsized += int(unknown.sum())
        return np.where(unknown, np.nan, sizes)

    def _count(self, rows: Rows, columns: _Columns, die: NDArray[np.int64]) -> None:
        """Count the defects by test, and the dies that have any."""
        self._total += len(die)
        if self._planned is not None:
            self._unplanned += int((~np.isin(_numbered(die), self._planned)).sum())
        if len(self._dies) <= MOST_DIES:
            self._dies = np.union1d(self._dies, _numbered(die))
        if columns.test is None:
            return
        tests, counts = np.unique(self._whole(rows, (columns.test,), 2**31, "TEST"), return_counts=True)
        for test, count in zip(tests.tolist(), counts.tolist(), strict=True):
            self._tests[test] = self._tests.get(test, 0) + count
        if len(self._tests) > MOST_TESTS:
            raise self._text.error(f"more than {MOST_TESTS:,} tests; is column TEST another?", int(rows.lines[-1]))

    def _check_summary(self) -> None:
        """Check the counts of defects against the summary, by test where the list has tests."""
        promised = self._head.promised
        if not promised:
            return
        line = next(iter(promised.values())).line
        if self._tested:
            for test in sorted({*promised, *self._tests}):
                said, found = promised.get(test, Promised(0, None, line)).defects, self._tests.get(test, 0)
                if said != found:
                    self._differs(f"defects of test {test}: the summary says {said:,}, the list has {found:,}", line)
        elif sum(each.defects for each in promised.values()) != self._total:
            said = sum(each.defects for each in promised.values())
            self._differs(f"defects: the summary says {said:,}, the list has {self._total:,}", line)
        dies = [each.dies for each in promised.values()]
        counted = len(self._dies) <= MOST_DIES
        if counted and len(dies) == 1 and dies[0] is not None and dies[0] != len(self._dies):
            self._remarks.append(f"dies with defects: the summary says {dies[0]:,}, the list has {len(self._dies):,}")

    def _differs(self, what: str, line: int | None = None) -> None:
        """Raise the error of a count that differs, or remark it."""
        name = self._head.name
        if not self._keep:
            raise self._text.error(f"wafer {name!r}: {what}; {WAY_TO_KEEP} reads the list as it is", line)
        self._remarks.append(f"{MISCOUNTED}: {what}")

    def _whole(self, rows: Rows, columns: tuple[int, ...], most: int, name: str) -> NDArray[np.int64]:
        """Return columns as whole numbers."""
        values = rows.values[:, columns]
        with np.errstate(invalid="ignore"):
            self._check(
                (np.abs(values) <= most) & (values == np.trunc(values)), rows, f"{name} must be whole, {most:,} at most"
            )
        return values.astype(np.int64)

    def _check(self, right: NDArray[np.bool_], rows: Rows, what: str) -> None:
        """Check that every row is right, and name the first that is not."""
        wrong = np.flatnonzero(~right.reshape(len(right), -1).all(axis=1))
        if len(wrong):
            raise self._text.error(what, int(rows.lines[wrong[0]]))

    def _wafer(
        self,
        xy_mm: NDArray[np.float64],
        size_mm: NDArray[np.float64],
        kinds: NDArray[np.int64],
        die: NDArray[np.int64],
        *,
        images: tuple[str, ...] = (),
        remarks: tuple[str, ...] = (),
    ) -> Wafer:
        """Return some of the wafer's defects."""
        head = self._head
        return Wafer(
            head.lot,
            head.name,
            head.diameter_mm,
            xy_mm,
            size_mm,
            kinds,
            head.kind_names,
            die,
            head.pitch_mm,
            head.mark,
            images,
            remarks,
            head.inspected,
        )


def _numbered(dies: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for each die."""
    return dies[:, 0] * _DIES + dies[:, 1]

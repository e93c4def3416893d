"""Sample test plans of KLARF files: the dies that were inspected."""

from array import array
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detect.imagery.wafers.klarf.text_blocks import TextBlocks

MOST_DIES = 4_000_000
"""Dies of a wafer's plans."""

MOST_PLANS = 10_000
"""Plans of a wafer, one a test."""

_LARGEST_INDEX = 2**20


class Plan(NamedTuple):
    """The dies that a test inspected: (dies, 2) int64, column and row; and the line at which they begin."""

    dies: NDArray[np.int64]
    line: int


class Plans:
    """The plans of a wafer's tests."""

    def __init__(self) -> None:
        self._plans: list[Plan] = []
        self._count = 0

    def add(self, plan: Plan, text: TextBlocks) -> None:
        """Add a test's plan.

        Raises:
            WaferError: there are more than `MOST_PLANS`, or their dies are more than `MOST_DIES`.
        """
        self._plans.append(plan)
        self._count += len(plan.dies)
        if len(self._plans) > MOST_PLANS or self._count > MOST_DIES:
            raise text.error(f"more than {MOST_PLANS:,} sample test plans, or {MOST_DIES:,} dies in them", plan.line)

    def dies(self) -> NDArray[np.int64] | None:
        """Return the dies that any test inspected, each once; None where there are none."""
        if not self._count:
            return None
        return np.unique(np.concatenate([plan.dies for plan in self._plans]), axis=0)


def statement_plan(text: TextBlocks) -> Plan:
    """Read the rest of the statement `SampleTestPlan`: a count, and two numbers a die.

    Raises:
        WaferError: the count differs, or a number is none.
    """
    line = text.line
    values = _numbers(text, ";", "in SampleTestPlan", 2 * MOST_DIES + 1)
    if not len(values):
        return Plan(np.empty((0, 2), np.int64), line)
    if values[0] * 2 != len(values) - 1:
        raise text.error(f"SampleTestPlan says {values[0]:g} dies, and {(len(values) - 1) / 2:g} follow", line)
    return _plan(text, values[1:].reshape(-1, 2), line)


def record_plan(text: TextBlocks, columns: tuple[str, ...], count: int) -> Plan:
    """Read the rows of the list `SampleTestPlanList` and their brace.

    Args:
        text: the text, in front of the first row.
        columns: names of its columns.
        count: rows that it says it has.

    Raises:
        WaferError: the count differs, a column is missing, or a number is none.
    """
    line = text.line
    values = _numbers(text, "}", "in SampleTestPlanList", len(columns) * MOST_DIES)
    if len(values) != count * len(columns):
        raise text.error(f"SampleTestPlanList says {count} dies, and {len(values) / len(columns):g} follow", line)
    if not {"XINDEX", "YINDEX"} <= {*columns}:
        raise text.error("SampleTestPlanList has no columns XINDEX and YINDEX", line)
    rows = values.reshape(count, len(columns))
    return _plan(text, rows[:, [columns.index("XINDEX"), columns.index("YINDEX")]], line)


def _numbers(text: TextBlocks, end: str, where: str, most: int) -> NDArray[np.float64]:
    """Read numbers up to a mark; the semicolons that end rows before it are passed over."""
    values = array("d")
    while (word := text.next()) is not None:
        if word.is_mark(end):
            return np.array(values)
        if not word.is_mark(";"):
            try:
                values.append(float(word.text))
            except ValueError:
                raise text.error(f"{word.text[:40]!r} {where}, where a number belongs", word.line) from None
        if len(values) > most:
            raise text.error(f"more than {MOST_DIES:,} dies {where}", word.line)
    raise text.cut_off(where)


def _plan(text: TextBlocks, dies: NDArray[np.float64], line: int) -> Plan:
    """Return dies as a plan."""
    if not ((np.abs(dies) <= _LARGEST_INDEX) & (dies == np.trunc(dies))).all():
        raise text.error(f"the sample test plan has a die that is no whole number up to {_LARGEST_INDEX:,}", line)
    return Plan(dies.astype(np.int64), line)

"""What a KLARF file says of each wafer: ids, size, dies, classes, and how many defects its summary promises."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detect.imagery.wafers.errors import WaferError
from detect.imagery.wafers.klarf.events import Field, Table, number
from detect.imagery.wafers.klarf.sample_plan import Plans
from detect.imagery.wafers.klarf.text_blocks import TextBlocks
from detect.imagery.wafers.wafer import check_diameter, check_pitch

PLAN = "SAMPLETESTPLAN"
"""The name of the sample test plan among the facts."""

Fact = Field | Table | Plans
Facts = Mapping[str, Fact]


class Units(NamedTuple):
    """Units of a version of KLARF: of lengths, with their name, and of a sample's size, as many as a millimetre has."""

    name: str
    length: float
    sample: float


MICROMETRES = Units("micrometres", 1e3, 1.0)
"""KLARF 1.0 to 1.2: micrometres, and a sample's size in millimetres."""

NANOMETRES = Units("nanometres", 1e6, 1e6)
"""KLARF 1.8: nanometres throughout."""


class Promised(NamedTuple):
    """What a summary says of a test: defects, dies with defects (None for not said), and the summary's line."""

    defects: int
    dies: int | None
    line: int


@dataclass(frozen=True)
class KlarfHead:
    """What a file says of a wafer besides its defects.

    Attributes:
        lot: the lot's id.
        name: the wafer's id.
        line: where the wafer begins.
        units: of the lengths of its defects.
        diameter_mm: its diameter.
        pitch_mm: the distance of dies.
        centre_mm: the wafer's centre, seen from the origin of die (0, 0).
        mark: the orientation mark, or None.
        kind_names: names of the classes.
        promised: the summary by test; empty where there is none.
        inspected: (dies, 2) the dies of the sample test plan, or None.
        remarks: what a person should know.
    """

    lot: str
    name: str
    line: int
    units: Units
    diameter_mm: float
    pitch_mm: tuple[float, float]
    centre_mm: tuple[float, float]
    mark: str | None
    kind_names: Mapping[int, str]
    promised: Mapping[int, Promised]
    inspected: NDArray[np.int64] | None
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class HeadFacts:
    """The fields of a wafer, and of the lot and file around it, as they stand in the text.

    Attributes:
        text: the text, for errors.
        facts: fields and tables by their names.
        line: where the wafer begins.
    """

    text: TextBlocks
    facts: Facts
    line: int

    def words(self, name: str) -> tuple[str, ...]:
        """Return the values of a field, none where it is missing."""
        found = self.facts.get(name)
        return found.values if isinstance(found, Field) else ()

    def word(self, name: str) -> str:
        """Return the first value of a field, "" where it is missing."""
        return next(iter(self.words(name)), "")

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return a field of finite numbers, none where it is missing."""
        values = tuple(number(word) for word in self.words(name))
        if not all(abs(value) < 1e15 for value in values):
            raise self.error(name, f"must be numbers, is {' '.join(self.words(name))[:60]!r}")
        return values

    def pair(self, name: str) -> tuple[float, float]:
        """Return a field of two numbers.

        Raises:
            WaferError: it is missing or is none.
        """
        values = self.numbers(name)
        if not values:
            raise self.error(name, "is missing, without which no defect has a place")
        if len(values) != 2:
            raise self.error(name, f"must be two numbers, is {' '.join(self.words(name))[:60]!r}")
        return values[0], values[1]

    def error(self, name: str, what: str) -> WaferError:
        """Return an error at the line of a field."""
        found = self.facts.get(name)
        return self.text.error(f"{name} {what}", found.line if isinstance(found, Field | Table) else self.line)


def make_head(text: TextBlocks, name: str, line: int, facts: Facts, units: Units) -> KlarfHead:
    """Make the head of a wafer from the fields that hold for it.

    Args:
        text: the text, for errors.
        name: the wafer's id.
        line: where it begins.
        facts: fields and tables by their names in upper case, the wafer's own before those of its lot and file.
        units: the version's units.

    Raises:
        WaferError: a field is missing, is no number, or has a value that its unit makes impossible.
    """
    given = HeadFacts(text, facts, line)
    if (given.word("SAMPLETYPE") or "WAFER").upper() != "WAFER":
        raise given.error("SAMPLETYPE", f"is {given.word('SAMPLETYPE')[:40]!r}; only wafers are read")
    diameter, remarks = _diameter_mm(given, units)
    centre, plans = given.pair("SAMPLECENTERLOCATION"), facts.get(PLAN)
    return KlarfHead(
        given.word("LOTID").strip(),
        name.strip(),
        line,
        units,
        diameter,
        _pitch_mm(given, units, diameter),
        (centre[0] / units.length, centre[1] / units.length),
        _mark(given),
        MappingProxyType(_kind_names(given)),
        MappingProxyType(_promised(given)),
        plans.dies() if isinstance(plans, Plans) else None,
        (*remarks, *_remarks(given)),
    )


def _diameter_mm(given: HeadFacts, units: Units) -> tuple[float, list[str]]:
    """Return the diameter, and what is to be said of it."""
    name = "SAMPLESIZE"
    values = given.numbers(name)
    if not values:
        raise given.error(name, "is missing, without which the wafer has no diameter")
    if units is MICROMETRES:
        if len(values) != values[0] + 1:
            raise given.error(name, f"must be a count and as many lengths, is {' '.join(given.words(name))[:60]!r}")
        values = values[1:]
    sizes = [value / units.sample for value in values if value]
    if len({*sizes}) != 1:
        raise given.error(
            name, f"must be one diameter, is {' '.join(given.words(name))[:60]!r}; only round wafers are read"
        )
    try:
        check_diameter(sizes[0])
    except ValueError as error:
        raise given.error(name, f"is wrong: {error}") from None
    return sizes[0], ["SampleSize has two equal lengths, taken for a diameter"] if len(sizes) > 1 else []


def _pitch_mm(given: HeadFacts, units: Units, diameter: float) -> tuple[float, float]:
    """Return the distance of dies."""
    pitch = given.pair("DIEPITCH")
    x, y = pitch[0] / units.length, pitch[1] / units.length
    try:
        check_pitch((x, y), diameter)
    except ValueError as error:
        raise given.error("DIEPITCH", f"is wrong: {error}; this version of KLARF gives it in {units.name}") from None
    return x, y


def _mark(given: HeadFacts) -> str | None:
    """Return the orientation mark and where it lies, in lower case."""
    words = (given.word("SAMPLEORIENTATIONMARKTYPE"), given.word("ORIENTATIONMARKLOCATION"))
    return " ".join(word.lower() for word in words if word) or None


def _kind_names(given: HeadFacts) -> dict[int, str]:
    """Return names of the classes by their numbers."""
    table = given.facts.get("CLASSLOOKUP", given.facts.get("CLASSLOOKUPLIST"))
    if not isinstance(table, Table):
        return {}
    if not {"CLASSNUMBER", "CLASSNAME"} <= {*table.columns}:
        raise given.text.error("the list of classes has no CLASSNUMBER and CLASSNAME", table.line)
    at, name = table.columns.index("CLASSNUMBER"), table.columns.index("CLASSNAME")
    return {_whole(given, table, row[at], "CLASSNUMBER"): row[name].strip() for row in table.rows}


def _promised(given: HeadFacts) -> dict[int, Promised]:
    """Return the summary by test, several rows of a test added up."""
    table = given.facts.get("SUMMARYLIST", given.facts.get("TESTSUMMARYLIST"))
    if not isinstance(table, Table) or "NDEFECT" not in table.columns:
        return {}
    promised: dict[int, Promised] = {}
    for row in table.rows:
        values = dict(zip(table.columns, row, strict=True))
        test = _whole(given, table, values.get("TESTNO", "1"), "TESTNO")
        defects = _whole(given, table, values["NDEFECT"], "NDEFECT")
        dies = _whole(given, table, values["NDEFDIE"], "NDEFDIE") if "NDEFDIE" in values else None
        known = promised.get(test)
        promised[test] = Promised(defects + (known.defects if known else 0), None if known else dies, table.line)
    return promised


def _whole(given: HeadFacts, table: Table, word: str, name: str) -> int:
    """Return a whole number of a table."""
    value = number(word)
    if not (abs(value) < 2**53 and value == int(value)):
        raise given.text.error(f"{name} must be a whole number, is {word[:40]!r}", table.line)
    return int(value)


def _remarks(given: HeadFacts) -> list[str]:
    """Return what a person should know of how places are to be read."""
    remarks = []
    if any(given.numbers("DIEORIGIN")):
        place = " ".join(given.words("DIEORIGIN"))[:60]
        remarks.append(f"DieOrigin is {place}: places of defects and centre are both taken as seen from that origin")
    if given.word("COORDINATESMIRRORED").upper() == "YES":
        remarks.append("CoordinatesMirrored is YES: x is taken as it is given, as seen through the wafer")
    if "BACK" in given.word("ORIENTATIONINSTRUCTIONS").upper():
        remarks.append("OrientationInstructions names the back side: x is taken as it is given")
    return remarks

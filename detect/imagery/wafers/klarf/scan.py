"""The heads of all wafers of a KLARF file, read before its defects: fields may stand before them or after."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from detect.imagery.wafers.errors import CutOffError
from detect.imagery.wafers.klarf.events import FILE, LOT, WAFER, Begin, DefectRows, End, Event, Field, Table
from detect.imagery.wafers.klarf.heads import MICROMETRES, PLAN, Fact, Facts, KlarfHead, Units, make_head
from detect.imagery.wafers.klarf.sample_plan import Plan, Plans
from detect.imagery.wafers.klarf.text_blocks import TextBlocks

MOST_WAFERS = 10_000
"""Wafers of a file."""

_SUMMARY = "SUMMARYLIST"
_PLACES = ("SAMPLESIZE", "DIEPITCH", "DIEORIGIN", "SAMPLECENTERLOCATION")


class Scan(NamedTuple):
    """The heads of a file in its order, and the error of a file that was cut off."""

    heads: tuple[KlarfHead, ...]
    cut: CutOffError | None


def scan_heads(text: TextBlocks, events: Iterable[Event], units: Units, keep: bool) -> Scan:
    """Read a file for the heads of its wafers, and pass over its defects.

    Args:
        text: the text, for errors.
        events: what the file has.
        units: of its version.
        keep: whether a file that is cut off is read as far as it goes.

    Raises:
        WaferError: a field is missing or wrong, a wafer is there twice, or there are none.
        CutOffError: the file is cut off, and not to be kept.
    """
    fields: _Fields = _Statements(text) if units is MICROMETRES else _Records(text)
    cut = None
    try:
        for event in events:
            fields.take(event)
    except CutOffError as error:
        if not keep:
            raise
        cut = error
    heads = tuple(make_head(text, begin.name, begin.line, facts, units) for begin, facts in fields.wafers())
    if not heads:
        raise cut or text.error("the file has no wafer: no WaferID and no WaferRecord")
    lines: dict[tuple[str, str], int] = {}
    for head in heads:
        first = lines.setdefault((head.lot, head.name), head.line)
        if first != head.line:
            raise text.error(f"wafer {head.name!r} of lot {head.lot!r} is there already, from line {first}", head.line)
    return Scan(heads, cut)


class _Fields(ABC):
    """The fields that were read, by the wafer that they hold for."""

    def __init__(self, text: TextBlocks) -> None:
        self._text = text
        self._begins: list[Begin] = []

    def take(self, event: Event) -> None:
        """Keep what was read, and pass over defects."""
        match event:
            case Begin():
                if event.kind == WAFER:
                    self._begins.append(event)
                if len(self._begins) > MOST_WAFERS:
                    raise self._text.error(f"more than {MOST_WAFERS:,} wafers", event.line)
                self._begin(event)
            case End():
                self._end(event.kind)
            case Field() | Table():
                self._put(event)
            case Plan():
                self._plan(event)
            case DefectRows():
                if not self._begins:
                    raise self._text.error("a list of defects before the id of its wafer", event.line)
                self._hold(event.line)
                event.skip()

    @abstractmethod
    def wafers(self) -> Iterator[tuple[Begin, Facts]]:
        """Yield the wafers, each with the fields that hold for it."""

    @abstractmethod
    def _begin(self, event: Begin) -> None: ...

    @abstractmethod
    def _end(self, kind: str) -> None: ...

    @abstractmethod
    def _put(self, event: Field | Table) -> None: ...

    @abstractmethod
    def _plan(self, event: Plan) -> None: ...

    @abstractmethod
    def _hold(self, line: int) -> None: ...


class _Statements(_Fields):
    """Fields of statements: each holds until it is given again, for this wafer and the next.

    What held at a wafer's first list of defects holds for the wafer; only what was missing is taken from what follows.
    """

    def __init__(self, text: TextBlocks) -> None:
        super().__init__(text)
        self._state: dict[str, Fact] = {}
        self._held: dict[str, Fact] = {}
        self._planned = False
        self._closed: list[Facts] = []

    def wafers(self) -> Iterator[tuple[Begin, Facts]]:
        if len(self._closed) < len(self._begins):
            self._end(WAFER)
        yield from zip(self._begins, self._closed, strict=True)

    def _begin(self, event: Begin) -> None:
        self._state.pop(_SUMMARY, None)
        self._planned = False

    def _end(self, kind: str) -> None:
        self._closed.append({**self._state, **self._held})
        self._held = {}

    def _put(self, event: Field | Table) -> None:
        known = self._state.get(_SUMMARY)
        if event.name == _SUMMARY and isinstance(event, Table) and isinstance(known, Table):
            event = event._replace(rows=known.rows + event.rows) if event.columns == known.columns else event
        self._state[event.name] = event

    def _plan(self, event: Plan) -> None:
        plans = self._state.get(PLAN)
        if not isinstance(plans, Plans) or not self._planned:
            self._state[PLAN] = plans = Plans()
        plans.add(event, self._text)
        self._planned = True

    def _hold(self, line: int) -> None:
        now = {name: self._state[name] for name in _PLACES if name in self._state}
        changed = [name for name in now if name in self._held and _values(self._held[name]) != _values(now[name])]
        if changed:
            raise self._text.error(f"{changed[0]} is another than at the wafer's first list of defects", line)
        self._held = {**self._state, **self._held}


class _Records(_Fields):
    """Fields of records: each holds in its own record, before and after it stands there."""

    def __init__(self, text: TextBlocks) -> None:
        super().__init__(text)
        self._scopes: list[dict[str, Fact]] = [{}]
        self._around: list[list[dict[str, Fact]]] = []

    def wafers(self) -> Iterator[tuple[Begin, Facts]]:
        for begin, around in zip(self._begins, self._around, strict=True):
            yield begin, {name: each for scope in around for name, each in scope.items()}

    def _begin(self, event: Begin) -> None:
        if event.kind in (FILE, LOT, WAFER):
            self._scopes.append({})
        if event.kind == LOT:
            self._put(Field("LOTID", (event.name,), event.line))
        if event.kind == WAFER:
            self._around.append([*self._scopes])

    def _end(self, kind: str) -> None:
        if kind in (FILE, LOT, WAFER):
            self._scopes.pop()

    def _put(self, event: Field | Table) -> None:
        self._scopes[-1][event.name] = event

    def _plan(self, event: Plan) -> None:
        plans = self._scopes[-1].setdefault(PLAN, Plans())
        if isinstance(plans, Plans):
            plans.add(event, self._text)

    def _hold(self, line: int) -> None:
        """Keep nothing: a field holds in its record."""


def _values(fact: Fact) -> tuple[str, ...]:
    """Return the values of a field, none of other facts."""
    return fact.values if isinstance(fact, Field) else ()

"""KLARF files, versions 1.0 to 1.2 and 1.8, as inspection tools write them: wafers, some defects at a time.

The file is read twice: for what it says of its wafers, which may stand before the defects or after, and for the
defects, of which a block is held at once. A defect's place is its die's (index times pitch) and its own within the die,
less the wafer's centre (SampleCenterLocation): all are seen from the origin of die (0, 0), x to the right and y up.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from detect.imagery.wafers.errors import CutOffError
from detect.imagery.wafers.klarf.braced_records import WORD as RECORD_WORD
from detect.imagery.wafers.klarf.braced_records import walk_records
from detect.imagery.wafers.klarf.events import WAFER, Begin, DefectRows, End, Event, Field
from detect.imagery.wafers.klarf.heads import MICROMETRES, NANOMETRES, Units
from detect.imagery.wafers.klarf.scan import Scan, scan_heads
from detect.imagery.wafers.klarf.statements import WORD as STATEMENT_WORD
from detect.imagery.wafers.klarf.statements import walk_statements
from detect.imagery.wafers.klarf.tally import Tally
from detect.imagery.wafers.klarf.text_blocks import TextBlocks
from detect.imagery.wafers.wafer import Wafer

VERSIONS = (("1", "0"), ("1", "1"), ("1", "2"))
"""Versions in the form of statements."""

_BEGINNING = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:(?P<statement>FileVersion)|(?P<record>Record\s+FileRecord))\b", re.I)


class _Form(NamedTuple):
    """A form of KLARF."""

    word: re.Pattern[bytes]
    walk: Callable[[TextBlocks], Iterator[Event]]
    units: Units


_STATEMENTS = _Form(STATEMENT_WORD, walk_statements, MICROMETRES)
_RECORDS = _Form(RECORD_WORD, walk_records, NANOMETRES)


def is_klarf(beginning: bytes) -> bool:
    """Return whether a file is KLARF, by its first bytes."""
    return _BEGINNING.match(beginning) is not None


def read_klarf(file: BinaryIO, path: Path, keep: bool) -> Iterator[Wafer]:
    """Yield the wafers of a file, each in parts that follow each other: a block's defects, and none in the last.

    Args:
        file: the file, which can be read twice.
        path: its path, for messages.
        keep: whether a file that is cut off, or has other counts than it says, is read as far as it goes; the
            remarks of the last part say so.

    Raises:
        WaferError: something is wrong; names the line.
    """
    found = _BEGINNING.match(file.read(4096))
    form = _STATEMENTS if found is not None and found["statement"] else _RECORDS
    text = _opened(file, path, form)
    scan = scan_heads(text, _checked(text, form), form.units, keep)
    text = _opened(file, path, form)
    yield from _wafers(text, form.walk(text), scan, keep)


def _opened(file: BinaryIO, path: Path, form: _Form) -> TextBlocks:
    """Return a file's text from its beginning."""
    file.seek(0)
    if file.read(3) != b"\xef\xbb\xbf":
        file.seek(0)
    return TextBlocks(file, path, form.word)


def _checked(text: TextBlocks, form: _Form) -> Iterator[Event]:
    """Yield what a file has, after its version was checked."""
    events = form.walk(text)
    first = next(events)
    version = first.values if isinstance(first, Field) else (first.name,) if isinstance(first, Begin) else ()
    wanted = VERSIONS if form is _STATEMENTS else (("1.8",),)
    if version not in wanted:
        raise text.error(f"KLARF {' '.join(version)[:40]!r}; 1.0, 1.1, 1.2 (FileVersion) and 1.8 (FileRecord) are read")
    yield first
    yield from events


def _wafers(text: TextBlocks, events: Iterator[Event], scan: Scan, keep: bool) -> Iterator[Wafer]:
    """Yield the parts of the wafers whose heads are known."""
    last = scan.heads[-1]
    tallies = iter([Tally(head, text, keep, scan.cut if head is last else None) for head in scan.heads])
    tally = None
    try:
        for event in events:
            if isinstance(event, Begin) and event.kind == WAFER:
                tally = next(tallies, None)
            elif isinstance(event, DefectRows) and tally is not None:
                yield from tally.read(event)
            elif isinstance(event, End) and event.kind == WAFER and tally is not None:
                yield tally.close()
                tally = None
    except CutOffError:
        if not keep:
            raise
        if tally is not None:
            yield tally.close()

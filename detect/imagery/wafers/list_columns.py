"""The columns of a list of defects as CSV: which is which, in which unit, and what lines before the header say of all.

    # diameter_mm: 300
    wafer,x_mm,y_mm,size_um,class

Lines before the header that begin with "#" give a column's value for every row (`# diameter_mm: 300`, `# lot: A12`), or
the unit of columns that name none (`# unit: um`). Places need a unit: x_mm, "X (um)", x[µm] and so on.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

UNITS = {"mm": 1.0, "um": 1e3}
"""Units of lengths, as many as a millimetre has."""

DELIMITERS = ",;\t"
"""What may separate the fields."""

LENGTHS = ("x", "y", "size", "diameter", "pitch_x", "pitch_y")
"""Columns that have a unit."""

OF_A_WAFER = ("lot", "wafer", "diameter", "pitch_x", "pitch_y", "mark")
"""Columns that are the same for every row of a wafer, and may stand before the header."""

_TEXTS = ("lot", "wafer", "die_col", "die_row", "class", "class_name", "mark", "images")
_OTHER_NAMES = {
    **{"wafer_id": "wafer", "waferid": "wafer", "lot_id": "lot", "lotid": "lot", "label": "class"},
    **{"die_x": "die_col", "die_y": "die_row", "xindex": "die_col", "yindex": "die_row", "dsize": "size"},
}
_UNIT = re.compile(r"(.+)_(mm|um)")
_COMMENT = re.compile(r"#\s*([^:=]+?)\s*[:=]\s*(.*?)\s*")


@dataclass(frozen=True)
class ListColumns:
    """Where the columns of a list are.

    Attributes:
        delimiter: what separates the fields.
        count: how many fields a row has.
        at: position of the known columns by their names.
        fixed: values of columns that are the same for every row, by their names.
        units: the unit of each length that a column or a line before the header gives, as many as a millimetre has.
        unread: names of columns that are not known.
    """

    delimiter: str
    count: int
    at: Mapping[str, int]
    fixed: Mapping[str, str]
    units: Mapping[str, float]
    unread: tuple[str, ...]


def find_columns(comments: list[str], header: str) -> ListColumns:
    """Return the columns of a list.

    Args:
        comments: the lines before the header, each beginning with "#".
        header: the header.

    Raises:
        ValueError: there is no x or y, a column is there twice, or a length has no unit.
    """
    stated = {found[1]: found[2] for line in comments if (found := _COMMENT.fullmatch(line.strip())) is not None}
    said = {_plain(name): value for name, value in stated.items()}
    unit = said.pop("unit", said.pop("units", "")).lower().replace("µ", "u").replace("μ", "u")
    if unit and unit not in UNITS:
        raise ValueError(f"unit {unit[:40]!r} is none of {', '.join(UNITS)}")
    delimiter, names = _split(header)
    units: dict[str, float] = {}
    at, unread = _positions(names, unit, units)
    fixed = {}
    for given, value in said.items():
        name = _known(given, unit, {} if given in at else units)
        if name in OF_A_WAFER and name not in at:
            fixed[name] = value
    _check_places(at, header)
    return ListColumns(
        delimiter, len(names), MappingProxyType(at), MappingProxyType(fixed), MappingProxyType(units), (*unread,)
    )


def _positions(names: list[str], unit: str, units: dict[str, float]) -> tuple[dict[str, int], list[str]]:
    """Return where the columns that are read stand, and the names of the others.

    Args:
        names: of all columns.
        unit: of lengths whose column does not name one.
        units: to which the unit of each column of lengths is added.

    Raises:
        ValueError: a column is there twice, or a length has no unit.
    """
    at: dict[str, int] = {}
    unread = []
    for position, given in enumerate(names):
        name = _known(given, unit, units)
        if name is None:
            unread.append(given)
        elif name in at:
            raise ValueError(f"column {name!r} is there twice; keep one")
        else:
            at[name] = position
    return at, unread


def _check_places(at: dict[str, int], header: str) -> None:
    """Check that there are columns of x and y, and of both numbers of a die or none.

    Raises:
        ValueError: one is missing.
    """
    missing = [name for name in ("x", "y") if name not in at]
    if missing:
        raise ValueError(f"no column {missing[0]}; a list of defects has x_mm,y_mm or x_um,y_um, is {header[:80]!r}")
    if ("die_col" in at) != ("die_row" in at):
        raise ValueError("die_col and die_row go together; one is missing")


def has_places(header: str) -> bool:
    """Return whether a header has columns of x and y that name their unit."""
    try:
        names = _split(header)[1]
    except csv.Error:
        return False
    return {"x", "y"} <= {found[1] for name in names if (found := _UNIT.fullmatch(name)) is not None}


def _split(header: str) -> tuple[str, list[str]]:
    """Return what separates the columns of a header, and their plain names."""
    delimiter = max(DELIMITERS, key=header.count)
    return delimiter, [_plain(name) for name in next(csv.reader([header], delimiter=delimiter), [])]


def _plain(name: str) -> str:
    """Return the name of a column in lower case, with an underscore for blanks and brackets."""
    letters = name.strip().lower().replace("µ", "u").replace("μ", "u")
    return re.sub(r"[\s()\[\]]+", "_", letters).strip("_")


def _known(given: str, unit: str, units: dict[str, float]) -> str | None:
    """Return what a name means, None if it is not known, and add the unit of a length to `units`."""
    found = _UNIT.fullmatch(given)
    name = found[1] if found else given
    name = _OTHER_NAMES.get(name, name)
    if name in LENGTHS:
        own = found[2] if found else unit
        if not own:
            raise ValueError(
                f"column {given!r} has no unit; name it {given}_mm or {given}_um, or put '# unit: um' above"
            )
        units[name] = UNITS[own]
        return name
    return name if name in _TEXTS and not found else None

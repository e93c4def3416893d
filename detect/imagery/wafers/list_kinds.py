"""Classes of a list of defects by number: as the list gives them, or counted from 0 as their names appear."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detect.imagery.spreadsheet_cells import unguarded
from detect.imagery.wafers.errors import WaferError
from detect.imagery.wafers.list_columns import ListColumns

MOST_KINDS = 100_000
"""Classes of a list."""

MOST_OF_A_NAME = 1000
"""Letters of a class's name."""

_TOO_MANY = (
    f"more than {MOST_KINDS:,} classes, or a name of more than {MOST_OF_A_NAME:,} letters; is the column class another?"
)
_LARGEST = 2**53


class FieldsOfRow(Protocol):
    """A row: its fields and its line."""

    @property
    def fields(self) -> list[str]:
        """Return the fields."""

    @property
    def line(self) -> int:
        """Return the line."""


class KindNumbers:
    """The classes of a list: numbers if its first row has one, else names, which are numbered over the whole list.

    Args:
        columns: the columns of the list.
        path: the file, for messages.
    """

    def __init__(self, columns: ListColumns, path: Path) -> None:
        self._at, self._name_at, self._path = columns.at.get("class"), columns.at.get("class_name"), path
        self._are_numbers: bool | None = None
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def begin(self) -> None:
        """Begin another wafer, of which no class has a name yet."""
        self._names = {}

    def names(self) -> dict[int, str]:
        """Return the names of the wafer's classes that were read so far."""
        return dict(self._names)

    def numbers(self, rows: Sequence[FieldsOfRow]) -> NDArray[np.int64]:
        """Return the class numbers of rows, 0 for all where the list has no classes.

        Raises:
            WaferError: a number is none, has two names, or there are more than `MOST_KINDS` names.
        """
        if self._at is None or not rows:
            return np.zeros(len(rows), np.int64)
        texts = [unguarded(row.fields[self._at].strip()) for row in rows]
        if self._are_numbers is None:
            self._are_numbers = _number(texts[0]) is not None
        if not self._are_numbers:
            return np.array([self._numbered(text, row) for text, row in zip(texts, rows, strict=True)], np.int64)
        numbers = [_number(text) for text in texts]
        if None in numbers:
            wrong = rows[numbers.index(None)]
            text = wrong.fields[self._at][:40]
            raise WaferError(self._path, wrong.line, f"a class must be a number as in rows before, is {text!r}")
        if self._name_at is not None:
            self._name_all(numbers, rows, self._name_at)
        return np.array(numbers, np.int64)

    def _name_all(self, numbers: Sequence[int | None], rows: Sequence[FieldsOfRow], at: int) -> None:
        """Add the names that rows give to numbers, each pair once."""
        pairs: dict[tuple[int | None, str], int] = {}
        for number, row in zip(numbers, rows, strict=True):
            pairs.setdefault((number, row.fields[at]), row.line)
        for (number, name), line in pairs.items():
            if number is not None:
                self._name(number, unguarded(name.strip()), line)

    def _numbered(self, text: str, row: FieldsOfRow) -> int:
        """Return the number of a name."""
        number = self._numbers.setdefault(text, len(self._numbers))
        if number >= MOST_KINDS or len(text) > MOST_OF_A_NAME:
            raise WaferError(self._path, row.line, _TOO_MANY)
        self._names[number] = text
        return number

    def _name(self, number: int, name: str, line: int) -> None:
        """Add the name that a row gives to a number."""
        if name and self._names.setdefault(number, name) != name:
            raise WaferError(self._path, line, f"class {number} is {name[:40]!r} here, and another in rows before")
        if len(self._names) > MOST_KINDS or len(name) > MOST_OF_A_NAME:
            raise WaferError(self._path, line, _TOO_MANY)


def _number(text: str) -> int | None:
    """Return a text's whole number, None where it is none."""
    try:
        number = int(text)
    except ValueError:
        return None
    return number if abs(number) <= _LARGEST else None

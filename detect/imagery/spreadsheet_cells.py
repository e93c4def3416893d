"""Cells of CSV files that a spreadsheet would run as a formula, written so that it does not, and read back unchanged.

A spreadsheet runs a cell that begins with one of `FORMULA_STARTS`; such a cell, unless it is a plain number, is written
with an apostrophe before it, which reading removes (OWASP, CSV injection). A text that begins with apostrophes and then
such a character gets one more, so that every text comes back.
"""

import re

FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"
"""First characters, of which some are full-width, by which a spreadsheet takes a cell for a formula."""

_GUARDED_STARTS = frozenset(f"'{FORMULA_STARTS}")
"""First characters of the texts that are looked at; no other is guarded."""

_PLAIN_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def guarded(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; see the head of this file."""
    return f"'{text}" if text[:1] in _GUARDED_STARTS and _runs(text) else text


def unguarded(cell: str) -> str:
    """Return the text of a cell that `guarded` made."""
    return cell[1:] if cell.startswith("'") and _runs(cell) else cell


def _runs(text: str) -> bool:
    """Return whether a text, without the apostrophes before it, might be taken for a formula."""
    core = text.lstrip("'")
    return core[:1] in FORMULA_STARTS and core != "" and _PLAIN_NUMBER.fullmatch(core) is None

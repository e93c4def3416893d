"""What is wrong with how the product took an input."""

import csv
import io
import re
from pathlib import Path

from detect.imagery.finding.endings import is_hidden

from .canary import Canary, differences, state_of
from .case import Case, Place
from .watched import Watched

FORMULA = re.compile(r"[=+\-@\t\r]")
"""How a cell begins that a spreadsheet runs."""

ACTIVE = "<script>alert(1)"
"""Text of an input that a page would run."""


def judge(case: Case, place: Place, watched: Watched, canary: Canary, before: dict[str, str], good: int) -> list[str]:
    """Return everything that is wrong, in words.

    Args:
        case: the input.
        place: its folders.
        watched: what its commands did.
        canary: what they may not reach.
        before: the state of the input folder before they ran.
        good: objects in the good image.
    """
    wrong = list(watched.wrong)
    wrong += [f"canary: {each}" for each in canary.touched()]
    wrong += [f"input: {each}" for each in differences(before, state_of(place.input))]
    wrong += [f"exit code: {code}" for code in watched.codes if code not in case.ends]
    wrong += ["user's file: gone or changed" for path in case.kept if not _is_mine(path)]
    if any(watched.codes) and not watched.log.strip():
        wrong.append("silent: no message")
    if watched.wrong:
        return wrong
    if "Traceback (most recent" in watched.log:
        wrong.append("log: a traceback")
    wrong += _leaks(place.out, canary.token)
    if case.counted:
        wrong += _images(case, place.out, watched.codes, good)
    if case.tables:
        written = [path for path in sorted(place.out.rglob("*.csv")) if path.is_file()]
        wrong += [each for path in written for each in table_faults(path)]
    return wrong


def _is_mine(path: Path) -> bool:
    return path.is_file() and path.read_text(errors="replace") == "mine"


def _leaks(out: Path, token: str) -> list[str]:
    """Return results in which a secret or a script stands, and halves of files."""
    wrong = []
    for path in out.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        if path.name.endswith(".part"):
            wrong.append(f"half a file: {path.relative_to(out)}")
        data = path.read_bytes()
        if token.encode() in data:
            wrong.append(f"secret: stands in {path.relative_to(out)}")
        if path.suffix == ".html" and ACTIVE.encode() in data:
            wrong.append(f"script: stands in {path.relative_to(out)}")
    return wrong


def _images(case: Case, out: Path, codes: list[int], good: int) -> list[str]:
    """Return what is wrong with the tables of a run in which every image is for itself."""
    if 2 in codes:
        return ["whole run: ended with 2, although a good image lies beside"]
    counts, failures = _rows(out / "counts.csv"), _rows(out / "failures.csv")
    totals = {row["image"]: row["total"] for row in counts}
    wrong = [
        f"good image: {totals.get(name)} counted, {good} alone"
        for name in case.counted
        if totals.get(name) != str(good)
    ]
    named = [name for name in case.accounted if not any(is_hidden(part) for part in Path(name).parts)]
    listed, there = len(counts) + len(failures), len(named) + len(case.counted)
    if listed < there:
        wrong.append(f"absent: {there} images, {len(counts)} counted and {len(failures)} failed")
    if bool(failures) != (codes[-1] == 3):
        wrong.append(f"exit code: {codes[-1]} with {len(failures)} failures")
    return wrong


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    rows = _long_cells(io.StringIO(path.read_text(encoding="utf-8", errors="replace"), newline=""))
    return [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]


def _long_cells(text: io.StringIO) -> list[list[str]]:
    """Read the rows of a CSV file with cells of any length; the csv module has one limit for the whole process."""
    before = csv.field_size_limit(1 << 30)
    try:
        return list(csv.reader(text))
    finally:
        csv.field_size_limit(before)


def table_faults(path: Path) -> list[str]:
    """Return what is wrong with a CSV file: rows of unequal length, cells that spreadsheets run."""
    text = path.read_bytes().decode("utf-8", "replace")
    rows = _long_cells(io.StringIO(text, newline=""))
    wrong = [f"table: {path.name} has rows of unequal length"] if len({len(row) for row in rows}) > 1 else []
    cells = [cell for row in rows for cell in row if FORMULA.match(cell) and not _is_number(cell)]
    return wrong + [f"formula: {cell[:30]!r} in {path.name}" for cell in cells[:1]]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def word(codes: list[int]) -> str:
    """Return what became of an input, by its exit codes: accepted, or refused as a whole or in part."""
    return "accepted" if codes and not any(codes) else "refused"

"""The files of tests that take longest, longest first: several workers begin with them."""

from pathlib import Path

HEAVY = (
    "tests/test_commands.py",
    "tests/test_fuzz.py",
    "tests/laws/test_law_07_resumed_runs.py",
)
"""By CPU time, from `pytest --durations`; those of less than ten seconds need not be here."""


def heavy_first(path: Path) -> int:
    """Return the place of a file in the order: that in `HEAVY`, or behind them all."""
    name = path.relative_to(Path(__file__).parents[1]).as_posix()
    return HEAVY.index(name) if name in HEAVY else len(HEAVY)

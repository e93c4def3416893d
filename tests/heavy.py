"""The files of tests that take longest, longest first: several workers begin with them."""

from pathlib import Path

HEAVY = (
    "tests/laws/test_law_07_cluster.py",
    "tests/laws/test_law_07_resumed_runs.py",
    "tests/test_commands.py",
    "tests/test_fuzz.py",
    "tests/test_predict_at_addresses.py",
    "tests/laws/test_law_07_started_trainings.py",
    "tests/laws/test_law_07_resumed_trainings.py",
    "tests/test_whole_commands.py",
    "tests/test_several_devices.py",
    "tests/reviewing/test_page.py",
    "tests/laws/test_law_07_resumed_folds.py",
    "tests/cases/test_01_exif.py",
    "tests/cases/test_06_bands.py",
    "tests/cases/test_19_many_bands.py",
    "tests/test_export.py",
    "tests/explaining/test_explain_command.py",
    "tests/cases/test_02_training.py",
    "tests/test_folds.py",
    "tests/laws/test_law_07_formats.py",
    "tests/test_imports.py",
)
"""By CPU time (`pytest --durations=50`); a file of less than fifteen seconds need not be here."""


def heavy_first(path: Path) -> int:
    """Return the place of a file, of any folder, in the order: that in `HEAVY`, or behind them all."""
    files = [Path(__file__).parents[1] / name for name in HEAVY]
    return files.index(path) if path in files else len(files)

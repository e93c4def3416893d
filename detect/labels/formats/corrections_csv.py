"""`corrections.csv` as annotations: in reviewed windows everything is labelled, outside nothing is known."""

from pathlib import Path

from detect.labels.dialects import head_of
from detect.labels.entries import Entry, Problems
from detect.labels.reading.reviewed_rows import is_reviewed, reviewed_rows
from detect.labels.sheets import read_sheet


def is_corrections(path: Path) -> bool:
    """Return whether a path is a table of corrections, by the names of its columns."""
    head = head_of(path) if path.suffix.lower() == ".csv" and path.is_file() else None
    return head is not None and is_reviewed([name.strip() for name in head.split(",")])


def read_corrections_csv(path: Path, root: Path | None, problems: Problems) -> tuple[list[Entry], bool]:
    """Read the entries of a table of corrections.

    Args:
        path: the file.
        root: the data folder; not used, images are named by their path below it.
        problems: of the reading; a wrong row is an error at once, as the file is a program's.

    Returns:
        The entries, each with its reviewed window, and whether they are boxes.

    Raises:
        AnnotationError: as of `reviewed_rows`.
    """
    rows = list(reviewed_rows(read_sheet(path)))
    entries = [Entry(path, row.line, row.image, row.corners, row.label, window=row.window) for row in rows]
    return entries, any(row.wh is not None for row in rows)

"""Paths that settings name, which must be there."""

from pathlib import Path

from detect.imagery.finding.spelling import meant


def existing(path: Path, key: str, what: str) -> Path:
    """Return a path that a setting names, which must be there.

    Raises:
        FileNotFoundError: nothing is there.
        NotADirectoryError: a file is, and a folder is wanted.
    """
    if not path.exists():
        raise FileNotFoundError(f"{key}={path}: no such {what}{meant(path)}")
    if what == "folder" and not path.is_dir():
        raise NotADirectoryError(f"{key}={path}: that is a file; name the folder that it is in")
    return path

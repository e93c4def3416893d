"""What is wrong with a list of defects, with the file and the line."""

from pathlib import Path

WAY_TO_KEEP = "truncated=keep (with data.root, data.truncated=keep)"
"""The setting by which a list that is cut off, or has other counts than it says, is read as far as it goes."""

CUT, MISCOUNTED = "cut off, and read as far as it goes", "of other counts than it says, and read as it is"
"""How remarks on such a list begin."""


class WaferError(ValueError):
    """A list of defects that cannot be read.

    Args:
        path: the file.
        line: the line that is wrong, from 1; None where it is the whole file.
        what: what is wrong and the way out.
    """

    def __init__(self, path: Path, line: int | None, what: str) -> None:
        self.path, self.line = path, line
        super().__init__(f"{path}: {what}" if line is None else f"{path}, line {line}: {what}")


class CutOffError(WaferError):
    """A list that ends where it must not: a part of the file is missing."""

"""Files written whole or not at all: a reader never finds half of one, and a killed run leaves the old file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to, and move it to `path` when the block ends without an error.

    The folder is made if it is missing. If the block raises, the temporary file is removed and `path` is unchanged.

    Args:
        path: the file to write.

    Yields:
        The path to write to: in the same folder, hidden, ending in `.part`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid4().hex}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

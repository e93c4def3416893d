"""Files written whole or not at all: a reader never sees half of one, and a killed run leaves the old one in place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to, and move it over `path` when the block ends well.

    The folder is made if need be. If the block raises, the temporary file is removed and `path` stays as it was.

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

"""What a JSON file may be, by the names near its beginning and its end, so that large files are not read to know it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

HEAD_BYTES = 1 << 16
"""How much of the beginning and of the end of a file is looked at."""

LOOKED_AT = 50
"""Files of a folder that are looked at for their kind, at most."""


def names_in(path: Path, *names: str) -> bool:
    """Return whether a file begins as JSON and has all of some names, as `"name"`, near its beginning or its end."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            file.seek(max(0, path.stat().st_size - HEAD_BYTES))
            ends = head + file.read(HEAD_BYTES)
    except OSError:
        return False
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"{", b"["):
        return False
    return all(f'"{name}"'.encode() in ends for name in names)


def files_below(folder: Path, *endings: str) -> Iterator[Path]:
    """Yield the files below a folder with some endings, in lower or upper case, sorted, without hidden ones."""
    for path in sorted(each for each in folder.rglob("*") if each.suffix.lower() in endings):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts) and path.is_file():
            yield path


def first_files(folder: Path, *endings: str) -> Iterator[Path]:
    """Yield the first files of `files_below` that are looked at for their kind."""
    return islice(files_below(folder, *endings), LOOKED_AT)

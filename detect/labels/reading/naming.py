"""Names of images as other programs write them: paths of another machine, addresses, uploads with a prefix."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def image_names(text: str, file: Path, root: Path | None) -> tuple[str, tuple[str, ...]]:
    """Return the name of an image below the data folder, and other names by which it is looked for in this order.

    Args:
        text: as the annotation file names it: a path, from `file` or of any machine, or the end of one.
        file: the annotation file.
        root: the data folder; None where no image is looked for.
    """
    parts = [part for part in PurePosixPath(text.replace("\\", "/")).parts if part not in ("/", "//", ".")]
    if root is not None and parts:
        beside = Path(*file.absolute().parent.parts)
        for part in parts:
            beside = beside.parent if part == ".." else beside / part
        if _is_file(beside) and beside.is_relative_to(root.absolute()):
            return beside.relative_to(root.absolute()).as_posix(), ()
    plain = [part for part in parts if part != ".." and not re.fullmatch(r"[A-Za-z]:", part)]
    tails = ["/".join(plain[i:]) for i in range(len(plain))]
    if not tails:
        return text, ()
    return tails[0], tuple(tails[1:])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def served_name(address: str) -> str:
    """Return the path of an image in an address of Label Studio or another server, without what a server adds.

    `/data/local-files/?d=folder/a.jpg` is `folder/a.jpg`; `/data/upload/1/abcdef12-a.jpg` is `a.jpg`; of
    `https://host/folder/a.jpg?key=1` the path remains; `%20` and the like are characters again.
    """
    if not _ADDRESS.match(address) and "?" not in address and not address.startswith("/data/"):
        return address
    try:
        parts = urlsplit(address)
        given = parse_qs(parts.query)
    except ValueError:
        return address
    local = given.get("d", [])
    path = local[0] if local else unquote(parts.path)
    if "/upload/" in path:
        name = path.rsplit("/", 1)[-1]
        return _UPLOADED.sub("", name, count=1) if _UPLOADED.match(name) else name
    return path


def with_endings(stem: str, endings: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return names of an image of which only the stem is known, with one ending and with the others."""
    names = [stem + ending for ending in dict.fromkeys([*endings, *(each.upper() for each in endings)])]
    return names[0], tuple(names[1:])

"""Files written whole or not at all: a reader never sees half of one, and a killed run leaves the old one in place."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from PIL import Image


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


def write_bytes(data: bytes, path: Path) -> None:
    """Write bytes to a file, whole or not at all."""
    with replace_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(text: str, path: Path) -> None:
    """Write text as UTF-8, whole or not at all.

    File names may hold bytes that are no text (Python's lone surrogates); they are written as backslash escapes, which
    inside a JSON string give the same name back.
    """
    write_bytes(text.encode("utf-8", "backslashreplace"), path)


def write_json(data: Any, path: Path) -> None:
    """Write plain data, numpy numbers and arrays, and paths as JSON, whole or not at all.

    Args:
        data: what to write; dictionary keys keep their order.
        path: the file to write.

    Raises:
        TypeError: a value has no form in JSON.
        ValueError: a number is NaN or infinite; say `None` for a number that is not known.
    """
    try:
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; JSON has no NaN or infinity, use None for an unknown number") from error
    write_text(text + "\n", path)


def write_picture(image: Image.Image, path: Path, quality: int = 90) -> None:
    """Write a picture as JPEG, whole or not at all.

    Args:
        image: RGB or grey picture.
        path: the file to write; its ending does not matter.
        quality: JPEG quality from 1 to 95.
    """
    with replace_file(path) as temporary:
        image.save(temporary, format="JPEG", quality=quality, optimize=True)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}")

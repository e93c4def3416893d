"""Text, JSON and pictures, written whole or not at all."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from detect.imagery.files import replace_file


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

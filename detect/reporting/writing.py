"""Text, JSON and pictures, written whole or not at all."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detect.imagery.files import replace_file

if TYPE_CHECKING:
    from PIL import Image


def write_bytes(data: bytes, path: Path) -> None:
    """Write bytes to a file, whole or not at all."""
    with replace_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(text: str, path: Path) -> None:
    """Write text as UTF-8, whole or not at all.

    Bytes of file names that are not UTF-8 (lone surrogates in Python) are written as backslash escapes, which a JSON
    reader turns back into the same name.
    """
    write_bytes(text.encode("utf-8", "backslashreplace"), path)


def write_json(data: Any, path: Path) -> None:
    """Write plain data, numpy numbers and arrays, and paths as JSON, whole or not at all.

    Args:
        data: the value to write; dictionary keys keep their order.
        path: the file to write.

    Raises:
        TypeError: a value has no form in JSON.
        ValueError: a number is NaN or infinite; a number that is not known must be `None`.
    """
    try:
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; JSON has no NaN or infinity, use None for an unknown number") from error
    write_text(text + "\n", path)


def write_picture(image: "Image.Image", path: Path, quality: int = 90) -> None:
    """Write a picture as JPEG, whole or not at all.

    Args:
        image: RGB or grey picture.
        path: the file to write, with any extension.
        quality: JPEG quality from 1 to 95.
    """
    with replace_file(path) as temporary:
        image.save(temporary, format="JPEG", quality=quality, optimize=True)


def _plain(value: Any) -> Any:
    """Return the form in JSON of a value that `json` does not know."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}")

"""Text, JSON and pictures, written whole or not at all."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.files import replace_file

if TYPE_CHECKING:
    from PIL import Image

MAX_JPEG_SIDE = 65_500
"""Longest side in pixels of a JPEG, by libjpeg."""


def write_bytes(data: bytes | memoryview, path: Path) -> None:
    """Write bytes to a file, whole or not at all."""
    with replace_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(text: str, path: Path) -> None:
    """Write text as UTF-8 (`text_bytes`), whole or not at all."""
    write_bytes(text_bytes(text), path)


def text_bytes(text: str) -> bytes:
    """Return text as UTF-8.

    Bytes of file names that are not UTF-8 (lone surrogates in Python) become backslash escapes, which a JSON reader
    turns back into the same name.
    """
    return text.encode("utf-8", "backslashreplace")


def write_json(data: Any, path: Path) -> None:
    """Write plain data as JSON (`json_bytes`), whole or not at all."""
    write_bytes(json_bytes(data, path), path)


def json_bytes(data: Any, path: Path) -> bytes:
    """Return plain data, numpy numbers and arrays, and paths as JSON.

    Args:
        data: the value; dictionary keys keep their order.
        path: the file that it is for, for messages.

    Raises:
        TypeError: a value has no form in JSON.
        ValueError: a number is NaN or infinite; a number that is not known must be `None`.
    """
    try:
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; JSON has no NaN or infinity, use None for an unknown number") from error
    return text_bytes(text + "\n")


def write_picture(image: "Image.Image | NDArray[np.uint8]", path: Path, quality: int = 90) -> None:
    """Write a picture as JPEG, whole or not at all.

    It is made in memory: libraries, writing to a file, do not say that a disk is full or a quota used up. OpenCV makes
    it, as other threads go on meanwhile, which Pillow's encoder keeps from it. Its codes are not fitted to it
    (`optimize`), which took twice as long for files smaller by at most 8 %.

    Args:
        image: RGB or grey picture, or its pixels (H, W, 3) or (H, W).
        path: the file to write, with any extension.
        quality: JPEG quality from 1 to 100.

    Raises:
        ValueError: neither RGB nor grey, or too large for the format.
    """
    import cv2

    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f"{path}: a picture must be RGB or grey, of bytes, got {pixels.dtype} {pixels.shape}")
    if max(pixels.shape) > MAX_JPEG_SIDE:
        raise ValueError(f"{path}: a JPEG has {MAX_JPEG_SIDE:,} pixels a side at most, got {pixels.shape}")
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, quality])
    write_bytes(data.ravel().data, path)


def _plain(value: Any) -> Any:
    """Return the form in JSON of a value that `json` does not know."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}")

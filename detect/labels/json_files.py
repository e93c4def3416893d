"""JSON files of others: regular files of bounded size and depth, with numbers of bounded size."""

import json
import math
from pathlib import Path
from typing import Any

from detect.imagery.files import read_regular

MAX_JSON_BYTES = 64 << 20
"""Most bytes of a JSON file that is read."""

MAX_LABELS_BYTES = 1 << 30
"""Most bytes of a JSON file of annotations that is read."""

MAX_DEPTH = 32
"""Objects and lists inside each other, at most."""

MAX_INTEGER = 2**63 - 1
"""Greatest integer."""


def read_json(path: Path, inside: Path | None = None, *, most_bytes: int | None = None) -> Any:
    """Read a JSON file, with or without a byte order mark.

    Args:
        path: the file.
        inside: a folder that the file must lie in, wherever links lead; None for no such folder.
        most_bytes: a larger file is not read; None for `MAX_JSON_BYTES`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is damaged, is not a file, or goes beyond a bound; the message names it.
    """
    data = read_regular(path, MAX_JSON_BYTES if most_bytes is None else most_bytes, inside)
    try:
        return parse_json(data.decode("utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error})") from error


def read_json_object(path: Path, inside: Path | None = None) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Args:
        path: the file.
        inside: a folder that the file must lie in, wherever links lead; None for no such folder.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is damaged or holds something else, is not a file, or goes beyond a bound; the message names it.
    """
    content = read_json(path, inside)
    if not isinstance(content, dict):
        raise ValueError(f"{path}: must hold a JSON object, got {type(content).__name__}")  # noqa: TRY004
    return content


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; NaN and Infinity, which other programs write, are None: not known.

    Raises:
        ValueError: it is damaged, nested deeper than `MAX_DEPTH`, or has a number that is too large.
    """
    try:
        content = json.loads(text, parse_constant=lambda _: None, parse_float=_finite, parse_int=_bounded)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    _check_depth(content)
    return content


def _check_depth(content: Any) -> None:
    level = [content]
    for _ in range(MAX_DEPTH + 1):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [value for values in inner for value in values]
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _bounded(text: str) -> int:
    if len(text) > 20 or abs(int(text)) > MAX_INTEGER:
        raise ValueError(f"{text[:40]} is too large an integer")
    return int(text)

"""Settings that are sizes in bytes."""

import re
from typing import Annotated, Any

from pydantic import PlainValidator

UNITS = {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "b": 1, "": 1}
"""Bytes of the units that a size may be written in."""


class Bytes(int):
    """A number of bytes that remembers how it was written."""

    text: str


def byte_size(text: Any) -> Bytes:
    """Read a size such as `4GiB`, `500MiB` or a plain number of bytes.

    Raises:
        ValueError: it is no size.
    """
    found = re.fullmatch(r"\s*([\d.]+)\s*([a-z]*)\s*", str(text).lower())
    try:
        size = int(float(found[1]) * UNITS[found[2]]) if found else 0
    except (ValueError, KeyError, OverflowError):
        size = 0
    if size <= 0:
        raise ValueError(f"must be a positive size, such as 2GiB, 500MiB or a number of bytes, got {text!r}")
    made = Bytes(size)
    made.text = str(text)
    return made


def _byte_size_or_auto(value: Any) -> Bytes | None:
    if value in ("auto", None):
        return None
    try:
        return byte_size(value)
    except ValueError as error:
        raise ValueError(str(error).replace(", got", ", or auto, got", 1)) from error


ByteSize = Annotated[Bytes, PlainValidator(byte_size)]
"""Bytes, written as `2GiB` or a number."""

AutoByteSize = Annotated[Bytes | None, PlainValidator(_byte_size_or_auto)]
"""Bytes, written as `2GiB` or a number, None for `auto`."""

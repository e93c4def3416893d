"""Reading what a file of an image stands for: by GDAL, or byte by byte."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from detect.imagery.remote.address import Address
from detect.imagery.remote.image_cache import stood_for
from detect.imagery.remote.store import file_system, key_of, store_errors

READ_AHEAD_BYTES = 1 << 16
"""Bytes that are read at once of an image that stays in the store: its directories are short."""


@contextmanager
def open_bytes(path: Path, buffering: int = -1) -> Iterator[BinaryIO]:
    """Open a file of an image for reading, or the object for which it stands.

    Args:
        path: the file.
        buffering: of a file on this machine, as of `open`.
    """
    address = stood_for(path)
    if address is None:
        with path.open("rb", buffering) as here:
            yield here
        return
    with store_errors(address, "read"):
        opened = file_system(address).open(
            key_of(address), "rb", block_size=READ_AHEAD_BYTES, cache_type="readahead", size=_size(address)
        )
    with opened as file:
        yield cast("BinaryIO", file)


def _size(address: Address) -> int:
    assert address.listed is not None
    return address.listed.size


def gdal_name(path: Path) -> Path | str:
    """Return by what GDAL opens a file: its path, or the name of the object for which it stands."""
    address = stood_for(path)
    return path.absolute() if address is None else f"{address.service.vsi}{key_of(address)}"


def gdal_access(path: Path | None) -> dict[str, Any]:
    """Return the options by which GDAL may reach the object for which a file stands, and no other; none of a file."""
    address = None if path is None else stood_for(path)
    if address is None:
        return {}
    name = f"{address.service.vsi}{key_of(address)}"
    options: dict[str, Any] = {
        "CPL_VSIL_CURL_ALLOWED_FILENAME": name,
        "CPL_VSIL_CURL_NON_CACHED": name,
        "GDAL_HTTP_MAX_RETRY": 5,
        "GDAL_HTTP_RETRY_DELAY": 1,
    }
    return options | (_endpoint() if address.parts[0] == "s3:" else {})


def _endpoint() -> dict[str, Any]:
    """Return how GDAL reaches a store of S3 that is not Amazon's, as its own programs are told of it."""
    given = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not given:
        return {}
    parts = urlsplit(given)
    return {
        "AWS_S3_ENDPOINT": parts.netloc.rpartition("@")[2] + parts.path.rstrip("/"),
        "AWS_HTTPS": "YES" if parts.scheme == "https" else "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }

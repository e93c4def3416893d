"""The chunks of PNG and WebP files, found without decoding anything.

Formats: PNG (RFC 2083 and its extensions eXIf and acTL), WebP (RIFF).
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

MOST_CHUNKS = 1 << 20
"""Most chunks that are passed over: a file may be nothing but empty ones."""


def chunks(file: BinaryIO, driver: str) -> Iterator[tuple[bytes, int]]:
    """Yield the names of a file's chunks and the places of what they hold.

    Args:
        file: opened for reading.
        driver: GDAL's name of the format, PNG or WEBP; there are none in other formats.
    """
    if driver not in ("PNG", "WEBP"):
        return
    png = driver == "PNG"
    place = 8 if png else 12
    for _ in range(MOST_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        yield head[4:] if png else head[:4], place + 8
        length = int(struct.unpack(">I", head[:4])[0]) if png else int(struct.unpack("<I", head[4:])[0])
        place += length + 12 if png else length + length % 2 + 8


def exif_place(file: BinaryIO, driver: str) -> int | None:
    """Return where the EXIF block of a PNG or WebP begins in the file, a TIFF of its own; None without one."""
    for name, place in chunks(file, driver):
        if name in (b"eXIf", b"EXIF"):
            file.seek(place)
            return place + 6 if file.read(6) == b"Exif\x00\x00" else place
    return None


def animated(file: BinaryIO, driver: str) -> bool:
    """Return whether a PNG or WebP is an animation: it says so before its pixels."""
    for name, _ in chunks(file, driver):
        if name in (b"acTL", b"ANIM"):
            return True
        if name in (b"IDAT", b"VP8 ", b"VP8L"):
            return False
    return False

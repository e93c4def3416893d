"""The directories of a TIFF, read as data: one a page, mask or overview; also those in which EXIF keeps its values.

Formats: TIFF 6.0 and BigTIFF (https://www.awaresystems.be/imaging/tiff/bigtiff.html).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MOST_DIRECTORIES = 1 << 14
"""Most directories that are followed: a file may link them in a ring or a very long chain."""

MOST_ENTRIES, MOST_IN_ALL = 1 << 12, 1 << 19
"""Most entries of a directory, and of all together; honest ones have some thirty each."""

SUBFILE, WIDTH, HEIGHT, PHOTOMETRIC, ORIENTATION = KEPT = 254, 256, 257, 262, 274
"""Tags whose values are kept."""

_WHOLE = {3: "H", 4: "I", 16: "Q"}
"""Codes of `struct` for the types of whole numbers, SHORT, LONG and LONG8, by their numbers in the format."""


@dataclass(frozen=True)
class Directory:
    """What one directory says.

    Attributes:
        values: whole numbers by tag, of the tags that are kept and there.
        entries: how many it has.
        link: the place of the next one, 0 for the last.
    """

    values: dict[int, int]
    entries: int
    link: int

    @property
    def orientation(self) -> int:
        """Where the first pixel is shown, 1 to 8 as in EXIF; 1 where it is not said, or not in these bounds."""
        value = self.values.get(ORIENTATION, 1)
        return value if 1 <= value <= 8 else 1

    @property
    def photometric(self) -> int | None:
        """What the values of pixels mean, as TIFF's PhotometricInterpretation numbers it."""
        return self.values.get(PHOTOMETRIC)

    @property
    def page(self) -> bool:
        """Whether it is an image of its own: no reduced copy and no mask of another one."""
        return not self.values.get(SUBFILE, 0) & 0b101

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels; 0 where it is not said."""
        return self.values.get(HEIGHT, 0), self.values.get(WIDTH, 0)


def directories(file: BinaryIO, base: int = 0) -> Iterator[Directory]:
    """Yield the directories of a TIFF in their order; a damaged rest is left out.

    Args:
        file: opened for reading; it is read as the directories are asked for.
        base: the place in the file where the TIFF begins.
    """
    head = _read(file, base, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return
    big = head[2:4] in (b"+\x00", b"\x00+")
    if big and len(head) < 16:
        return
    place = struct.unpack(f"{order}Q", head[8:16])[0] if big else struct.unpack(f"{order}I", head[4:8])[0]
    seen: set[int] = set()
    left = MOST_IN_ALL
    while place and place not in seen and len(seen) < MOST_DIRECTORIES:
        seen.add(place)
        found = _directory(file, base + place, order, big)
        if found is None or found.entries > left:
            return
        left -= found.entries
        place = found.link
        yield found


def _directory(file: BinaryIO, place: int, order: str, big: bool) -> Directory | None:
    """Read one directory; None where the file ends before."""
    count_code, entry_code, link_code = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    count_size, entry_size, link_size = (struct.calcsize(f"<{code}") for code in (count_code, entry_code, link_code))
    start = _read(file, place, count_size)
    if len(start) < count_size:
        return None
    number = struct.unpack(f"{order}{count_code}", start)[0]
    if number > MOST_ENTRIES:
        return None
    data = _read(file, place + count_size, number * entry_size + link_size)
    if len(data) < number * entry_size:
        return None
    values: dict[int, int] = {}
    for tag, kind, count, value in struct.iter_unpack(f"{order}{entry_code}", data[: number * entry_size]):
        code = _WHOLE.get(kind)
        if tag in KEPT and code and count == 1 and (big or code != "Q"):
            values.setdefault(tag, struct.unpack(f"{order}{code}", value[: struct.calcsize(f"<{code}")])[0])
    link = data[number * entry_size :]
    return Directory(values, number, struct.unpack(f"{order}{link_code}", link)[0] if len(link) == link_size else 0)


def _read(file: BinaryIO, place: int, size: int) -> bytes:
    """Read some bytes at a place; fewer, or none, where the file ends before."""
    if place >= 1 << 62:
        return b""
    file.seek(place)
    return file.read(size)

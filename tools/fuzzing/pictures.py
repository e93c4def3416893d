"""Image files of many kinds, as bytes, and how their fields are found."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .mutations import WHOLE_NUMBERS

SIDE = 64
"""Side in pixels of the images that are changed."""


def pixels(bands: int = 3, dtype: str = "uint8") -> NDArray[np.generic]:
    """Return (SIDE, SIDE, bands) of noise; one band has no third axis."""
    noise = np.random.default_rng(3).integers(0, 200, (SIDE, SIDE, bands))
    made = noise.astype(dtype)
    return made[..., 0] if bands == 1 else made


def _pillow(mode: str, ending: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels(), np.uint8)).convert(mode).save(file, format=ending, **options)
    return file.getvalue()


def _exif() -> bytes:
    facts = Image.Exif()
    facts[0x0112], facts[0x010E] = 6, "=1+1"
    return _pillow("RGB", "JPEG", exif=facts)


def _raster(driver: str, bands: int = 3, dtype: str = "uint8", **options: Any) -> bytes:
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.io import MemoryFile

    data = np.moveaxis(np.atleast_3d(pixels(bands, dtype)), 2, 0)
    profile = {"driver": driver, "count": bands, "height": SIDE, "width": SIDE, "dtype": dtype, **options}
    with warnings.catch_warnings(), MemoryFile() as file:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with file.open(**profile) as target:
            target.write(data)
        return bytes(file.getbuffer())


def _interlaced() -> bytes:
    """Return an interlaced PNG (Adam7), which Pillow does not write."""
    image = np.asarray(pixels(), np.uint8)
    steps = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = b"".join(b"\0" + row.tobytes() for top, left, down, right in steps for row in image[top::down, left::right])
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 1)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in parts)


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


TIFF = ".tif"
TILES: dict[str, Any] = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}

WRITERS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "jpeg": (".jpg", lambda: _pillow("RGB", "JPEG")),
    "jpeg grey": (".jpg", lambda: _pillow("L", "JPEG")),
    "jpeg cmyk": (".jpg", lambda: _pillow("CMYK", "JPEG")),
    "jpeg exif": (".jpeg", _exif),
    "jpeg progressive": (".jpg", lambda: _pillow("RGB", "JPEG", progressive=True)),
    "png": (".png", lambda: _pillow("RGB", "PNG")),
    "png palette": (".png", lambda: _pillow("P", "PNG")),
    "png alpha": (".png", lambda: _pillow("RGBA", "PNG")),
    "png 16 bit": (".png", lambda: _raster("PNG", dtype="uint16")),
    "png interlaced": (".png", _interlaced),
    "gif called png": (".png", lambda: _pillow("P", "GIF")),
    "webp called jpg": (".jpg", lambda: _pillow("RGB", "WEBP")),
    "bmp": (".bmp", lambda: _pillow("RGB", "BMP")),
    "jp2": (".jp2", lambda: _raster("JP2OpenJPEG")),
    "tiff stripped": (TIFF, lambda: _raster("GTiff")),
    "tiff tiled deflate": (
        TIFF,
        lambda: _raster("GTiff", **TILES),
    ),
    "tiff lzw": (TIFF, lambda: _raster("GTiff", compress="lzw", predictor=2)),
    "tiff jpeg": (TIFF, lambda: _raster("GTiff", compress="jpeg", photometric="ycbcr")),
    "tiff zstd": (TIFF, lambda: _raster("GTiff", compress="zstd")),
    "bigtiff": (TIFF, lambda: _raster("GTiff", bigtiff="yes")),
    "tiff float": (TIFF, lambda: _raster("GTiff", dtype="float32", nodata=float("nan"))),
    "tiff nodata": (TIFF, lambda: _raster("GTiff", dtype="int16", nodata=-9999)),
    "tiff complex": (TIFF, lambda: _raster("GTiff", dtype="complex64")),
    "tiff planes": (".tiff", lambda: _raster("GTiff", bands=7, interleave="band")),
    "tiff placed": (TIFF, lambda: _raster("GTiff", crs="EPSG:32633", transform=_placed())),
}
"""Kinds of images: the file's ending, and what writes one."""


def _placed() -> object:
    from affine import Affine

    return Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)


@cache
def picture(name: str) -> bytes:
    """Return an image file of a kind."""
    return WRITERS[name][1]()


def with_field(data: bytes, rng: Random) -> tuple[bytes, str]:
    """Return an image with one of its format's own numbers (sizes, counts, offsets) replaced by an extreme one."""
    number = rng.choice(WHOLE_NUMBERS)
    changed = bytearray(data)
    if data[:2] in (b"II", b"MM"):
        return _tiff_field(changed, number, rng)
    if data[:4] == b"\x89PNG":
        at = rng.choice((16, 20))
        changed[at : at + 4] = struct.pack(">I", number & 0xFFFFFFFF)
        changed[29:33] = struct.pack(">I", zlib.crc32(bytes(changed[12:29])))
        return bytes(changed), f"png field {at}={number}"
    if data[:2] == b"\xff\xd8":
        starts = [at for at in range(len(data) - 9) if data[at] == 0xFF and data[at + 1] in (0xC0, 0xC2)]
        at = starts[0] + rng.choice((5, 7))
        changed[at : at + 2] = struct.pack(">H", number & 0xFFFF)
        return bytes(changed), f"jpeg side={number & 0xFFFF}"
    at = rng.choice((2, 10, 14, 18, 22, 28, 34)) if data[:2] == b"BM" else rng.randrange(0, min(120, len(data) - 4))
    changed[at : at + 4] = struct.pack("<I" if data[:2] == b"BM" else ">I", number & 0xFFFFFFFF)
    return bytes(changed), f"field {at}={number}"


def _tiff_field(changed: bytearray, number: int, rng: Random) -> tuple[bytes, str]:
    """Replace a value, count, kind or number of the first directory of a TIFF (TIFF 6.0; BigTIFF likewise)."""
    order = "<" if bytes(changed[:2]) == b"II" else ">"
    big = bytes(changed[2:4]) in (b"\x2b\x00", b"\x00\x2b")
    size, word, first = (20, "Q", 8) if big else (12, "I", 4)
    start = struct.unpack_from(order + word, changed, first)[0]
    entries = struct.unpack_from(order + ("Q" if big else "H"), changed, start)[0]
    at = start + (8 if big else 2) + size * rng.randrange(entries)
    tag = struct.unpack_from(order + "H", changed, at)[0]
    what, where, code = rng.choice(
        (
            ("value", 8 if not big else 12, word),
            ("value", 8 if not big else 12, word),
            ("number", 4, word),
            ("kind", 2, "H"),
            ("tag", 0, "H"),
        )
    )
    bits = 8 * struct.calcsize(order + code)
    struct.pack_into(order + code, changed, at + where, number & (2**bits - 1))
    return bytes(changed), f"tag {tag} {what}={number}"


def claimed(height: int, width: int, *, tiled: bool) -> bytes:
    """Return a TIFF of some two hundred bytes that claims to hold an image of any size; its blocks are missing."""
    fields = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (277, 3, 1)]
    if tiled:
        fields += [(322, 4, 256), (323, 4, 256), (324, 4, 8), (325, 4, 0)]
    else:
        fields += [(273, 4, 8), (278, 4, height), (279, 4, 0)]
    body = b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value & 0xFFFFFFFF) for tag, kind, value in sorted(fields)
    )
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(fields)) + body + b"\0\0\0\0"
